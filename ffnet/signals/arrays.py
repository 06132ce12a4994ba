"""Arrays of measurements in ``.npz`` files."""

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ffnet.budget import Excess, check
from ffnet.signals.posed_views import shapes


def read_arrays(path: Path, types: Mapping[str, type], wanted: str) -> dict[str, np.ndarray]:
    """Arrays of an ``.npz`` file by name, as the given types; names that end with ``?`` may be missing.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it does not hold the arrays; the message says what was ``wanted``.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected {wanted}")
    try:
        for name, shape in shapes(path).items():
            check("points", math.prod(shape), f"{path}: {name}")
        with np.load(path) as held:
            asked = {name.rstrip("?"): kind for name, kind in types.items() if name[-1] != "?" or name[:-1] in held}
            return {name: np.asarray(held[name]).astype(kind) for name, kind in asked.items()}
    except KeyError as error:
        raise ValueError(f"{path}: expected {wanted}, has no {error.args[0].split()[0]}") from error
    except (Excess, OSError):
        raise
    except Exception as error:  # of zipfile, zlib, and numpy's readers of headers and numbers
        raise ValueError(f"{path}: expected {wanted} ({error})") from error
