"""Triangle waves in place of sines (Müller et al. 2021, "Real-time Neural Radiance Caching", arXiv 2106.12372)."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.encoders.base import Encoder, positive, positive_integer


def triangle(cycles: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The wave of period 1 that falls linearly from 1 at 0 to -1 at 1/2 and rises again."""
    return 4 * (cycles - cycles.floor() - 0.5).abs() - 1


class TriangleWaveEncoder(Encoder):
    """``triangle(f_k x_i + k / 4)`` at octaves ``f_k = min_frequency 2^k``; all of x_0 first, then x_1, ...

    Each octave has one wave; the shift by k / 4 replaces the second one, a quarter period apart, of sines and cosines.

    Args:
        in_features: number of coordinates d.
        num_frequencies: octaves along each axis; ``out_features`` is ``in_features * num_frequencies``.
        min_frequency: the lowest frequency, in cycles per unit.
        dtype: type of the buffer ``frequencies``; torch's default type if None.

    Raises:
        ValueError: if a count is not an integer of at least 1, or the frequency is not finite and above 0.
    """

    frequencies: Tensor

    def __init__(
        self,
        in_features: int,
        num_frequencies: int = 12,
        min_frequency: float = 0.5,
        dtype: torch.dtype | None = None,
    ) -> None:
        positive_integer("in_features", in_features)
        positive_integer("num_frequencies", num_frequencies)
        positive("min_frequency", min_frequency)
        super().__init__(in_features, in_features * num_frequencies)
        octaves = torch.exp2(torch.arange(num_frequencies, dtype=torch.float64))
        self.register_buffer("frequencies", (min_frequency * octaves).to(dtype or torch.get_default_dtype()))

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        cycles = coordinates.unsqueeze(-1) * self.frequencies
        shift = torch.arange(len(self.frequencies), dtype=cycles.dtype, device=cycles.device) % 4 / 4
        # Integer cycles are subtracted before the shift, which would round the low digits of a large phase.
        return triangle(cycles - cycles.floor() + shift).flatten(-2).to(coordinates.dtype)

    def levels(self) -> Int[Tensor, "k"]:
        return torch.arange(1, len(self.frequencies) + 1).repeat(self.in_features)
