"""Encoders: coordinates (..., d) to features (..., k). They need torch and jaxtyping, and nothing else of ffnet.

The convention, throughout: coordinates lie in [0, 1]^d, frequencies are in cycles per unit, the phase is
``2 pi B x``, and features are blocked, ``[sin, cos]``. ``ffnet.encoders.conventions`` has other projects' by name.
"""

from ffnet.encoders import conventions
from ffnet.encoders.annealed import AnnealedEncoder
from ffnet.encoders.base import Encoder
from ffnet.encoders.blob import OneBlobEncoder, one_blob
from ffnet.encoders.composite import CompositeEncoder
from ffnet.encoders.factored import FactoredGridEncoder
from ffnet.encoders.fourier import FourierEncoder, project, sincos
from ffnet.encoders.gaussian import GaussianEncoder, gaussian_frequencies
from ffnet.encoders.grid import GridEncoder
from ffnet.encoders.harmonics import SphericalHarmonicsEncoder, spherical_harmonics
from ffnet.encoders.identity import IdentityEncoder
from ffnet.encoders.integrated import IntegratedEncoder
from ffnet.encoders.positional import PositionalEncoder, log_frequencies
from ffnet.encoders.triangle import TriangleWaveEncoder, triangle
from ffnet.encoders.wavelet import WaveletEncoder

__all__ = [
    "AnnealedEncoder",
    "CompositeEncoder",
    "Encoder",
    "FactoredGridEncoder",
    "FourierEncoder",
    "GaussianEncoder",
    "GridEncoder",
    "IdentityEncoder",
    "IntegratedEncoder",
    "OneBlobEncoder",
    "PositionalEncoder",
    "SphericalHarmonicsEncoder",
    "TriangleWaveEncoder",
    "WaveletEncoder",
    "conventions",
    "gaussian_frequencies",
    "log_frequencies",
    "one_blob",
    "project",
    "sincos",
    "spherical_harmonics",
    "triangle",
]
