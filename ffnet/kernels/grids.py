"""Regular grids, on which kernels that depend on ``x - y`` only are diagonalised by Fourier transforms."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ffnet.kernels.memory import CHUNK_POINTS

Kernel = Callable[[Tensor, Tensor], Tensor]


def grid_points(size: Sequence[int], offset: float = 0.5, dtype: torch.dtype = torch.float64) -> Float[Tensor, "n d"]:
    """Points of a regular grid in [0, 1]^d, ``(i + offset) / size``, the last dimension of ``size`` fastest.

    The last dimension of ``size`` is x, the first coordinate: an image's ``size`` is (height, width).
    """
    axes = [(torch.arange(count, dtype=dtype) + offset) / count for count in size]
    return torch.stack([axis.flatten() for axis in torch.meshgrid(*axes, indexing="ij")][::-1], dim=-1)


def is_stationary(kernel: Kernel, dimensions: int, tolerance: float = 1e-9) -> bool:
    """Whether ``k(x, y) = k(x + s, y + s)``, tested at random points and shifts in float64, relative to ``k(x, x)``."""
    x, y, shift = _probes(dimensions)
    return _agree(kernel, (x, y), (x + shift, y + shift), tolerance)


def is_periodic(kernel: Kernel, dimensions: int, tolerance: float = 1e-9) -> bool:
    """Whether ``k(x + e, y) = k(x, y)`` for every unit vector e, tested at random points.

    A kernel that is stationary and periodic is circulant on every regular grid of [0, 1]^d.
    """
    x, y, _ = _probes(dimensions)
    unit = torch.eye(dimensions, dtype=x.dtype)
    return all(_agree(kernel, (x, y), (x + step, y), tolerance) for step in unit)


def _probes(dimensions: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, 16, dimensions, generator=generator, dtype=torch.float64)


def _agree(kernel: Kernel, here: tuple[Tensor, Tensor], there: tuple[Tensor, Tensor], tolerance: float) -> bool:
    scale = kernel(here[0], here[0]).diagonal().abs().max()
    change = kernel(*there).diagonal() - kernel(*here).diagonal()
    return bool(change.abs().max() <= tolerance * scale)


def stationary_row(
    kernel: Kernel, size: Sequence[int], chunk: int = CHUNK_POINTS, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "..."]:
    """``k(0, x)`` for the points x of the grid ``i / size``: the first row of the kernel's matrix, shaped ``size``."""
    points = grid_points(size, offset=0.0, dtype=dtype)
    origin = torch.zeros_like(points[:1])
    return torch.cat([kernel(origin, part)[0] for part in points.split(chunk)]).reshape(*size)


def stationary_steps(
    kernel: Kernel, size: Sequence[int], chunk: int = CHUNK_POINTS, dtype: torch.dtype = torch.float64
) -> Float[Tensor, "..."]:
    """``k(0, s / size)`` for all steps s between two points of a grid, negative ones at the end as in an FFT.

    The result has twice ``size`` entries along each axis; those of the step ``size``, which does not occur, are 0.
    """
    *others, last = size
    steps = [axis_steps(count, dtype) for count in others]
    mesh = torch.meshgrid(*steps, torch.arange(last, dtype=dtype) / last, indexing="ij")
    shifts = torch.stack([axis.flatten() for axis in mesh][::-1], dim=-1)
    origin = torch.zeros_like(shifts[:1])
    half = torch.cat([kernel(origin, part)[0] for part in shifts.split(chunk)]).reshape(mesh[0].shape)
    for axis, count in enumerate(others):
        half.select(axis, count).zero_()
    # The other half by k(0, -s) = k(0, s): the step -i has the index 2 * size - i.
    axes = tuple(range(len(others)))
    mirrored = half[..., 1:].flip(-1)
    if axes:
        mirrored = mirrored.flip(axes).roll([1] * len(axes), axes)
    return torch.cat([half, torch.zeros_like(half[..., :1]), mirrored], dim=-1)


def wave_steps(waves: Sequence[Complex[Tensor, "_ m"]], weights: Float[Tensor, "m"]) -> Float[Tensor, "..."]:
    """``sum_j w_j cos(2 pi b_j . s)`` for all steps s between two points of a grid, in the order of
    ``stationary_steps``: the inner products of Fourier features. One matrix product takes the place of the cosines.

    Args:
        waves: for each axis of the grid, slowest first, ``exp(2 pi i b_j s)`` along it at the steps of ``axis_steps``.
        weights: squared amplitudes.
    """
    *others, last = waves
    rows = weights.to(last.dtype)[None]
    for axis in others:
        rows = (rows[:, None] * axis).flatten(0, 1)
    products = rows.real @ last.real.T - rows.imag @ last.imag.T
    return products.reshape([len(axis) for axis in waves])


def axis_steps(count: int, dtype: torch.dtype = torch.float64) -> Float[Tensor, "twice"]:
    """The steps between two of ``count`` points in [0, 1], negative ones at the end as in an FFT."""
    return torch.fft.fftfreq(2 * count, 0.5 / count, dtype=dtype) / count


def circulant_eigenvalues(row: Float[Tensor, "*size"]) -> Float[Tensor, "*size"]:
    """Eigenvalues of the circulant matrix with this first row, by frequency: entry k belongs to ``fftfreq``'s k-th.

    The row of a symmetric kernel is even, so they are real. In more dimensions the matrix is block circulant with
    circulant blocks.
    """
    return torch.fft.fftn(row).real
