"""zarr: axes are z, y, x, then channels."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.budget import check
from ffnet.signals.extras import library
from ffnet.signals.volume_files.stored import Stored, Unfit, check_array, chosen, with_channels
from ffnet.signals.zarr_arrays import METADATA, check_stored, check_tree


def zarr() -> Any:
    return library("zarr", "dataset=volume", "volume", ".zarr")


def read_zarr(path: Path, key: str | None) -> tuple[np.ndarray, Stored]:
    if not any((path / name).is_file() for name in METADATA[:3]):
        raise Unfit(f"expected a directory of zarr, with {', '.join(METADATA[:2])} or {METADATA[2]}")
    check_tree(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what else is in the directory
        opened = zarr().open(str(path), mode="r")
        if isinstance(opened, zarr().Group):
            members = dict(sorted(opened.members(max_depth=None)))
            arrays = {name: item for name, item in members.items() if isinstance(item, zarr().Array)}
        else:
            arrays = {"the array": opened}
            check_array(opened.shape, opened.dtype)
        name = chosen({name: tuple(item.shape) for name, item in arrays.items()}, key)
        held = arrays[name]
        check_array(held.shape, held.dtype, name)
        check("pixels", math.prod(held.chunks), "a chunk, of values")
        check_stored(path, held)
        array = np.asarray(held[...])
    return with_channels(array), Stored(".zarr", array.dtype.name, array.ndim == 4)


def write_zarr(path: Path, array: np.ndarray, stored: Stored) -> None:
    """Writes the array itself, whatever group it was in."""
    zarr().create_array(str(path), data=np.ascontiguousarray(array))
