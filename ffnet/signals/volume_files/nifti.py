"""NIfTI: the array's axes are x, y, z, then channels."""

import gzip
import math
from io import BufferedIOBase
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.signals.extras import library
from ffnet.signals.volume_files.stored import Stored, Unfit, check_array, numbers, with_channels

# Bytes of a header and what may follow it before the values.
LONGEST_HEADER = 2**20
# Bytes of a packed file: Python skips what follows its end one by one.
LARGEST_PACKED = 2**31
# NIfTI's names of units.
UNITS = {"mm": "mm", "micron": "um", "meter": "m"}


def nibabel() -> Any:
    return library("nibabel", "dataset=volume", "volume", ".nii")


def _opened(path: Path) -> BufferedIOBase:
    return gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb")


def read_nifti(path: Path, key: str | None) -> tuple[np.ndarray, Stored]:
    nifti = nibabel()
    if path.suffix.lower() == ".gz" and path.stat().st_size > LARGEST_PACKED:
        raise Unfit(f"expected a packed file of at most {LARGEST_PACKED} bytes, got {path.stat().st_size}")
    with _opened(path) as file:
        block = file.read(540)
        one = block[:2] in (b"\x5c\x01", b"\x00\x00") and block[2:4] in (b"\x00\x00", b"\x01\x5c")  # 348 bytes
        kind, length = (nifti.Nifti1Header, 348) if one else (nifti.Nifti2Header, 540)
        if len(block) < length:
            raise Unfit("expected a NIfTI header, the file is truncated")
        header = kind(block[:length])
        if not bytes(header["magic"]).startswith((b"n+1", b"n+2")):
            raise Unfit("expected a NIfTI file with its values in it")
        shape, dtype = header.get_data_shape(), header.get_data_dtype()
        spatial, rest = shape[:3], shape[3:]
        if len(shape) < 3 or sum(side != 1 for side in rest) > 1:
            raise Unfit(f"expected a volume with 3 axes, or 4 with channels last, got shape {shape}")
        channels = math.prod(rest)
        check_array((*spatial, channels), dtype)
        offset, slope, inter = int(header["vox_offset"]), float(header["scl_slope"]), float(header["scl_inter"])
        if not length <= offset <= LONGEST_HEADER:
            raise Unfit(f"expected values after a header of at most {LONGEST_HEADER} bytes, found them at {offset}")
        file.seek(offset)
        array = numbers(file, dtype, (*spatial, channels)[::-1])
    values = with_channels(array.transpose(1, 2, 3, 0))
    if math.isfinite(slope) and math.isfinite(inter) and slope != 0 and (slope, inter) != (1, 0):
        values = (values * slope + inter).astype(np.float32)
    affine = header.get_best_affine()[:3].tolist()
    space = int(header["sform_code"]) or int(header["qform_code"]) or 2
    unit = UNITS.get(header.get_xyzt_units()[0], "")
    suffix = ".nii.gz" if path.suffix.lower() == ".gz" else ".nii"
    return values, Stored(suffix, values.dtype.name, bool(rest), affine, unit, space)


def write_nifti(path: Path, array: np.ndarray, stored: Stored) -> None:
    nifti = nibabel()
    kind = nifti.Nifti2Image if max(array.shape) > 32767 else nifti.Nifti1Image
    values = array.astype({"bool": np.uint8, "float16": np.float32}.get(array.dtype.name, array.dtype))
    values = values.transpose(2, 1, 0, *range(3, array.ndim))
    image = kind(values, np.vstack([stored.affine, [0, 0, 0, 1]]), dtype=values.dtype)
    image.header.set_sform(image.affine, stored.space or 2)
    image.header.set_xyzt_units({unit: name for name, unit in UNITS.items()}.get(stored.unit, "unknown"))
    with path.open("wb") as raw:
        if stored.suffix == ".nii":
            image.to_stream(raw)
        else:
            with gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed:  # neither name nor time: the same bits again
                image.to_stream(packed)
