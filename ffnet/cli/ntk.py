"""``ffnet ntk``: the kernel of the network that ``fit`` would train, and what it predicts."""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run
from ffnet.cli.field import build_field, field_settings

if TYPE_CHECKING:
    from torch import Tensor

    from ffnet.models import Field

log = logging.getLogger(__name__)


def main(argv: Sequence[str]) -> int:
    return run("ntk", ntk, argv)


def ntk(config: DictConfig) -> None:
    import torch
    from hydra.core.hydra_config import HydraConfig
    from hydra.utils import instantiate

    with reading_input():
        for name, least in {"points": 2, "line": 4, "steps": 1}.items():
            if config.ntk[name] < least:
                raise ValueError(f"ntk.{name}: expected at least {least}, got {config.ntk[name]}")
        if not 0 < config.ntk.rate < 1:
            raise ValueError(f"ntk.rate: expected a share in (0, 1) of the largest stable rate, got {config.ntk.rate}")
        dataset = instantiate(config.dataset, _convert_="all")
        if dataset.training_points is None:
            raise ValueError("dataset: expected one with numbered training points")
        field = build_field(field_settings(config, dataset), dataset).double()
    count = min(config.ntk.points, dataset.training_points)
    numbers = torch.linspace(0, dataset.training_points - 1, count).round().long()
    batch = dataset.training_batch(numbers)
    report = line_spectrum(field, config.ntk.line) | curves(
        field, batch.coordinates.double(), batch.targets.double(), config.ntk.steps, config.ntk.rate
    )
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / "ntk.json").write_text(json.dumps(report, indent=2) + "\n")
    draw(report, folder / "ntk.png")
    log.info("%s", report["statement"])
    log.info("wrote   %s", folder / "ntk.png")
    log.info("wrote   %s", folder / "ntk.json")


def line_spectrum(field: "Field", count: int) -> dict[str, Any]:
    """The kernel from the middle of a line along the first axis, and its eigenvalue at each frequency there."""
    import torch

    from ffnet.kernels import empirical_ntk_trace, frequency_eigenvalues

    x = torch.full((count, field.in_features), 0.5, dtype=torch.float64)
    x[:, 0] = (torch.arange(count) + 0.5) / count
    kernel = empirical_ntk_trace(field, x) / field.out_features
    values = frequency_eigenvalues(kernel).clamp(min=1e-300)
    return {
        "row": kernel[count // 2].tolist(),
        "eigenvalues_by_frequency": values.tolist(),
        # Relative to frequency 0: the unit depends on the learning rate and the loss.
        "decay_time_by_frequency": (values[0] / values).tolist(),
    }


def curves(field: "Field", x: "Tensor", y: "Tensor", steps: int, share: float) -> dict[str, Any]:
    """PSNR on the points as the network's own kernel at the start predicts it, and as gradient descent does it."""
    import torch

    from ffnet.kernels import KernelDynamics, as_matrix, empirical_ntk, largest_stable_rate
    from ffnet.metrics import psnr

    dynamics = KernelDynamics(as_matrix(empirical_ntk(field, x)))
    start = (field(x) - y).detach().reshape(-1, 1)
    rate = share * largest_stable_rate(dynamics.eigenvalues[-1].item())
    predicted = [
        psnr(dynamics.residual(start, step, rate, discrete=True).square().mean().item()) for step in range(steps + 1)
    ]
    optimizer = torch.optim.SGD(field.parameters(), lr=rate)
    trained = []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        error = (field(x) - y).square()
        trained.append(psnr(error.mean().item()))
        (0.5 * error.sum()).backward()
        optimizer.step()
    apart = [step for step in range(steps + 1) if abs(predicted[step] - trained[step]) > 1]
    until = f"until step {apart[0] - 1}" if apart else f"for all {steps} steps"
    statement = (
        f"The kernel at the start predicts full-batch gradient descent on {len(x)} points to 1 dB {until}. "
        "It says nothing about Adam, and less the narrower the network."
    )
    return {"rate": rate, "predicted_psnr": predicted, "trained_psnr": trained, "statement": statement}


def draw(report: dict[str, Any], path: Path) -> None:
    """Kernel row, spectrum, decay times and the two curves as one picture."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 7), layout="constrained")
    (row, spectrum), (decay, psnr) = figure.subplots(2, 2)
    count = len(report["row"])
    row.plot([(i + 0.5) / count for i in range(count)], report["row"])
    row.set(title="kernel from the middle of a line", xlabel="x")
    spectrum.semilogy(report["eigenvalues_by_frequency"])
    spectrum.set(title="eigenvalue by frequency", xlabel="cycles per unit")
    decay.semilogy(report["decay_time_by_frequency"])
    decay.set(title="decay time, relative to frequency 0", xlabel="cycles per unit")
    psnr.plot(report["predicted_psnr"], label="predicted")
    psnr.plot(report["trained_psnr"], label="gradient descent")
    psnr.set(title="PSNR on the training points, dB", xlabel="step")
    psnr.legend()
    figure.savefig(path, dpi=100)
