"""HDF5: axes are z, y, x, then channels."""

from pathlib import Path
from typing import Any

import numpy as np

from ffnet.signals.extras import library
from ffnet.signals.volume_files.stored import Stored, Unfit, check_array, chosen, safe_key, with_channels


def h5py() -> Any:
    return library("h5py", "dataset=volume", "volume", ".h5")


def read_hdf5(path: Path, key: str | None) -> tuple[np.ndarray, Stored]:
    hdf5 = h5py()
    with hdf5.File(path, "r") as file:
        arrays: dict[str, Any] = {}

        def note(name: str, item: Any) -> None:  # hard links only: the others may lead to other files
            if isinstance(item, hdf5.Dataset) and item.shape is not None:
                arrays[name] = item

        file.visititems(note)
        name = chosen({name: tuple(item.shape) for name, item in arrays.items()}, key)
        held = arrays[name]
        if held.is_virtual or held.external:
            raise Unfit(f"expected the values of {name} in the file, they are in others")
        check_array(held.shape, held.dtype, name)
        array = held[()]
    return with_channels(array), Stored(".h5", array.dtype.name, array.ndim == 4, key=safe_key(name))


def write_hdf5(path: Path, array: np.ndarray, stored: Stored) -> None:
    with h5py().File(path, "w") as file:
        file.create_dataset(stored.key, data=array, compression="gzip", track_times=False)
