"""Fourier samples: what magnetic resonance imaging measures."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from ffnet.operators.grid import GridOperator

# Complex numbers that the direct sums hold at once.
HELD = 2**22


def frequencies(size: Sequence[int]) -> Float[Tensor, "n d"]:
    """The integer frequencies of the discrete Fourier transform of a grid, in cycles per side and x first, in the order
    of ``torch.fft.fftn``. ``size`` has the slowest axis first."""
    axes = [torch.fft.fftfreq(count, 1 / count) for count in size]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, -2).flip(-1).round()


class CartesianFourier(GridOperator):
    """Samples of the unitary discrete Fourier transform of a field on a grid, at integer frequencies:
    ``sum_j f(x_j) exp(-2 pi i k . j / n) / sqrt(N)`` over the grid's N cells j, numbered from 0 along each axis.

    Queries are frequencies (n, d) in cycles per side, x first. Observations are the real part of every value of the
    field, then the imaginary part of every value, (n, 2 c).

    Args:
        size: of the grid, slowest axis first.
        paired: the field has two values v, for the complex value ``(2 v_0 - 1) + i (2 v_1 - 1)``; observations are the
            real and the imaginary part of its transform, (n, 2).

    Raises:
        ValueError: if a size is not an integer of at least 1.
    """

    def __init__(self, size: Sequence[int], paired: bool = False) -> None:
        super().__init__(size)
        self.paired = paired

    def observe(self, values: Float[Tensor, "1 c *size"], queries: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        image: Tensor = torch.complex(*(2 * values[0] - 1).unsqueeze(1)) if self.paired else values[0]
        spectrum = torch.fft.fftn(image, dim=tuple(range(1, image.ndim)), norm="ortho")
        bins = [
            queries[:, -1 - axis].long().remainder(count)  # queries have x, the last axis, first
            for axis, count in enumerate(self.size)
        ]
        seen = spectrum[:, *bins].T
        return torch.cat([seen.real, seen.imag], dim=-1)


class FourierSums(GridOperator):
    """The same at arbitrary frequencies, such as those of radial and spiral trajectories, by direct sums: the cost is
    (number of queries) x (number of cells) products, one axis after the other.

    Args:
        size: of the grid, slowest axis first.

    Raises:
        ValueError: if a size is not an integer of at least 1.
    """

    def observe(self, values: Float[Tensor, "1 c *size"], queries: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        cells = values.numel() // self.size[-1]  # what one query holds
        seen = torch.cat([self._sums(values[0], part) for part in queries.split(max(1, HELD // cells))])
        return torch.cat([seen.real, seen.imag], dim=-1)

    def _sums(self, values: Float[Tensor, "c *size"], queries: Float[Tensor, "n q"]) -> Complex[Tensor, "n c"]:
        waves = [_wave(queries[:, -1 - axis], count) for axis, count in enumerate(self.size)]
        left = values.to(waves[-1].dtype) @ waves[-1].T  # (c, ..., n)
        for wave in reversed(waves[:-1]):
            left = (left * wave.T).sum(-2)
        return left.T / math.sqrt(math.prod(self.size))


def _wave(frequency: Float[Tensor, "n"], count: int) -> Complex[Tensor, "n count"]:
    """``exp(-2 pi i k j / count)`` (n, count), the phase reduced to a turn before it is multiplied."""
    turns = frequency[:, None] * torch.arange(count, device=frequency.device) / count
    phase = -2 * math.pi * (turns - turns.round())
    return torch.complex(phase.cos(), phase.sin())
