"""NumPy's files: axes are z, y, x, then channels."""

import zipfile
from io import BufferedIOBase
from pathlib import Path
from typing import cast

import numpy as np

from ffnet.signals.volume_files.stored import Stored, check_array, chosen, numbers, safe_key, with_channels


def _npy_header(file: BufferedIOBase) -> tuple[tuple[int, ...], bool, np.dtype]:
    version = np.lib.format.read_magic(file)
    reader = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
    shape, fortran, dtype = reader(file)
    return tuple(shape), fortran, dtype


def _npy(file: BufferedIOBase) -> np.ndarray:
    shape, fortran, dtype = _npy_header(file)
    check_array(shape, dtype)
    return numbers(file, dtype, shape[::-1]).T if fortran else numbers(file, dtype, shape)


def read_npy(path: Path, key: str | None) -> tuple[np.ndarray, Stored]:
    with path.open("rb") as file:
        array = _npy(file)
    return with_channels(array), Stored(".npy", array.dtype.name, array.ndim == 4)


def read_npz(path: Path, key: str | None) -> tuple[np.ndarray, Stored]:
    with zipfile.ZipFile(path) as archive:
        shapes = {}
        for member in archive.namelist():
            with cast(BufferedIOBase, archive.open(member)) as file:
                shapes[member.removesuffix(".npy")] = _npy_header(file)[0]
        name = chosen(shapes, key)
        stored = f"{name}.npy" if f"{name}.npy" in archive.namelist() else name
        with cast(BufferedIOBase, archive.open(stored)) as file:
            array = _npy(file)
    return with_channels(array), Stored(".npz", array.dtype.name, array.ndim == 4, key=safe_key(name))


def write_npy(path: Path, array: np.ndarray, stored: Stored) -> None:
    with path.open("wb") as file:
        np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def write_npz(path: Path, array: np.ndarray, stored: Stored) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        about = zipfile.ZipInfo(f"{stored.key}.npy")  # which has no time: the same bits again
        about.compress_type = zipfile.ZIP_DEFLATED
        with archive.open(about, "w", force_zip64=True) as file:
            np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)
