"""An image by kernel regression, by gradient descent with the kernel, and by the network that is trained."""

import bisect
import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm import tqdm

from ffnet.analysis.limit import infinite, ntk_steps
from ffnet.analysis.milestones import milestones
from ffnet.analysis.ntk import MakeOptimizer, MakeSchedule
from ffnet.budget import EVALUATIONS
from ffnet.datasets import ImageDataset
from ffnet.fitting import Objective, Stepper
from ffnet.kernels import GridKernel, descent, is_stationary, largest_stable_rate, leading_eigenpairs
from ffnet.models import CoordinateMLP, Field

# Relative residual of the solution.
TOLERANCE = 1e-6
# Descent with the kernel goes on to this many times the steps of the run, since it is slower than Adam.
LONGER = 10
# About so many pixels at most are scored while the network is trained.
CURVE_PIXELS = 2**16
# Most pixels of an image.
MOST_PIXELS = 2**22

Report = dict[str, Any]
Image = Float[Tensor, "h w c"]


def suited(field: nn.Module, dataset: object) -> tuple[CoordinateMLP, ImageDataset]:
    """Both of them.

    Raises:
        ValueError: if the kernel of the field cannot be solved by Fourier transforms, or no pixels are held out.
    """
    if not isinstance(dataset, ImageDataset) or dataset.split != "half":
        raise ValueError("dataset: expected an image with dataset.split=half, whose other pixels are held out")
    if not dataset.operator.pointwise:
        kind = type(dataset.operator).__name__
        raise ValueError(f"dataset.operator: expected one that evaluates the field at points, got {kind}")
    pixels = math.prod(dataset.pixels.shape[:2])
    if pixels > MOST_PIXELS:
        raise ValueError(
            f"dataset: expected at most {MOST_PIXELS} pixels, got {pixels}; dataset.size=... makes it smaller"
        )
    limit = infinite(field)
    assert isinstance(field, CoordinateMLP)
    if not is_stationary(limit.ntk, 2, tolerance=1e-6):
        kind = type(field.encoder).__name__
        raise ValueError(f"encoder: expected one with a stationary kernel, such as gaussian or positional, got {kind}")
    return field, dataset


def regression(
    field: CoordinateMLP,
    dataset: ImageDataset,
    objective: Objective,
    optimizer: MakeOptimizer,
    schedule: MakeSchedule | None,
    steps: int,
    lr_share: float,
    seed: int,
) -> tuple[Report, dict[str, Image]]:
    """The report, and three reconstructions with all pixels: kernel ridgeless regression, gradient descent with the
    kernel for ``steps`` steps, and the network after as many steps of ``fit``. Training pixels are ``[::2, ::2]``;
    PSNR is that of values clipped to [0, 1], on these and on ``[1::2, 1::2]``.

    The kernel is the NTK of ``field`` in the limit of infinite width; descent starts at the mean, as the network does.

    Args:
        field, dataset: that are ``suited``.
        objective, optimizer, schedule, seed: as in ``fit``, in float32.
        steps: number of training steps.
        lr_share: learning rate of descent as a fraction of the largest stable one, in (0, 1).
    """
    image = dataset.fitted.image
    truth = every_pixel(dataset)
    kernel = ImageKernel(ntk_steps(field, [image.height, image.width]))
    mean = truth[::2, ::2].mean((0, 1))
    error = mean - truth[::2, ::2]
    marks = milestones(steps)
    longer = sorted({*marks, *milestones(LONGER * steps)})
    solution = kernel.known.solve(error.flatten(0, 1), TOLERANCE)
    rate = lr_share * largest_stable_rate(kernel.largest())
    weights = descent(kernel.known, error.flatten(0, 1), rate, longer)
    found, path = {"regression": mean - kernel.everywhere(solution.x)}, []
    for step, weight in zip(longer, weights, strict=True):
        values = mean - kernel.everywhere(weight)
        path.append(scores(values, truth))
        if step == steps:
            found["descent"] = values
    trained, found["network"] = train(field, dataset, objective, optimizer, schedule, marks, seed, truth)
    report: Report = {
        "size": [image.height, image.width],
        "steps": steps,
        "learning_rate": rate,
        "iterations": solution.iterations,
        "residual": solution.residuals.max().item(),
        "regression": scores(found["regression"], truth),
        "descent": {"steps": longer, **transposed(path)},
        "network": {"steps": marks, **transposed(trained)},
    }
    return report | {"statement": statement(report)}, found


class ImageKernel:
    """A stationary kernel on the pixels of an image, of which every second one in every second row is known.

    Args:
        steps: the kernel at all steps between two pixels, from ``stationary_steps``.

    Attributes:
        known: the matrix of the known pixels.
    """

    def __init__(self, steps: Float[Tensor, "..."]) -> None:
        self.every = GridKernel(steps)
        thinned = steps
        for axis, count in enumerate(self.every.shape):
            fewer = (count + 1) // 2
            # Twice the steps of the thinner grid; the step `fewer` does not occur on it.
            index = (2 * torch.fft.fftfreq(2 * fewer, 0.5 / fewer).round().long()) % (2 * count)
            thinned = thinned.index_select(axis, index)
        self.known = GridKernel(thinned)

    def everywhere(self, weights: Float[Tensor, "n c"]) -> Image:
        """``k(., X) weights`` at all pixels."""
        height, width = self.every.shape
        spread = weights.new_zeros(height, width, weights.shape[1])
        spread[::2, ::2] = weights.unflatten(0, self.known.shape)
        return self.every(spread.flatten(0, 1)).unflatten(0, (height, width))

    def largest(self) -> float:
        """The largest eigenvalue of the matrix of the known pixels."""
        return leading_eigenpairs(self.known, self.known.size, 1, tolerance=1e-3).values.item()


def every_pixel(dataset: ImageDataset) -> Image:
    """The whole image in float64, values in [0, 1]."""
    image = dataset.fitted.image
    row, column = torch.broadcast_tensors(*every(image.height, image.width))
    return image.at(row.flatten(), column.flatten()).targets.double().view(*row.shape, -1)


def train(
    field: Field,
    dataset: ImageDataset,
    objective: Objective,
    optimizer: MakeOptimizer,
    schedule: MakeSchedule | None,
    marks: list[int],
    seed: int,
    truth: Image,
) -> tuple[list[dict[str, float]], Image]:
    """Scores after each number of steps in ``marks``, all but the last of a part of large images, and the
    reconstruction after the last.
    """
    field = copy.deepcopy(field).float()
    generator = torch.Generator().manual_seed(seed)
    stepper = Stepper(field, dataset, objective, generator, marks[-1])
    updates = optimizer(field.named_parameters())
    scheduler = schedule(updates) if schedule else None
    thinned = thinning(*truth.shape[:2])
    found, done = [], 0
    with tqdm(total=marks[-1], desc=type(updates).__name__, unit="step", disable=None, leave=False) as progress:
        for mark in marks[:-1]:
            for number in range(done, mark):
                stepper.step(number, updates, scheduler)
                progress.update()
            done = mark
            found.append(scores(evaluated(field, dataset, thinned), truth[thinned]))
        for number in range(done, marks[-1]):
            stepper.step(number, updates, scheduler)
            progress.update()
    values = evaluated(field, dataset, every(*truth.shape[:2]))
    return [*found, scores(values, truth)], values


Index = tuple[Int[Tensor, "h 1"], Int[Tensor, "w"]]


def every(height: int, width: int) -> Index:
    """Index of all pixels."""
    return torch.arange(height)[:, None], torch.arange(width)


def thinning(height: int, width: int) -> Index:
    """Index of pairs of rows and of columns, so many that they hold at most about ``CURVE_PIXELS`` pixels. The first
    of a pair is even, as in the whole image.
    """
    apart = 2 * max(1, math.ceil(math.sqrt(height * width / CURVE_PIXELS)))
    rows, columns = (torch.arange(count)[torch.arange(count) % apart < 2] for count in (height, width))
    return rows[:, None], columns


@torch.no_grad()
def evaluated(field: Callable[[Tensor], Tensor], dataset: ImageDataset, index: Index) -> Image:
    """The field's values at the pixels of some rows and columns."""
    rows, columns = torch.broadcast_tensors(*index)
    pairs = zip(rows.flatten().split(EVALUATIONS), columns.flatten().split(EVALUATIONS), strict=True)
    values = torch.cat([field(dataset.fitted.image.at(row, column).queries) for row, column in pairs])
    return values.double().view(*rows.shape, -1)


def scores(values: Image, truth: Image) -> dict[str, float]:
    """PSNR at the known and at the held-out pixels; 200 dB stands for more, as of what is interpolated exactly."""
    squares = (values.clamp(0, 1) - truth).square()
    parts = {"train": squares[::2, ::2], "held_out": squares[1::2, 1::2]}
    return {name: -10 * math.log10(max(part.mean().item(), 1e-20)) for name, part in parts.items()}


def transposed(found: list[dict[str, float]]) -> dict[str, list[float]]:
    return {name: [one[name] for one in found] for name in found[0]}


def disagreement(report: Report) -> tuple[float, float] | None:
    """How far descent with the kernel and the network are apart on held-out pixels when the known ones have the same
    PSNR: the largest difference in dB up to the highest PSNR of the known pixels that both reach, and that PSNR. None
    if they have none in common."""
    descent, network = report["descent"], report["network"]
    shared = [
        (known, held)
        for known, held in zip(network["train"], network["held_out"], strict=True)
        if descent["train"][0] <= known <= descent["train"][-1]
    ]
    if not shared:
        return None
    apart = [abs(held - _between(descent["train"], descent["held_out"], known)) for known, held in shared]
    return max(apart), max(known for known, _ in shared)


def _between(x: list[float], y: list[float], at: float) -> float:
    """Linear interpolation at a place in ``x``, which rises."""
    right = max(1, bisect.bisect_left(x, at))
    share = (at - x[right - 1]) / (x[right] - x[right - 1])
    return y[right - 1] + share * (y[right] - y[right - 1])


def statement(report: Report) -> str:
    """Sentences with the scores on held-out pixels."""
    held = {name: at_end(report, name)["held_out"] for name in ("regression", "descent", "network")}
    found = (
        f"Held-out pixels: {held['regression']:.2f} dB by kernel regression, {held['descent']:.2f} dB by "
        f"{report['steps']} steps of descent with the kernel, {held['network']:.2f} dB by the network after as many "
        "steps of fit."
    )
    if (apart := disagreement(report)) is None:
        return found
    return (
        f"{found} At equal PSNR of the known pixels, up to {apart[1]:.1f} dB, kernel and network differ by at most "
        f"{apart[0]:.2f} dB on held-out ones."
    )


def at_end(report: Report, name: str) -> dict[str, float]:
    """The scores of a reconstruction: of regression, or after the run's number of steps."""
    if name == "regression":
        return {kind: report[name][kind] for kind in ("train", "held_out")}
    index = report[name]["steps"].index(report["steps"])
    return {kind: report[name][kind][index] for kind in ("train", "held_out")}
