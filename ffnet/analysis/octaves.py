"""Errors by octave of frequency, on regular grids of any dimension.

Octaves are [0, 1), [1, 2), [2, 4), ... cycles per unit in any direction.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Complex, Float, Int
from torch import Tensor, nn

# Points per chunk.
CHUNK_POINTS = 4096


@dataclass(frozen=True)
class Octaves:
    """The octaves of the frequencies of a grid's Fourier transform.

    Attributes:
        lows: lower ends in cycles per unit, ascending, of the octaves that contain frequencies of the grid.
        index: index of the octave of each frequency, in the order of ``torch.fft.fftn``.
    """

    lows: list[int]
    index: Int[Tensor, "*size"]

    @property
    def names(self) -> list[str]:
        """``LOW-HIGH``, in cycles per unit."""
        return [f"{low}-{max(1, 2 * low)}" for low in self.lows]


@runtime_checkable
class GridSource(Protocol):
    """The required part of ``ffnet.datasets.Source``."""

    grid: tuple[int, ...] | None

    def batch(self, index: Int[Tensor, "n"]) -> Any: ...

    def buffers(self) -> Iterator[Tensor]: ...


def grid_octaves(size: Sequence[int], density: Sequence[float], device: torch.device | None = None) -> Octaves:
    """Octaves of the frequencies of a grid.

    Args:
        size: number of points along each axis.
        density: points per unit along each axis, the inverse of the spacing: ``size`` if the grid fills the unit cube,
            the size of the whole grid if it is a window of that.
        device: device of the index.
    """
    # Ends of octaves, powers of two, are exact: in float64, with one division and no logarithm.
    steps = [torch.arange(count, dtype=torch.float64) for count in size]
    axes = [torch.minimum(k, len(k) - k) * rate / len(k) for k, rate in zip(steps, density, strict=True)]
    magnitude = torch.stack(torch.meshgrid(*axes, indexing="ij")).square().sum(0).sqrt()
    found, index = torch.frexp(magnitude).exponent.clamp(min=0).unique(return_inverse=True)
    return Octaves([2**k // 2 for k in found.tolist()], index.to(device))


def octave_power(values: Float[Tensor, "*size c"], octaves: Octaves, hann: bool = False) -> Float[Tensor, "b"]:
    """Power ``|FFT|^2`` in each octave, summed over channels. The sum over octaves is ``|values|^2`` times the number
    of points (Parseval).

    Args:
        values: values on the grid of ``octaves``.
        hann: subtract the mean and apply a Hann window, so that jumps between opposite borders are ignored.
    """
    axes = tuple(range(values.ndim - 1))
    if hann:
        values = values - values.mean(axes, keepdim=True)
        for axis in axes:
            window = torch.hann_window(values.shape[axis], periodic=False, dtype=values.dtype, device=values.device)
            values = values * window.reshape(-1, *[1] * (len(axes) - axis))
    power = _spectrum(values).abs().square().sum(0)
    return power.new_zeros(len(octaves.lows)).index_add_(0, octaves.index.flatten(), power.flatten())


def split_octaves(values: Float[Tensor, "*size c"], octaves: Octaves) -> Float[Tensor, "b *size c"]:
    """The components of the values in each octave, which sum to the values."""
    kept = torch.stack([octaves.index == k for k in range(len(octaves.lows))]).unsqueeze(1)
    return torch.fft.ifftn(_spectrum(values) * kept, dim=tuple(range(2, values.ndim + 1))).real.movedim(1, -1)


def _spectrum(values: Float[Tensor, "*size c"]) -> Complex[Tensor, "c *size"]:
    """The transform of each channel, apart: over strided axes of some sizes, such as (4, 256), that of torch 2.14 on
    the CPU writes outside of its memory."""
    return torch.fft.fftn(values.movedim(-1, 0).contiguous(), dim=tuple(range(1, values.ndim)))


def relative_error(
    error: Float[Tensor, "*size c"], target: Float[Tensor, "*size c"], density: Sequence[float]
) -> dict[str, float]:
    """Power of an error relative to that of its target, by octave: 1 is nothing learned, 0 is exact.

    ``0008`` is 8 to 16 cycles per unit. The octaves are those that all axes resolve, from one cycle per grid to the
    lowest Nyquist frequency, and in which the target has power. The mean is subtracted and a Hann window applied.

    Args:
        error, target: values on the same grid.
        density: points per unit along each axis.
    """
    size = target.shape[:-1]
    every = grid_octaves(size, density, target.device)
    wanted, missing = (octave_power(values.double(), every, hann=True).tolist() for values in (target, error))
    first = max(rate / count for rate, count in zip(density, size, strict=True))
    last = max(first, min(density) / 2)
    return {
        f"{low:04d}": e / t
        for low, e, t in zip(every.lows, missing, wanted, strict=True)
        if 2 * low > first and low <= last and t > 0
    }


def middle(grid: Sequence[int], size: Sequence[int], device: torch.device | None = None) -> Int[Tensor, "n"]:
    """Indices of the points of a central window of ``size`` of a grid whose last axis varies fastest."""
    axes = [torch.arange(w, device=device) + (n - w) // 2 for n, w in zip(grid, size, strict=True)]
    numbers = torch.zeros((), dtype=torch.int64, device=device)
    for axis, count in zip(torch.meshgrid(*axes, indexing="ij"), grid, strict=True):
        numbers = numbers * count + axis
    return numbers.flatten()


def window_of(grid: Sequence[int], most_points: int) -> tuple[int, ...]:
    """The size of a window of a grid with at most ``most_points`` points and equal sides where the grid allows."""
    side = int(most_points ** (1 / len(grid)) + 1e-9)
    return tuple(min(side, count) for count in grid)


def values_at(field: Callable[[Tensor], Tensor], x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """The field's values, computed in chunks."""
    return torch.cat([field(part) for part in x.split(CHUNK_POINTS)])


@torch.no_grad()
def spectral_error(field: Callable[[Tensor], Tensor], source: GridSource, max_side: int) -> dict[str, float]:
    """Relative spectral error of a field by octave, as ``relative_error`` has it; empty where a source has no grid.

    Args:
        field: points (n, d) to values (n, c).
        source: its queries are points at which the field's values are the targets.
        max_side: of a larger grid, a window in the middle is used, of at most this many points along each axis of two
            and of as many points in all along other numbers of axes.
    """
    if source.grid is None:
        return {}
    size = window_of(source.grid, max_side**2)
    batch = source.batch(middle(source.grid, size, next(source.buffers()).device))
    target = batch.targets.double()
    error = values_at(field, batch.queries).double() - target
    return relative_error(error.reshape(*size, -1), target.reshape(*size, -1), source.grid)


class OctaveErrors:
    """The error of a field in each octave, on the grid of a source.

    Args:
        source: one with a grid, whose queries are points at which the field's values are the targets.
        most_points: of a larger grid, a window in the middle is used. It is not periodic, and neither is a signal:
            jumps between opposite borders count as high frequencies.

    Attributes:
        octaves: of the window.
        names: ``LOW-HIGH``, in cycles per unit, rising.
        x, y: the window's points (n, d) and targets (n, c).
    """

    def __init__(self, source: GridSource, most_points: int) -> None:
        if source.grid is None:
            raise ValueError("source: expected one whose queries form a grid")
        device = next(source.buffers()).device
        self.size = window_of(source.grid, most_points)
        self.octaves = grid_octaves(self.size, source.grid, device)
        self.names = self.octaves.names
        self.x, self.y = source.batch(middle(source.grid, self.size, device))[:2]

    @torch.no_grad()
    def error(self, field: Callable[[Tensor], Tensor]) -> Float[Tensor, "n c"]:
        """``field - target`` at the points."""
        return values_at(field, self.x) - self.y

    def mean_squares(self, error: Float[Tensor, "n c"]) -> Float[Tensor, "b"]:
        """The mean squared error by octave; the octaves sum to the total (Parseval)."""
        return octave_power(error.reshape(*self.size, -1), self.octaves) / (len(error) * error.numel())

    def parts(self, error: Float[Tensor, "n c"]) -> Float[Tensor, "b n c"]:
        """The components of the error in each octave; they sum to the error."""
        parts = split_octaves(error.reshape(*self.size, -1), self.octaves)
        return parts.flatten(1, len(self.size)).contiguous()

    def rates(self, field: nn.Module) -> Float[Tensor, "b"]:
        """The Rayleigh quotient ``e^T Theta e / |e|^2`` of the tangent kernel for the error e in each octave: the rate
        at which gradient flow initially reduces it. It equals ``|J^T e|^2 / |e|^2``, one backward pass per octave.
        """
        parts = self.parts(self.error(field))
        parameters = [p for p in field.parameters() if p.requires_grad]
        sums = [[torch.zeros_like(p) for p in parameters] for _ in parts]
        with torch.enable_grad():
            for x, chunk in zip(self.x.split(CHUNK_POINTS), parts.split(CHUNK_POINTS, dim=1), strict=True):
                values = field(x)
                for total, part in zip(sums, chunk, strict=True):
                    slopes = torch.autograd.grad(values, parameters, part, retain_graph=True, materialize_grads=True)
                    for held, slope in zip(total, slopes, strict=True):
                        held += slope
        squares = torch.stack([sum((g.square().sum() for g in total), torch.zeros(())) for total in sums])
        return squares / parts.square().sum((1, 2)).clamp(min=torch.finfo(parts.dtype).tiny)


def decayed_to(total: float, start: Float[Tensor, "b"], rates: Float[Tensor, "b"]) -> Float[Tensor, "b"]:
    """``start exp(-2 rates t)`` at the time t at which the sum is ``total``; ``start`` if ``total`` is not smaller.

    Only the ratios of the rates matter: the run is the clock, for any optimizer and learning rate.
    """
    exponents = -2 * rates / rates.max()
    if total >= start.sum().item():
        return start
    left = lambda time: start * torch.exp(exponents * time)  # noqa: E731
    low, high = 0.0, 1.0
    while left(high).sum().item() > total and high < 1e30:  # octaves with rate 0 may keep more than that forever
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle).sum().item() > total else (low, middle)
    return left(high)
