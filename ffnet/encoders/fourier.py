"""Fourier features (Tancik et al. 2020, arXiv 2006.10739, eq. 5)."""

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder


def sincos(cycles: Float[Tensor, "*batch m"]) -> Float[Tensor, "*batch 2*m"]:
    """``[sin(2 pi c), cos(2 pi c)]`` of phases in cycles; sines first, then cosines.

    Whole cycles are taken off before the multiplication by 2 pi. The subtraction is exact in floating point,
    so the error of the features does not grow with the frequency: at 2^20 cycles per unit float32 stays within
    1e-6 of float64, where ``sin(2 * pi * c)`` is off by 1e-1.
    """
    angle = (2 * math.pi) * (cycles - cycles.round())
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


def project(coordinates: Float[Tensor, "*batch d"], frequencies: Float[Tensor, "m d"]) -> Float[Tensor, "*batch m"]:
    """Phases ``B x`` in cycles, for frequencies B in cycles per unit.

    Written as a sum of products, not as a matrix product, which autocast and
    ``torch.set_float32_matmul_precision`` would carry out in bfloat16 or TF32; and each product rounded on its own,
    not fused with the sum, so that a program exported to ONNX has the same phases.
    """
    frequencies = frequencies.to(torch.promote_types(coordinates.dtype, frequencies.dtype))
    cycles = coordinates[..., :1] * frequencies[:, 0]
    for axis in range(1, frequencies.shape[1]):
        cycles = cycles + coordinates[..., axis : axis + 1] * frequencies[:, axis]
    return cycles


class Sinusoids(Encoder):
    """``scale [sin(2 pi c), cos(2 pi c)]`` of phases c that are linear in the coordinates."""

    scale = 1.0
    extra_features = 0  # a subclass's own, beside the sines and cosines

    @abstractmethod
    def cycles(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch m"]:
        """Phases in cycles."""

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        features = sincos(self.cycles(coordinates)).to(coordinates.dtype)
        return features if self.scale == 1 else self.scale * features
