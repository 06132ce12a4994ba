"""Arrays of measurements by name, in ``.npz`` files or in memory."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.budget import Excess, check
from ffnet.signals.posed_views import shapes

# An ``.npz`` file, or a mapping of what it would hold.
Arrays = Path | Mapping[str, Any]


def name_of(arrays: Arrays) -> str:
    """For messages."""
    return str(arrays) if isinstance(arrays, Path) else "signal"


def measured(signal: Any) -> Arrays | None:
    """``signal`` if it is the path of an ``.npz`` file or a mapping of arrays."""
    npz = isinstance(signal, Path) and signal.suffix.lower() == ".npz"
    return signal if npz or isinstance(signal, Mapping) else None


def read_arrays(arrays: Arrays, types: Mapping[str, type], wanted: str) -> dict[str, np.ndarray]:
    """Arrays by name, as the given types; names that end with ``?`` may be missing.

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


def _asked(held: Mapping[str, Any], types: Mapping[str, type]) -> dict[str, np.ndarray]:
    asked = {name.rstrip("?"): kind for name, kind in types.items() if name[-1] != "?" or name[:-1] in held}
    return {name: np.asarray(held[name]).astype(kind) for name, kind in asked.items()}
