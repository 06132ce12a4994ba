"""Real spherical harmonics of directions (Sloan 2008, "Stupid Spherical Harmonics Tricks", appendix A1)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.encoders.base import Encoder, positive_integer


def spherical_harmonics(
    directions: Float[Tensor, "*batch 3"], levels: int, condon_shortley: bool = False
) -> Float[Tensor, "*batch k"]:
    """``Y_lm`` of unit vectors (x, y, z): degree l = 0 ... levels - 1, within it order m = -l ... l.

    Orthonormal on the sphere; degree 1 is ``sqrt(3 / 4 pi) (y, z, x)``. ``condon_shortley`` multiplies by (-1)^m.
    Evaluated as polynomials, without angles or divisions, so values and gradients are finite everywhere; a vector of
    another length gets the same polynomials.
    """
    x, y, z = directions.unbind(-1)
    one = torch.ones_like(z)
    features: dict[tuple[int, int], Tensor] = {}
    real, imaginary = one, torch.zeros_like(z)  # of (x + i y)^m
    for m in range(levels):
        # P_l^m(z) / (1 - z^2)^(m/2), from (2m - 1)!! on; its power of two, 2^85 for m = 18, goes to the norm.
        fraction, exponent = math.frexp(math.prod(range(1, 2 * m, 2)))
        below, legendre = torch.zeros_like(z), fraction * one
        for degree in range(m, levels):
            squared = (2 * degree + 1) / (4 * math.pi) * math.factorial(degree - m) / math.factorial(degree + m)
            norm = math.ldexp(math.sqrt(squared * (2 if m else 1)), exponent) * (-1) ** (m * condon_shortley)
            features[degree, -m] = norm * legendre * imaginary  # overwritten if m = 0
            features[degree, m] = norm * legendre * real
            above = ((2 * degree + 1) * z * legendre - (degree + m) * below) / (degree - m + 1)
            below, legendre = legendre, above
        real, imaginary = x * real - y * imaginary, x * imaginary + y * real
    return torch.stack([features[degree, m] for degree in range(levels) for m in range(-degree, degree + 1)], dim=-1)


LEVELS = 64  # the polynomials of higher degrees leave float32's range


class SphericalHarmonicsEncoder(Encoder):
    """Real spherical harmonics of a direction, up to degree ``levels - 1``; ``out_features`` is ``levels^2``.

    The coordinates are the direction itself, a unit vector in [-1, 1]^3; it is not normalised here.

    Args:
        in_features: 3.
        levels: number of degrees, from 0; at most 64.
        mapped: the coordinates lie in [0, 1]^3 and the direction is ``2 x - 1``.
        condon_shortley: multiply by (-1)^m.

    Raises:
        ValueError: if ``in_features`` is not 3 or ``levels`` is not an integer from 1 to 64.
    """

    def __init__(
        self, in_features: int = 3, levels: int = 4, mapped: bool = False, condon_shortley: bool = False
    ) -> None:
        if in_features != 3:
            raise ValueError(f"in_features: expected 3, got {in_features}")
        if positive_integer("levels", levels) > LEVELS:
            raise ValueError(f"levels: expected at most {LEVELS}, got {levels}")
        super().__init__(3, levels**2)
        self.degrees, self.mapped, self.condon_shortley = levels, mapped, condon_shortley

    def encode(self, coordinates: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch k"]:
        directions = 2 * coordinates - 1 if self.mapped else coordinates
        return spherical_harmonics(directions, self.degrees, self.condon_shortley)

    def levels(self) -> Int[Tensor, "k"]:
        return torch.tensor([degree for degree in range(self.degrees) for _ in range(2 * degree + 1)])
