"""Reads and writes arrays of volumes: NIfTI, TIFF stacks, ``.npy``, ``.npz``, HDF5, zarr.

Nothing in a file is unpickled, and no file names another one that is opened.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.atomic import check_replaceable, replacing
from ffnet.budget import Excess
from ffnet.signals.image_files import silent_stderr
from ffnet.signals.volume_files.arrays import read_npy, read_npz, write_npy, write_npz
from ffnet.signals.volume_files.hdf5 import h5py, read_hdf5, write_hdf5
from ffnet.signals.volume_files.nifti import nibabel, read_nifti, write_nifti
from ffnet.signals.volume_files.stored import (
    IDENTITY,
    SUFFIXES,
    Affine,
    Stored,
    Unfit,
    check_array,
    diagonal,
    spacing,
    with_channels,
)
from ffnet.signals.volume_files.tiff import read_tiff, tifffile, write_tiff
from ffnet.signals.volume_files.zarr_files import read_zarr, write_zarr, zarr

__all__ = [
    "IDENTITY",
    "Affine",
    "Stored",
    "check_array",
    "check_writable",
    "diagonal",
    "read",
    "spacing",
    "with_channels",
    "write",
]

READERS: dict[str, Callable[[Path, str | None], tuple[np.ndarray, Stored]]] = {
    ".nii": read_nifti,
    ".nii.gz": read_nifti,
    ".tif": read_tiff,
    ".npy": read_npy,
    ".npz": read_npz,
    ".h5": read_hdf5,
    ".zarr": read_zarr,
}
WRITERS: dict[str, Callable[[Path, np.ndarray, Stored], None]] = {
    ".nii": write_nifti,
    ".nii.gz": write_nifti,
    ".tif": write_tiff,
    ".npy": write_npy,
    ".npz": write_npz,
    ".h5": write_hdf5,
    ".zarr": write_zarr,
}
# Those of them that need a library.
LIBRARIES: dict[str, Callable[[], Any]] = {
    **{".nii": nibabel, ".nii.gz": nibabel, ".tif": tifffile, ".h5": h5py, ".zarr": zarr}
}
# Those that are directories.
DIRECTORIES = (".zarr",)


def suffix_of(path: Path) -> str:
    """The suffix of a file of a volume, such as ``.nii.gz``, as in ``SUFFIXES``.

    Raises:
        ValueError: if there is none.
    """
    name = path.name.lower()
    name = name.removesuffix("f") if name.endswith(".tiff") else name.replace(".hdf5", ".h5")
    for suffix in SUFFIXES:
        if name.endswith(suffix):
            return suffix
    raise ValueError(f"{path}: expected a volume, a file that ends in {', '.join(SUFFIXES)}")


def load(suffix: str) -> None:
    """Raises ValueError if a library that files with the suffix need is not installed."""
    if suffix in LIBRARIES:
        LIBRARIES[suffix]()


def read(path: Path, key: str | None = None) -> tuple[np.ndarray, Stored]:
    """The values (depth, height, width, channels) of a volume, and how they are stored.

    Args:
        path: the file, or zarr's directory.
        key: the name of the array in an ``.npz``, HDF5 or zarr file; None is the only one with 3 or 4 axes.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no volume, is truncated, or holds other values than finite numbers.
    """
    directory = path.is_dir() and path.name.lower().endswith(DIRECTORIES)
    if not (path.is_file() or directory):
        raise FileNotFoundError(f"{path}: expected a volume, found {'no file' if path.exists() else 'nothing'}")
    if not (directory or path.stat().st_size):
        raise ValueError(f"{path}: expected a volume, is empty")
    suffix = suffix_of(path)
    load(suffix)
    try:
        with silent_stderr():  # of HDF5 and libtiff
            values, stored = READERS[suffix](path, key)
    except (Excess, OSError, Unfit) as error:
        raise type(error)(str(error) if str(path) in str(error) else f"{path}: {error}") from error
    except MemoryError as error:
        raise ValueError(f"{path}: does not fit in memory") from error
    except Exception as error:  # of readers of many formats
        line = (str(error).strip().splitlines() or [type(error).__name__])[0]
        if line.startswith(f"{path}: "):
            raise ValueError(line) from error
        raise ValueError(f"{path}: expected a volume as {suffix} ({line})") from error
    if values.dtype.kind == "f" and not np.isfinite(values).all():
        raise ValueError(f"{path}: expected finite values, found NaN or infinity")
    return values, stored


def check_writable(path: Path) -> str:
    """The suffix of the file that is to be written.

    Raises:
        OSError, ValueError: if it cannot be written.
    """
    suffix = suffix_of(path)
    load(suffix)
    directory = suffix in DIRECTORIES
    if directory and path.is_dir() and any(path.iterdir()) and not (path / "zarr.json").is_file():
        raise OSError(f"output: {path} is a directory of other files, expected one of zarr to be replaced")
    check_replaceable(path, directory)
    return suffix


def write(path: Path, values: np.ndarray, stored: Stored) -> None:
    """Writes values (depth, height, width, channels) of the type that ``stored`` says, atomically."""
    array = values if stored.channel_axis or values.shape[-1] > 1 else values[..., 0]
    with replacing(path, stored.suffix in DIRECTORIES) as temporary:
        WRITERS[stored.suffix](temporary, array, stored)
