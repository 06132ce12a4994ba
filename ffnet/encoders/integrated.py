"""Integrated positional encoding of Gaussians (Barron et al. 2021, mip-NeRF, arXiv 2103.13415, eq. 13 and 14)."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder, positive
from ffnet.encoders.waves import PERIODS, FourierEncoder

Covariance = Literal["diagonal", "full"]


def variance_along(
    B: Float[Tensor, "r d"] | None, spread: Float[Tensor, "*batch c"], full: bool
) -> Float[Tensor, "*batch r"]:
    """Variance of ``B x`` in each row, or of x along each axis if B is None.

    ``spread`` is the diagonal of the covariance of x (c = d), or all of it, row by row (c = d^2), if ``full``.
    """
    if full:
        d = math.isqrt(spread.shape[-1])
        spread = spread.unflatten(-1, (d, d))
        if B is None:
            return spread.diagonal(dim1=-2, dim2=-1)
        return (B * (spread.unsqueeze(-3) * B.unsqueeze(-2)).sum(-1)).sum(-1)
    return spread if B is None else (spread.unsqueeze(-2) * B.square()).sum(-1)


class IntegratedEncoder(Encoder):
    """Expectation of ``encoder``'s features when x is Gaussian: ``exp(-w^2 var / 2) sin(w mean)``, w in radians.

    What a point's neighbourhood blurs away fades out instead of aliasing.

    Args:
        encoder: the sines and cosines.
        variance: of x along each axis, the same everywhere (a pixel of width h has h^2 / 12); the input is then the
            mean (..., d). If None the input carries it behind the mean: (..., d + d) or (..., d + d^2).
        covariance: what the input carries: its ``diagonal``, or the ``full`` matrix row by row.
        variance_scale: factor of the variance. 1 is the expectation; nerfstudio leaves out (2 pi)^2.

    Raises:
        ValueError: if a number is not finite and above 0, or ``covariance`` is unknown.
    """

    def __init__(
        self,
        encoder: FourierEncoder,
        variance: float | None = None,
        covariance: Covariance = "diagonal",
        variance_scale: float = 1.0,
    ) -> None:
        if covariance not in ("diagonal", "full"):
            raise ValueError(f"covariance: expected one of diagonal, full, got {covariance!r}")
        d = encoder.in_features
        carried = 0 if variance is not None else d if covariance == "diagonal" else d * d
        super().__init__(d + carried, encoder.out_features)
        self.encoder = encoder
        self.variance = None if variance is None else positive("variance", variance)
        self.full = covariance == "full" and variance is None
        self.variance_scale = positive("variance_scale", variance_scale)

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        mean, spread = coordinates.split([self.encoder.in_features, self.in_features - self.encoder.in_features], -1)
        if self.variance is not None:
            spread = torch.full_like(mean, self.variance)
        # What rounding leaves below 0 would grow where it shall fade.
        variance = variance_along(self.encoder.B, spread, self.full).clamp(min=0).unsqueeze(-2)
        radians = (2 * math.pi / PERIODS[self.encoder.unit]) * self.encoder.frequencies.unsqueeze(-1)
        damping = (-0.5 * self.variance_scale * variance * radians.square()).exp()
        sin, cos = self.encoder.waves(mean)
        return self.encoder.arrange(mean, damping * sin, damping * cos)

    def levels(self) -> Tensor:
        return self.encoder.levels()
