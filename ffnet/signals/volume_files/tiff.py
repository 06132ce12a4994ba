"""TIFF: a page per plane."""

import logging
import math
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.signals.extras import library
from ffnet.signals.volume_files.stored import (
    IDENTITY,
    Affine,
    Stored,
    Unfit,
    check_array,
    diagonal,
    safe_unit,
    spacing,
    with_channels,
)

# Types of values of the stacks that ImageJ reads; they have a spacing and a unit.
IMAGEJ = ("uint8", "uint16", "float32")
# ImageJ's names of micrometres.
MICROMETRES = ("\\u00B5m", "µm", "micron", "microns")


def tifffile() -> Any:
    return library("tifffile", "dataset=volume", "volume", ".tif")


# What tifffile logs about files whose pages are not all there.
DAMAGED = ("invalid page offset", "corrupted")


@contextmanager
def _whole() -> Iterator[None]:
    """Raises what tifffile would log of damaged files, and reads on; keeps it from logging anything.

    Raises:
        Unfit: if pages are missing.
    """
    logger, said = logging.getLogger("tifffile"), []

    def note(record: logging.LogRecord) -> bool:
        said.append(record.getMessage())
        return False

    logger.addFilter(note)
    try:
        yield
    finally:
        logger.removeFilter(note)
    if any(words in message for message in said for words in DAMAGED):
        raise Unfit("is truncated or damaged, pages are missing")


def read_tiff(path: Path, key: str | None) -> tuple[np.ndarray, Stored]:
    with _whole(), tifffile().TiffFile(path, _multifile=False, is_mmstack=False, is_ndtiff=False) as file:
        if not file.series:
            raise Unfit("expected a stack of pages, found none")
        series = file.series[0]
        axes, shape = series.axes, series.shape
        kept = [axis for axis, (name, side) in enumerate(zip(axes, shape, strict=True)) if side != 1 or name in "YX"]
        names = "".join(axes[axis] for axis in kept)
        channels = [place for place, name in enumerate(names) if name in "CS"]
        if len(channels) > 1 or len(kept) - len(channels) != 3:
            raise Unfit(f"expected a stack of pages of one size, got axes {names or 'none'} of {shape}")
        check_array([shape[axis] for axis in kept], series.dtype, "the stack")
        array = series.asarray().reshape([shape[axis] for axis in kept])
        affine, unit = _imagej_affine(file)
    values = with_channels(np.moveaxis(array, channels, [-1] * len(channels)))
    return values, Stored(".tif", values.dtype.name, bool(channels), affine, unit)


def _imagej_affine(file: Any) -> tuple[Affine, str]:
    """Spacing and unit, as ImageJ writes them; a voxel's side if there are none."""
    told = file.imagej_metadata or {}
    try:
        tags = file.pages[0].tags
        x, y = (tags[name].value for name in ("XResolution", "YResolution"))
        sides = (x[1] / x[0], y[1] / y[0], float(told["spacing"]))
        unit = str(told.get("unit", ""))
    except (KeyError, TypeError, ZeroDivisionError, ValueError, IndexError):
        return IDENTITY, ""
    if not all(0 < side < math.inf for side in sides):
        return IDENTITY, ""
    return diagonal(sides), "um" if unit in MICROMETRES else safe_unit(unit)


def write_tiff(path: Path, array: np.ndarray, stored: Stored) -> None:
    values = array.astype(np.uint8) if array.dtype == bool else array
    sides = spacing(stored.affine)
    options: dict[str, Any] = {"photometric": "minisblack", "metadata": {"axes": "ZYXC"[: array.ndim]}}
    if values.dtype.name in IMAGEJ:
        values = np.moveaxis(values, -1, 1) if values.ndim == 4 else values
        metadata = {"axes": "ZCYX" if values.ndim == 4 else "ZYX", "spacing": sides[2], "unit": stored.unit or "pixel"}
        options |= {"imagej": True, "resolution": (1 / sides[0], 1 / sides[1]), "metadata": metadata}
    tifffile().imwrite(path, values, **options)
