"""Other projects' encoders that are not sines and cosines."""

import torch

from ffnet.encoders.blob import OneBlobEncoder
from ffnet.encoders.harmonics import SphericalHarmonicsEncoder
from ffnet.encoders.triangle import TriangleWaveEncoder


def nerfstudio_harmonics(levels: int = 4) -> SphericalHarmonicsEncoder:
    """nerfstudio, ``SHEncoding`` (torch): of the direction as it is; degree 1 is ``(y, z, x)``."""
    return SphericalHarmonicsEncoder(3, levels)


def tiny_cuda_nn_harmonics(degree: int = 4) -> SphericalHarmonicsEncoder:
    """tiny-cuda-nn, ``SphericalHarmonics``: of ``2 x - 1``; degree 1 is ``(-y, z, -x)``. ``degree`` counts from 1."""
    return SphericalHarmonicsEncoder(3, degree, mapped=True, condon_shortley=True)


def tiny_cuda_nn_triangle(
    in_features: int = 3, n_frequencies: int = 12, dtype: torch.dtype | None = None
) -> TriangleWaveEncoder:
    """tiny-cuda-nn, ``TriangleWave``, without padding."""
    return TriangleWaveEncoder(in_features, n_frequencies, dtype=dtype)


def tiny_cuda_nn_one_blob(in_features: int = 3, n_bins: int = 16) -> OneBlobEncoder:
    """tiny-cuda-nn, ``OneBlob``, without padding."""
    return OneBlobEncoder(in_features, n_bins)
