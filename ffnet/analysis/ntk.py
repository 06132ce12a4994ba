"""The neural tangent kernel of a network at initialization, and its predictions."""

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from tqdm import tqdm

from ffnet.analysis.observed import Observed, as_real
from ffnet.analysis.octaves import grid_octaves
from ffnet.kernels import (
    KernelDynamics,
    as_matrix,
    decay_times,
    eigenvalues,
    empirical_ntk,
    empirical_ntk_trace,
    frequency_eigenvalues,
    largest_stable_rate,
)
from ffnet.models import Field

# A prediction holds while it is within this distance of the truth, in decibels.
CLOSE = 1.0

MakeOptimizer = Callable[..., Any]  # from named parameters
MakeSchedule = Callable[..., Any]  # from an optimizer
Operator = Callable[[nn.Module, Tensor], Tensor]


def at_points(field: nn.Module, queries: Tensor) -> Tensor:
    """The operator that evaluates the field at the queries."""
    return field(queries)


def line_spectrum(field: Field, count: int, lr_share: float) -> dict[str, Any]:
    """The kernel on a line along the first axis through the centre: a row, and the decay of waves.

    Decay times are steps of gradient descent on the points of the line until the error in a wave has fallen to 1/e.
    They are None for frequencies in the null space of the kernel.

    Args:
        field: in float64.
        count: number of points on the line.
        lr_share: learning rate as a fraction of the largest stable one, in (0, 1).
    """
    x = torch.full((count, field.in_features), 0.5, dtype=torch.float64)
    x[:, 0] = (torch.arange(count) + 0.5) / count
    kernel = empirical_ntk_trace(field, x) / field.out_features
    waves = frequency_eigenvalues(kernel)
    lr = lr_share * largest_stable_rate(eigenvalues(kernel)[0].item())
    every = grid_octaves([count], [count])
    # Without 0-1, which contains only the mean.
    groups = [(every.index[: len(waves)] == k).nonzero()[:, 0] for k in range(1, len(every.lows))]
    means = torch.stack([waves[group].mean() for group in groups])
    return {
        "row": kernel[count // 2].tolist(),
        "eigenvalues_by_frequency": waves.tolist(),
        "decay_steps_by_frequency": plain(decay_times(waves, lr)),
        "octaves": [[int(group[0]), int(group[-1])] for group in groups],
        "decay_steps_by_octave": plain(decay_times(means, lr)),
    }


def plain(values: Tensor) -> list[float | None]:
    """Finite values as they are, others as None, for JSON."""
    return [value if math.isfinite(value) else None for value in values.tolist()]


def curves(
    field: Field,
    x: Float[Tensor, "n q"],
    y: Shaped[Tensor, "n c"],
    steps: int,
    lr_share: float,
    optimizer: MakeOptimizer,
    schedule: MakeSchedule | None = None,
    operator: Operator = at_points,
) -> dict[str, Any]:
    """PSNR on the queries over training: predicted by the initial kernel for full-batch gradient descent, reached by
    gradient descent, and reached by ``optimizer`` with full batches; and the change of the kernel under both.

    Args:
        field: in float64.
        x, y: queries and targets. The kernel has one row per target value.
        steps: number of training steps.
        lr_share: learning rate of gradient descent as a fraction of the largest stable one, in (0, 1).
        optimizer, schedule: as in ``fit``.
        operator: how the queries observe the field.
    """
    y = as_real(y)
    kernel_of = lambda network: as_matrix(empirical_ntk(Observed(network, operator), x))  # noqa: E731
    kernel = kernel_of(field)
    dynamics = KernelDynamics(kernel)
    start = (Observed(field, operator)(x) - y).detach().flatten()
    lr = lr_share * largest_stable_rate(dynamics.eigenvalues[-1].item())
    along = dynamics.vectors.T @ start
    errors = [(dynamics.decay(step, lr, discrete=True) * along).square().mean() for step in range(steps + 1)]
    descent = lambda named: torch.optim.SGD([p for _, p in named], lr=lr)  # noqa: E731
    # The learning rate of gradient descent refers to half the sum of squares; the optimizer's loss is the mean.
    trained, moved = train(field, x, y, steps, 0.5 * y.numel(), descent, operator=operator)
    ours, moved_ours = train(field, x, y, steps, 1.0, optimizer, schedule, operator)
    drifts = [((kernel_of(network) - kernel).norm() / kernel.norm()).item() for network in (moved, moved_ours)]
    report: dict[str, Any] = {
        "points": len(x),
        "learning_rate": lr,
        "optimizer": type(optimizer(field.named_parameters())).__name__,
        "predicted_psnr": decibels(torch.stack(errors)),
        "trained_psnr": decibels(trained),
        "optimizer_psnr": decibels(ours),
        "kernel_drift": plain(torch.tensor(drifts)),
    }
    report["holds_until"] = holds_until(report["predicted_psnr"], report["trained_psnr"])
    return report | {"statement": statement(report)}


def train(
    field: Field,
    x: Float[Tensor, "n q"],
    y: Float[Tensor, "n c"],
    steps: int,
    factor: float,
    optimizer: MakeOptimizer,
    schedule: MakeSchedule | None = None,
    operator: Operator = at_points,
) -> tuple[Float[Tensor, "t"], Field]:
    """Mean squared errors before each step and after the last, and the trained copy. The loss is ``factor`` times the
    error.
    """
    field = copy.deepcopy(field)
    observed = Observed(field, operator)
    stepper = optimizer(field.named_parameters())
    scheduler = schedule(stepper) if schedule else None
    errors = []
    for _ in tqdm(range(steps), type(stepper).__name__, unit="step", disable=None, leave=False):
        stepper.zero_grad()
        error = (observed(x) - y).square().mean()
        errors.append(error.detach())
        (factor * error).backward()
        stepper.step()
        if scheduler is not None:
            scheduler.step()
    with torch.no_grad():
        errors.append((observed(x) - y).square().mean())
    return torch.stack(errors), field


def decibels(errors: Float[Tensor, "n"]) -> list[float | None]:
    """PSNR of mean squared errors for a peak of 1; None for errors that are 0 or not finite."""
    return plain(-10 * errors.double().log10())


def holds_until(predicted: list[float | None], trained: list[float | None]) -> int:
    """The last step up to which the two differ by at most 1 dB."""
    for step, (p, t) in enumerate(zip(predicted, trained, strict=True)):
        if p is None or t is None or abs(p - t) > CLOSE:
            return step - 1
    return len(trained) - 1


def statement(report: dict[str, Any]) -> str:
    """A sentence that says where the prediction holds."""
    steps, until = len(report["trained_psnr"]) - 1, report["holds_until"]
    held = f"for all {steps} steps" if until == steps else f"until step {until} of {steps}, and fails from there on"
    moved = [f"{100 * drift:,.1f} %" if drift is not None else "beyond measure" for drift in report["kernel_drift"]]
    return (
        f"Full-batch gradient descent on {report['points']} points: the kernel at the start predicts the PSNR to "
        f"{CLOSE:g} dB {held}; descent moves the kernel by {moved[0]}. {report['optimizer']} moves it by {moved[1]}; "
        "the prediction says nothing about it."
    )
