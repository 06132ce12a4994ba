"""Encoders: coordinates (..., d) to features (..., k). They need torch and jaxtyping, and nothing else of ffnet.

The convention, throughout: coordinates lie in [0, 1]^d, frequencies are in cycles per unit, the phase is
``2 pi B x``, and features are blocked, ``[sin, cos]``.
"""

from ffnet.encoders.base import Encoder
from ffnet.encoders.fourier import project, sincos
from ffnet.encoders.gaussian import GaussianEncoder
from ffnet.encoders.grid import GridEncoder
from ffnet.encoders.identity import IdentityEncoder
from ffnet.encoders.positional import PositionalEncoder, log_frequencies

__all__ = [
    "Encoder",
    "GaussianEncoder",
    "GridEncoder",
    "IdentityEncoder",
    "PositionalEncoder",
    "log_frequencies",
    "project",
    "sincos",
]
