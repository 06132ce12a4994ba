"""The bandwidth of Gaussian Fourier features that suits an image, from short fits at several bandwidths."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.datasets import Batch, Source
from ffnet.fitting import automatic_precision
from ffnet.fitting.stacked import Stacked

# Of a short fit: optimizer steps, pixels per step, and pixels held out, at most an eighth.
STEPS, BATCH, HELD_OUT = 400, 256, 2048
RATE = 8e-3
# An octave more is worth while if the held-out pixels gain this fraction of what the known ones gain, in dB: longer
# training widens the gap between the two.
WORTH = 0.05
# Sigmas that are tried, the most. A short fit sees too few pixels for more; the parabola goes on for BEYOND octaves.
MOST, BEYOND = 5, 0.75
# Fewest pixels along an axis; of more than so many, a part is drawn.
LEAST, MANY = 16, 2**20


class Bandwidth(NamedTuple):
    """``sigma`` in cycles per unit; those that were tried, and the PSNR of each on held-out and on known pixels."""

    sigma: float
    tried: list[float]
    held_out: list[float]
    known: list[float]

    def described(self) -> str:
        """What was tried and found, for a log."""
        rows = (self.tried, self.held_out, self.known)
        tried, held_out, known = (", ".join(f"{value:.3g}" for value in row) for row in rows)
        return f"short fits at {tried} have {held_out} dB on held-out and {known} dB on known pixels"


def bandwidth(make: Callable[[float], nn.Module], grid: Source, seed: int = 0) -> Bandwidth:
    """The sigma at which short fits predict best the pixels that they have not seen.

    Args:
        make: the field at a sigma, a ``CoordinateMLP``.
        grid: an image's pixels.
        seed: of the pixels that are drawn.

    Raises:
        ValueError: if the field is no such network, or the image has fewer than 16x16 pixels.
    """
    shape = grid.grid or ()
    if len(shape) != 2 or min(shape) < LEAST:
        found = "x".join(str(length) for length in shape)
        raise ValueError(f"encoder.sigma: expected an image of at least {LEAST}x{LEAST} pixels for auto, got {found}")
    tried = candidates(max(shape))
    held_out, known = short_fits([make(sigma) for sigma in tried], grid, seed)
    scores = [unseen - WORTH * seen for unseen, seen in zip(held_out, known, strict=True)]
    return Bandwidth(float(f"{peak(tried, scores):.3g}"), tried, held_out, known)


def candidates(length: int) -> list[float]:
    """At most ``MOST`` sigmas an octave apart, from sqrt(2) cycles per unit to about a third of the Nyquist frequency
    of ``length`` pixels along an axis."""
    return [2 ** (k + 0.5) for k in range(min(math.floor(math.log2(length / 8)) + 1, MOST))]


def short_fits(fields: Sequence[nn.Module], grid: Source, seed: int) -> tuple[list[float], list[float]]:
    """The PSNR of every field on held-out and on known pixels after ``STEPS`` steps of Adam on the known ones."""
    native = automatic_precision("cpu") == "bf16-mixed"
    stacked = Stacked(fields, torch.bfloat16 if native else torch.float32)
    generator = torch.Generator().manual_seed(seed)
    many = grid.size > MANY
    pixels = torch.randint(grid.size, (MANY,), generator=generator).unique() if many else torch.arange(grid.size)
    count = min(HELD_OUT, grid.size // 8)
    hidden, known = pixels[torch.randperm(len(pixels), generator=generator)].tensor_split([count])
    optimizer = torch.optim.Adam(stacked.parameters, lr=RATE, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        batch = grid.batch(known[torch.randint(len(known), (BATCH,), generator=generator)])
        optimizer.zero_grad()
        squared_errors(stacked, batch).sum().backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        errors = [squared_errors(stacked, grid.batch(part)) for part in (hidden, known[:count])]
    held_out, seen = ((-10 * error.clamp(min=1e-12).log10()).tolist() for error in errors)
    return held_out, seen


def squared_errors(stacked: Stacked, batch: Batch) -> Float[Tensor, "n"]:
    """The mean squared error of every field."""
    return (stacked(batch.queries) - batch.targets).square().mean((1, 2))


def peak(sigmas: Sequence[float], scores: Sequence[float]) -> float:
    """Where the parabola through the best score and its neighbours is highest, over log sigma; at most ``BEYOND``
    octaves above the last sigma, and not below the first.
    """
    best = max(range(len(scores)), key=scores.__getitem__)
    if best == 0 or len(scores) < 3:
        return sigmas[best]
    middle = min(best, len(scores) - 2)
    before, at, after = scores[middle - 1 : middle + 2]
    curvature = before - 2 * at + after
    octaves = (before - after) / (2 * curvature) if curvature < 0 else math.inf
    return sigmas[middle] * 2 ** min(octaves, math.log2(sigmas[-1] / sigmas[middle]) + BEYOND)
