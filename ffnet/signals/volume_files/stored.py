"""How a volume is stored in a file, and what all files have in common."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from io import BufferedIOBase

import numpy as np

from ffnet.budget import check

SUFFIXES = (".nii", ".nii.gz", ".tif", ".npy", ".npz", ".h5", ".zarr")
TYPES = (
    *("bool", "uint8", "uint16", "uint32", "uint64", "int8", "int16", "int32", "int64"),
    *("float16", "float32", "float64"),
)
IDENTITY = ((1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0), (0.0, 0.0, 1.0, 0.0))
# Of a voxel, in any unit.
LARGEST_SIDE = 1e30
# The name of an array in a file, or of a unit.
_KEY, _UNIT = r"\w+(/\w+)*", r"\w{0,8}"
# Bytes read at once: what is truncated takes no more memory than it has bytes.
PART = 2**24

Affine = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Stored:
    """How a volume is stored in a file.

    Attributes:
        suffix: of the file, one of ``SUFFIXES``.
        dtype: NumPy's name of the type of the values.
        channel_axis: whether the array has an axis of channels, even if there is one channel.
        affine: three rows that map (x, y, z, 1), in voxels from the centre of the first one, to ``unit``.
        unit: of the position, such as mm; empty if the file does not say.
        space: NIfTI's code of the space that the affine leads to.
        key: the name of the array in the file, if it has one.
    """

    suffix: str
    dtype: str
    channel_axis: bool
    affine: Affine = IDENTITY
    unit: str = ""
    space: int = 2
    key: str = "volume"

    def __post_init__(self) -> None:
        rows = np.array(self.affine, np.float64)
        if rows.shape != (3, 4) or not np.isfinite(rows).all():
            raise Unfit(f"affine: expected three rows of four numbers, got {self.affine}")
        sides = spacing(self.affine)
        if not all(1 / LARGEST_SIDE < side < LARGEST_SIDE for side in sides):
            raise Unfit(f"spacing: expected sides of voxels from {1 / LARGEST_SIDE:g} to {LARGEST_SIDE:g}, got {sides}")
        if np.linalg.matrix_rank(rows[:, :3]) < 3:
            raise Unfit(f"affine: expected three axes that span space, got {self.affine}")
        if self.suffix not in SUFFIXES or self.dtype not in TYPES or self.space not in range(6):
            raise ValueError(f"a volume in a {self.suffix} file of {self.dtype}, space {self.space}")
        if not re.fullmatch(_KEY, self.key) or not re.fullmatch(_UNIT, self.unit):
            raise ValueError(f"key {self.key!r}, unit {self.unit!r}")


class Unfit(ValueError):
    """An array that is no volume."""


def check_array(shape: Sequence[int], dtype: np.dtype, name: str = "the array") -> None:
    """Raises ValueError unless an array of real numbers has 3 axes, or 4 with channels last, and a value at all."""
    if len(shape) not in (3, 4):
        raise Unfit(f"expected {name} with 3 axes, or 4 with channels last, got shape {tuple(shape)}")
    if dtype.kind not in "biuf" or dtype.itemsize > 8:
        raise Unfit(f"expected {name} of real numbers of at most 64 bits, got {dtype}")
    if any(side < 1 for side in shape):
        raise Unfit(f"expected {name} with at least one voxel, got shape {tuple(shape)}")
    check("pixels", math.prod(shape), f"{name}, of values")


def with_channels(array: np.ndarray) -> np.ndarray:
    """(depth, height, width, channels) in native byte order, of an array with or without channels."""
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    return array if array.ndim == 4 else array[..., None]


def numbers(file: BufferedIOBase, dtype: np.dtype, shape: tuple[int, ...]) -> np.ndarray:
    """The array that the next bytes of a file are, the last axis fastest."""
    count = math.prod(shape) * dtype.itemsize
    data = bytearray()
    while len(data) < count and (part := file.read(min(count - len(data), PART))):  # a truncated file asks for little
        data += part
    if len(data) < count:
        raise Unfit(f"is truncated, expected {count} bytes of values, got {len(data)}")
    return np.frombuffer(data, dtype).reshape(shape)


def diagonal(sides: Sequence[float]) -> Affine:
    """The affine of voxels with sides (x, y, z), whose first one is at the origin."""
    return [[side if row == column else 0.0 for column in range(4)] for row, side in enumerate(sides)]


def spacing(affine: Affine) -> tuple[float, float, float]:
    """Sides of a voxel along x, y, z: the lengths of the affine's columns."""
    x, y, z = np.linalg.norm(np.array(affine, np.float64)[:, :3], axis=0).tolist()
    return x, y, z


def safe_key(name: str) -> str:
    """``name``, unless it is more than letters, digits and slashes."""
    return name if re.fullmatch(_KEY, name) else "volume"


def safe_unit(name: str) -> str:
    """``name``, unless it is more than a few letters."""
    return name if re.fullmatch(_UNIT, name) else ""


def chosen(shapes: dict[str, tuple[int, ...]], key: str | None) -> str:
    """The name of the array with 3 or 4 axes, or ``key`` if the file has it."""
    fit = [name for name, shape in shapes.items() if len(shape) in (3, 4)] if key is None else [key]
    if len(fit) != 1 or fit[0] not in shapes:
        found = ", ".join(f"{name} {shape}" for name, shape in list(shapes.items())[:8]) or "none"
        wanted = "one array with 3 or 4 axes" if key is None else f"an array {key!r}"
        raise Unfit(f"expected {wanted}, found {found}; say dataset.key=NAME")
    return fit[0]
