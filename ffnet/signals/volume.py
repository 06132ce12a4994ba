"""A volume: values on a regular grid of voxels, with their place in space."""

import logging
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Shaped
from PIL import Image
from torch import Tensor

from ffnet.budget import check
from ffnet.geometry import Mesh, edges, extract
from ffnet.rendering import planes, voxel_coordinates
from ffnet.signals import volume_files
from ffnet.signals.base import Field, Progress, Rendered, Rendering, Surface
from ffnet.signals.image_files import save_image
from ffnet.signals.memory import array_of
from ffnet.signals.slices import slices
from ffnet.signals.volume_files import IDENTITY, Affine, Stored, check_array, diagonal, spacing, with_channels

log = logging.getLogger(__name__)

# What is held as it is; other types become float32.
HELD = ("uint8", "int8", "uint16", "int16", "int32", "float32")
# Width of the picture of a run in pixels.
VIEW_SIDE = 1024
# Suffixes of reconstructions that are not those of files: a report takes a .tif for an image of one page.
WRITTEN = {".tif": ".tiff"}


@dataclass(frozen=True)
class VolumeRecord(Rendered):
    """What a checkpoint keeps of a volume.

    Attributes:
        size: (depth, height, width) in voxels.
        channels: values per voxel.
        low, high: the smallest and the largest value, which the field's 0 and 1 stand for.
        suffix, dtype, channel_axis, affine, unit, space, key: how it is stored; see ``Stored``.
    """

    noun: ClassVar[str] = "a volume of several channels"

    size: Sequence[int]
    channels: int
    low: float
    high: float
    suffix: str = ".npy"
    dtype: str = "float32"
    channel_axis: bool = False
    affine: Affine = IDENTITY
    unit: str = ""
    space: int = 2
    key: str = "volume"

    def __post_init__(self) -> None:
        counts = (*self.size, self.channels)
        if len(counts) != 4 or not all(type(count) is int and count >= 1 for count in counts):
            raise ValueError(f"size {self.size}, {self.channels} channels")
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"values from {self.low} to {self.high}")
        self.stored  # noqa: B018 (which checks the rest)

    @property
    def stored(self) -> Stored:
        return Stored(self.suffix, self.dtype, self.channel_axis, self.affine, self.unit, self.space, self.key)

    @property
    def features(self) -> tuple[int, int]:
        return 3, self.channels

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Sides of a voxel along x, y, z, in ``unit``."""
        return spacing(self.affine)

    def values(self) -> str:
        span = f"{self.low:g} + {self.high - self.low:g} value"
        return f"channels in [0, 1]: a voxel's value is {span}; coordinates are (x, y, z) / size"

    def array(
        self, field: Field, device: torch.device | str = "cpu", progress: Progress = lambda items: items
    ) -> Shaped[np.ndarray, "d h w c"]:
        """The values (depth, height, width, channels) at the voxels, in the type of the file."""
        check("pixels", math.prod(self.size) * self.channels, "the volume")
        found = np.empty((*self.size, self.channels), self.dtype)
        for plane, values in zip(found, planes(field, self.size, device=device, progress=progress), strict=True):
            plane[:] = self.typed(values)
        return found

    def typed(self, values: Float[np.ndarray, "*n"]) -> np.ndarray:
        """Values of the field as those of the file: integers are rounded to the nearest within the range."""
        inner = self.low + (self.high - self.low) * values.astype(np.float64)
        kind = np.dtype(self.dtype)
        if kind.kind == "f":
            return inner.astype(kind)
        return np.rint(inner.clip(self.low, self.high)).astype(kind)

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> np.ndarray:
        """The values at the voxels as an array in memory: z, y, x, and channels if the file has an axis of them."""
        values = self.array(field, device)
        return values if self.channel_axis else values[..., 0]

    def pictured(self, field: Field, max_side: int, device: torch.device | str = "cpu") -> Float[Tensor, "h w 3"]:
        """Three orthogonal slices of the field."""
        with torch.inference_mode():
            return self.picture(lambda index: field(voxel_coordinates(index, self.size)), max_side, device)

    def picture(
        self, values: Callable[[Tensor], Tensor], max_side: int, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "h w 3"]:
        """Three orthogonal slices of ``values`` in [0, 1] by number of the voxel; in NIfTI, y and z point up."""
        upward = self.suffix.startswith(".nii")
        return slices(values, self.size, self.spacing, max_side, upward=upward, device=device)

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        """Writes the volume as its file was, and three slices of it as ``views.png``."""
        path = directory / f"reconstruction{WRITTEN.get(self.suffix, self.suffix)}"
        volume_files.write(path, self.array(field, device), self.stored)
        shown = self.pictured(field, VIEW_SIDE, device)
        save_image(Image.fromarray((255 * shown).round().byte().numpy()), directory / "views.png")
        return path

    def rendering(self, settings: Mapping[str, Any], output: Path) -> Rendering:
        for name in ("rate", "longest", "crop"):
            if settings[name] is not None:
                raise ValueError(
                    f"{name}: expected null for a volume, got {settings[name]}; scale or size sets its size"
                )
        wanted = self.resized(settings["size"], settings["scale"], output)

        def written(field: Field, device: torch.device | str, progress: Progress) -> str:
            volume_files.write(output, wanted.array(field, device, progress), wanted.stored)
            depth, height, width = wanted.size
            return f"{width} x {height} x {depth} voxels"

        return written

    def resized(self, size: Any, scale: Any, path: Path) -> "VolumeRecord":
        """The record of the same volume, in the same place, with other voxels, in a file with the suffix of ``path``.

        Args:
            size: [depth, height, width], or None.
            scale: times the volume's own size, or None.
            path: where it will be written.

        Raises:
            OSError, ValueError: if there is none, or it cannot be written.
        """
        suffix = volume_files.check_writable(path)
        if size is not None and scale is not None:
            raise ValueError(f"scale: expected null together with size, got {scale}")
        if scale is not None and (type(scale) not in (int, float) or not 0 < scale * max(self.size) < 2**31):
            raise ValueError(f"scale: expected a number above 0, got {scale}")
        if size is None:
            size = [max(1, round(side * (scale or 1))) for side in self.size]
        if not isinstance(size, list) or len(size) != 3 or not all(type(side) is int and side >= 1 for side in size):
            raise ValueError(f"size: expected [depth, height, width] in voxels, got {size}")
        check("pixels", math.prod(size) * self.channels, "size" if scale is None else "scale")
        # The corner of the volume stays where it is: voxel i of the new grid is at (i + 0.5) step - 0.5 of the old one.
        steps = np.array([own / new for own, new in zip(self.size[::-1], size[::-1], strict=True)])
        rows = np.array(self.affine, np.float64)
        moved = rows[:, 3] + rows[:, :3] @ (0.5 * steps - 0.5)
        affine = np.column_stack([rows[:, :3] * steps, moved]).tolist()
        return replace(self, size=size, suffix=suffix, affine=affine)


@dataclass(frozen=True)
class ScalarVolumeRecord(VolumeRecord, Surface):
    """What a checkpoint keeps of a volume of one channel, which has a surface where its value is ``level``."""

    noun: ClassVar[str] = "a volume"

    level: float = 0.5

    @property
    def scale(self) -> float:  # type: ignore[override]
        return 1 / max(side * count for side, count in zip(self.spacing, self.size[::-1], strict=True))

    def mesh(
        self,
        field: Field,
        resolution: int | None = None,
        *,
        device: torch.device | str = "cpu",
        progress: Callable[[int], None] = lambda points: None,
    ) -> Mesh:
        """The surface where the volume has the value ``level``, in the coordinates and unit of the affine; it is open
        where it leaves the volume."""
        level = (self.level - self.low) / (self.high - self.low)
        cells = resolution or max(self.size)
        mesh = extract(lambda x: field(x) - level, cells, device=device, progress=progress)
        if len(mesh.faces) == 0:
            raise ValueError(f"the field has no surface: it is on one side of {self.level:g} everywhere")
        if openings := edges(mesh).open:
            log.warning("the surface leaves the volume, and the mesh is open there (%d edges)", openings)
        rows = np.array(self.affine, np.float64)
        vertices = (mesh.vertices * self.size[::-1] - 0.5) @ rows[:, :3].T + rows[:, 3]
        mirrored = np.linalg.det(rows[:, :3]) < 0  # which turns faces inside out
        return Mesh(vertices, mesh.faces[:, ::-1].copy() if mirrored else mesh.faces)


class VolumeSignal:
    """A volume in its own type.

    Args:
        volume: a file: NIfTI, a TIFF stack, ``.npy``, ``.npz``, HDF5 or zarr; or an array or tensor (depth, height,
            width[, channels]) in memory.
        key: the name of the array in an ``.npz``, HDF5 or zarr file; None is the only one with 3 or 4 axes.
        spacing: sides of a voxel along x, y, z, in place of the file's affine; None keeps that.
        level: the value at the surface that is meshed, for a volume of one channel; None is halfway between the
            smallest and the largest value.

    Attributes:
        voxels: (depth, height, width, channels).

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no volume, or an argument is out of range.
    """

    def __init__(
        self,
        volume: Any,
        key: str | None = None,
        spacing: Sequence[float] | None = None,
        level: float | None = None,
    ) -> None:
        name = str(volume) if isinstance(volume, Path) else "volume"
        values, stored = volume_files.read(volume, key) if isinstance(volume, Path) else _in_memory(volume)
        if spacing is not None:
            stored = replace(stored, affine=diagonal(_sides(spacing)))
        held = values if values.dtype.name in HELD else values.astype(np.float32)
        low, high = float(held.min()), float(held.max())
        if not low < high or not math.isfinite(high - low):
            raise ValueError(f"{name}: expected values that differ, all are {low:g}")
        self.voxels = torch.from_numpy(np.ascontiguousarray(held))
        depth, height, width, channels = held.shape
        about = {"size": (depth, height, width), "channels": channels, "low": low, "high": high, **asdict(stored)}
        if level is None:
            level = (low + high) / 2
        elif channels > 1:
            raise ValueError(f"level: expected null for a volume of {channels} channels, got {level}")
        if type(level) not in (int, float) or not low <= level <= high:
            raise ValueError(f"level: expected a value from {low:g} to {high:g}, got {level}")
        self.record = VolumeRecord(**about) if channels > 1 else ScalarVolumeRecord(**about, level=float(level))


def _sides(spacing: Any) -> list[float]:
    good = isinstance(spacing, Sequence) and len(spacing) == 3
    if not good or not all(type(side) in (int, float) and 0 < side < math.inf for side in spacing):
        raise ValueError(f"spacing: expected [x, y, z] above 0, got {spacing}")
    return [float(side) for side in spacing]


def _in_memory(volume: Any) -> tuple[np.ndarray, Stored]:
    array = array_of("volume", volume)
    check_array(array.shape, array.dtype)
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError("volume: expected finite values, found NaN or infinity")
    return with_channels(array), Stored(".npy", array.dtype.name, array.ndim == 4)
