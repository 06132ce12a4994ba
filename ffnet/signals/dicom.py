"""Slices of DICOM files, such as those of CT scanners."""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from ffnet.budget import Excess, check

# Hounsfield units of air, which attenuates nothing.
AIR = -1000.0


def read_slice(path: Path) -> Float[np.ndarray, "h w 1"]:
    """The slice of a CT scanner in [0, 1]: 0 is air, 1 its largest value.

    Raises:
        ImportError: if pydicom is not installed.
        OSError: if the file cannot be read.
        ValueError: if it is no single slice, or its pixels cannot be decoded.
    """
    try:
        import pydicom
    except ImportError as error:
        raise ImportError(f"{path}: reading DICOM needs pydicom, pip install 'ffnet[medical]'") from error
    try:
        data = pydicom.dcmread(path)
        frames = int(data.get("NumberOfFrames") or 1)
        check("pixels", int(data.Rows) * int(data.Columns) * frames, f"{path}")
        if frames != 1 or int(data.get("SamplesPerPixel") or 1) != 1:
            raise ValueError(f"{path}: expected one slice of one channel, got {frames} frames")
        slope, intercept = float(data.get("RescaleSlope") or 1), float(data.get("RescaleIntercept") or 0)
        values = data.pixel_array.astype(np.float64) * slope + intercept
    except (OSError, Excess):
        raise
    except Exception as error:  # of pydicom and its decoders
        said = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"{path}: expected a DICOM slice that pydicom can decode ({said})") from error
    attenuation = (values - AIR).clip(min=0)
    if attenuation.ndim != 2 or not np.isfinite(attenuation).all() or attenuation.max() == 0:
        raise ValueError(f"{path}: expected a slice with values above {AIR:g} Hounsfield units")
    return (attenuation / attenuation.max()).astype(np.float32)[..., None]
