"""Analysis of fits: errors by octave of frequency, and the tangent kernel at initialization."""

from ffnet.analysis.bandwidth import bandwidth
from ffnet.analysis.ensembles import ensemble
from ffnet.analysis.image_regression import regression
from ffnet.analysis.limit import infinite
from ffnet.analysis.ntk import curves, line_spectrum
from ffnet.analysis.observed import Observed, as_real
from ffnet.analysis.octaves import (
    OctaveErrors,
    Octaves,
    decayed_to,
    grid_octaves,
    octave_power,
    relative_error,
    spectral_error,
    split_octaves,
)

__all__ = [
    "Observed",
    "OctaveErrors",
    "Octaves",
    "as_real",
    "bandwidth",
    "curves",
    "decayed_to",
    "ensemble",
    "grid_octaves",
    "infinite",
    "line_spectrum",
    "octave_power",
    "regression",
    "relative_error",
    "spectral_error",
    "split_octaves",
]
