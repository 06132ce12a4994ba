"""Arrays of measurements by name, in ``.npz`` files or in memory."""

import math
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.budget import Excess, check

# An ``.npz`` file, or a mapping of what it would hold.
Arrays = Path | Mapping[str, Any]


def name_of(arrays: Arrays) -> str:
    """For messages."""
    return str(arrays) if isinstance(arrays, Path) else "signal"


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in an ``.npz`` file, from their headers alone; those of a bomb are not unpacked.

    Raises:
        Exception: if it is none.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                found[name.removesuffix(".npy")] = readers[np.lib.format.read_magic(member)](member)[0]
    return found


def measured(signal: Any) -> Arrays | None:
    """``signal`` if it is the path of an ``.npz`` file or a mapping of arrays."""
    npz = isinstance(signal, Path) and signal.suffix.lower() == ".npz"
    return signal if npz or isinstance(signal, Mapping) else None


def read_arrays(arrays: Arrays, types: Mapping[str, type | None], wanted: str) -> dict[str, np.ndarray]:
    """Arrays by name, as the given types (None: their own); names that end with ``?`` may be missing.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if the arrays are not there; the message says what was ``wanted``.
    """
    name = name_of(arrays)
    wanted = f"an .npz file with {wanted}" if isinstance(arrays, Path) else wanted
    try:
        if not isinstance(arrays, Path):
            return _asked(arrays, types)
        if not arrays.exists():
            raise FileNotFoundError(f"{name}: no such file; expected {wanted}")
        for array, shape in shapes(arrays).items():
            check("points", math.prod(shape), f"{name}: {array}")
        with np.load(arrays) as held:
            return _asked(held, types)
    except KeyError as error:
        raise ValueError(f"{name}: expected {wanted}, has no {error.args[0].split()[0]}") from error
    except (Excess, OSError):
        raise
    except Exception as error:  # of zipfile, zlib, and numpy's readers of headers and numbers
        raise ValueError(f"{name}: expected {wanted} ({error})") from error


def _asked(held: Mapping[str, Any], types: Mapping[str, type | None]) -> dict[str, np.ndarray]:
    asked = {name.rstrip("?"): kind for name, kind in types.items() if name[-1] != "?" or name[:-1] in held}
    return {name: _converted(name, np.asarray(held[name]), kind) for name, kind in asked.items()}


def _converted(name: str, array: np.ndarray, kind: type | None) -> np.ndarray:
    if array.dtype.kind == "c" and kind is not None and not issubclass(kind, np.complexfloating):
        raise ValueError(f"{name}: expected real numbers, got complex ones")
    return array if kind is None else array.astype(kind)
