"""``ffnet ntk``: the kernel of the network that ``fit`` would train, and what it predicts."""

import json
import logging
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from ffnet.cli.app import reading_input, run
from ffnet.cli.field import build_field, field_settings

if TYPE_CHECKING:
    from torch import Tensor

    from ffnet.datasets import Dataset
    from ffnet.models import Field

log = logging.getLogger(__name__)

# Rows of the largest kernel: with so many the command takes 91 s on one core and 2.4 GiB.
MOST_ROWS = 6144
# How far apart a prediction that holds and the truth may be, in decibels.
CLOSE = 1.0


def main(argv: Sequence[str]) -> int:
    return run("ntk", ntk, argv)


def ntk(config: DictConfig) -> None:
    from hydra.core.hydra_config import HydraConfig
    from hydra.utils import instantiate

    from ffnet.cli.ntk_figure import draw

    with reading_input():
        dataset, field = built(config)
        settings = checked(config.ntk, dataset.out_features)
        make = instantiate(config.optimizer, _convert_="all")
        schedule = instantiate(config.schedule, _convert_="all")
        schedule(make(field.named_parameters()))  # so that a bad rate is found now
    log.info("kernel  on a line of %d points", settings["line"])
    report = line_spectrum(field, settings["line"], settings["rate"])
    batch = dataset.probe(settings["points"])
    x, y = batch.coordinates.double(), batch.targets.double()
    log.info("kernel  on %d training points with %d values each", *y.shape)
    report |= curves(field, x, y, settings["steps"], settings["rate"], make, schedule)
    loss = config.loss._target_.rpartition(".")[2]
    if loss not in ("MSELoss", "HalfMSELoss"):
        report["statement"] += f" All three curves are of the squared error; the loss of fit is {loss}."
    folder = Path(HydraConfig.get().runtime.output_dir)
    (folder / "ntk.json").write_text(json.dumps(report, indent=2, allow_nan=False) + "\n")
    names = [config[group]._target_.rpartition(".")[2] for group in ("model", "encoder")]
    draw(report, "{} after {}".format(*names), folder / "ntk.png")
    log.info("%s", report["statement"])
    log.info("wrote   %s", folder / "ntk.png")
    log.info("wrote   %s", folder / "ntk.json")


def built(config: DictConfig) -> "tuple[Dataset, Field]":
    """The dataset and the network of ``fit``, in float64."""
    from hydra.utils import instantiate

    dataset = instantiate(config.dataset, _convert_="all")
    return dataset, build_field(field_settings(config, dataset), dataset).double()


def checked(settings: DictConfig, values: int) -> dict[str, Any]:
    """The command's own settings.

    Raises:
        ValueError: if one is out of range, for networks of so many values at a point.
    """
    most: dict[str, float] = {"points": MOST_ROWS // values, "line": MOST_ROWS, "steps": math.inf}
    for name, least in {"points": 2, "line": 4, "steps": 1}.items():
        number = settings[name]
        if type(number) is not int or not least <= number <= most[name]:
            span = f"at least {least}" if name == "steps" else f"{least} to {most[name]}"
            raise ValueError(f"ntk.{name}: expected a whole number, {span}, got {number!r}")
    if not isinstance(settings.rate, int | float) or not 0 < settings.rate < 1:
        raise ValueError(f"ntk.rate: expected a share in (0, 1) of the largest stable rate, got {settings.rate!r}")
    return {str(name): settings[name] for name in ("points", "line", "steps", "rate")}


def line_spectrum(field: "Field", count: int, share: float) -> dict[str, Any]:
    """The kernel on a line along the first axis through the middle: a row, and what happens to waves there.

    Decay times are steps of gradient descent on the line's points at ``share`` of the largest stable rate, until the
    error in a wave has fallen to 1/e. They are None where the kernel has nothing of a frequency.
    """
    import torch

    from ffnet.kernels import decay_times, eigenvalues, empirical_ntk_trace, frequency_eigenvalues, largest_stable_rate

    x = torch.full((count, field.in_features), 0.5, dtype=torch.float64)
    x[:, 0] = (torch.arange(count) + 0.5) / count
    kernel = empirical_ntk_trace(field, x) / field.out_features
    waves = frequency_eigenvalues(kernel)
    rate = share * largest_stable_rate(eigenvalues(kernel)[0].item())
    octaves = [(2**k, min(2 ** (k + 1), len(waves))) for k in range((len(waves) - 1).bit_length())]
    octaves = [(low, high) for low, high in octaves if low < high]
    means = torch.stack([waves[low:high].mean() for low, high in octaves])
    return {
        "row": kernel[count // 2].tolist(),
        "eigenvalues_by_frequency": waves.tolist(),
        "decay_steps_by_frequency": plain(decay_times(waves, rate)),
        "octaves": [[low, high - 1] for low, high in octaves],
        "decay_steps_by_octave": plain(decay_times(means, rate)),
    }


def plain(values: "Tensor") -> list[float | None]:
    """Numbers that JSON has; None for the others."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


def curves(
    field: "Field",
    x: "Tensor",
    y: "Tensor",
    steps: int,
    share: float,
    optimizer: Callable[..., Any],
    schedule: Callable[..., Any] | None = None,
) -> dict[str, Any]:
    """PSNR on the points: as the network's own kernel at the start predicts it for full-batch gradient descent, as
    that descent does it, and as ``optimizer`` does it with all points in every step; and how far each moves the kernel.
    """
    import torch

    from ffnet.kernels import KernelDynamics, as_matrix, empirical_ntk, largest_stable_rate

    kernel = as_matrix(empirical_ntk(field, x))
    dynamics = KernelDynamics(kernel)
    start = (field(x) - y).detach().reshape(-1, 1)
    rate = share * largest_stable_rate(dynamics.eigenvalues[-1].item())
    along = dynamics.vectors.T @ start[:, 0]
    errors = [(dynamics.decay(step, rate, discrete=True) * along).square().mean() for step in range(steps + 1)]
    descent = lambda named: torch.optim.SGD([p for _, p in named], lr=rate)  # noqa: E731
    # The loss of gradient descent is half the sum, to which the rate belongs; the optimizer's is the mean, as fit's.
    trained, moved = train(field, x, y, steps, 0.5 * y.numel(), descent)
    ours, moved_ours = train(field, x, y, steps, 1.0, optimizer, schedule)
    drifts = [((as_matrix(empirical_ntk(f, x)) - kernel).norm() / kernel.norm()).item() for f in (moved, moved_ours)]
    name = type(optimizer(field.named_parameters())).__name__
    report: dict[str, Any] = {
        "points": len(x),
        "rate": rate,
        "optimizer": name,
        "predicted_psnr": decibels(torch.stack(errors)),
        "trained_psnr": decibels(trained),
        "optimizer_psnr": decibels(ours),
        "kernel_drift": plain(torch.tensor(drifts)),
    }
    report["holds_until"] = holds_until(report["predicted_psnr"], report["trained_psnr"])
    return report | {"statement": statement(report)}


def train(
    field: "Field",
    x: "Tensor",
    y: "Tensor",
    steps: int,
    factor: float,
    optimizer: Callable[..., Any],
    schedule: Callable[..., Any] | None = None,
) -> "tuple[Tensor, Field]":
    """Squared errors before each step and after the last, and the trained copy; the loss is ``factor`` times them."""
    import copy

    import torch
    from tqdm import tqdm

    field = copy.deepcopy(field)
    stepper = optimizer(field.named_parameters())
    scheduler = schedule(stepper) if schedule else None
    errors = []
    for _ in tqdm(range(steps), type(stepper).__name__, unit="step", disable=None, leave=False):
        stepper.zero_grad()
        error = (field(x) - y).square().mean()
        errors.append(error.detach())
        (factor * error).backward()
        stepper.step()
        if scheduler is not None:
            scheduler.step()
    with torch.no_grad():
        errors.append((field(x) - y).square().mean())
    return torch.stack(errors), field


def decibels(errors: "Tensor") -> list[float | None]:
    return plain(-10 * errors.double().log10())


def holds_until(predicted: list[float | None], trained: list[float | None]) -> int:
    """The last step up to which the two are never more than 1 dB apart."""
    for step, (p, t) in enumerate(zip(predicted, trained, strict=True)):
        if p is None or t is None or abs(p - t) > CLOSE:
            return step - 1
    return len(trained) - 1


def statement(report: dict[str, Any]) -> str:
    """Where the prediction holds and where it does not, in words."""
    steps, until = len(report["trained_psnr"]) - 1, report["holds_until"]
    held = f"for all {steps} steps" if until == steps else f"until step {until} of {steps}, and fails from there on"
    moved = [f"{100 * drift:,.1f} %" if drift is not None else "beyond measure" for drift in report["kernel_drift"]]
    return (
        f"Full-batch gradient descent on {report['points']} points: the kernel at the start predicts the PSNR to "
        f"{CLOSE:g} dB {held}; descent moves the kernel by {moved[0]}. {report['optimizer']} moves it by {moved[1]}; "
        "the prediction says nothing about it."
    )
