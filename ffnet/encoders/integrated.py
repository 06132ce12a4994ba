"""Integrated positional encoding of Gaussians (Barron et al. 2021, mip-NeRF, arXiv 2103.13415, eq. 13 and 14)."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder, positive
from ffnet.encoders.fourier import FourierEncoder

Covariance = Literal["diagonal", "full"]


def variance_along(
    B: Float[Tensor, "r d"] | None, covariance: Float[Tensor, "*batch c"], full: bool
) -> Float[Tensor, "*batch r"]:
    """Variance of ``B x`` in each row, or of x along each axis if B is None.

    ``covariance`` is that of x: its diagonal (c = d), or the whole matrix row by row (c = d^2) if ``full``.
    """
    if full:
        d = math.isqrt(covariance.shape[-1])
        covariance = covariance.unflatten(-1, (d, d))
        if B is None:
            return covariance.diagonal(dim1=-2, dim2=-1)
        return (B * (covariance.unsqueeze(-3) * B.unsqueeze(-2)).sum(-1)).sum(-1)
    return covariance if B is None else (covariance.unsqueeze(-2) * B.square()).sum(-1)


class IntegratedEncoder(Encoder):
    """Expectation of ``encoder``'s features when x is Gaussian: ``exp(-w^2 var / 2) sin(w mean)``, w in radians.

    Frequencies that average out over the Gaussian fade to 0 instead of aliasing.

    Args:
        encoder: any Fourier encoder.
        variance: of x along each axis, the same everywhere (a pixel of width h has h^2 / 12); the input is then the
            mean (..., d). If None, each input is the mean followed by its own: (..., d + d) or (..., d + d^2).
        covariance: what follows the mean: the ``diagonal``, or the ``full`` matrix row by row.
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
        mean, covariance = coordinates.split(
            [self.encoder.in_features, self.in_features - self.encoder.in_features], -1
        )
        if self.variance is not None:
            covariance = torch.full_like(mean, self.variance)
        # A variance that rounding left below 0 would amplify instead of damping.
        variance = variance_along(None if self.encoder.axes else self.encoder.B, covariance, self.full).clamp(min=0)
        variance = variance.unflatten(-1, (-1, self.encoder.rows))
        radians = self.encoder.turn * self.encoder.multipliers()
        damping = (-0.5 * self.variance_scale * variance * radians.square()).exp()
        sin, cos = self.encoder.waves(mean)
        return self.encoder.features(mean, damping * sin, damping * cos)

    def levels(self) -> Tensor:
        return self.encoder.levels()
