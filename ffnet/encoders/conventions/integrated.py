"""Encodings of Gaussians as other projects have them. The input is the mean followed by the covariance."""

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.conventions.axes import nerfstudio_nerf, octaves, pytorch3d
from ffnet.encoders.conventions.matrices import nerfstudio_fourier
from ffnet.encoders.fourier import FourierEncoder
from ffnet.encoders.integrated import IntegratedEncoder

# nerfstudio multiplies the phase by 2 pi, but not the variance.
WITHOUT_TURN = 1 / (2 * math.pi) ** 2


def multinerf_integrated(
    in_features: int = 3, min_deg: int = 0, max_deg: int = 10, dtype: torch.dtype | None = None
) -> IntegratedEncoder:
    """multinerf, ``integrated_pos_enc``: input ``[mean, var]``; all sines, all cosines, frequency outermost."""
    return IntegratedEncoder(
        FourierEncoder(in_features, octaves(max_deg - min_deg, min_deg), unit="radians", dtype=dtype)
    )


def bacon_integrated(
    in_features: int = 3, radius: float = 0.1, L: int = 10, dtype: torch.dtype | None = None
) -> IntegratedEncoder:
    """BACON, ``IntegratedPositionalEncoding``: the same with the variance ``radius^2 / 4`` everywhere."""
    return IntegratedEncoder(FourierEncoder(in_features, octaves(L), unit="radians", dtype=dtype), radius**2 / 4)


def pytorch3d_integrated(in_features: int = 3, **arguments: Any) -> IntegratedEncoder:
    """pytorch3d, ``HarmonicEmbedding`` with ``diag_cov``: input ``[x, diag_cov]``; ``arguments`` are pytorch3d's."""
    return IntegratedEncoder(pytorch3d(in_features, **arguments))


def nerfstudio_nerf_integrated(in_features: int = 3, **arguments: Any) -> IntegratedEncoder:
    """nerfstudio, ``NeRFEncoding`` with ``covs``: input ``[x, covs]``, the matrix row by row; its diagonal counts.

    ``arguments`` are nerfstudio_nerf's. Its variance lacks (2 pi)^2, so this is not the expectation of its features.
    """
    return IntegratedEncoder(nerfstudio_nerf(in_features, **arguments), covariance="full", variance_scale=WITHOUT_TURN)


def nerfstudio_fourier_integrated(b_matrix: Float[Tensor, "d m"], **arguments: Any) -> IntegratedEncoder:
    """nerfstudio, ``FFEncoding`` with ``covs``: input ``[x, covs]``, the matrix row by row; lacks (2 pi)^2 too."""
    return IntegratedEncoder(nerfstudio_fourier(b_matrix, **arguments), covariance="full", variance_scale=WITHOUT_TURN)
