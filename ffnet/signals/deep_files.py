"""Reads images that Pillow cannot hold: 16 bits per colour, floating-point values, arrays of NumPy."""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from ffnet import budget
from ffnet.signals.image_files import pixel_limit, silent_stderr, too_many
from ffnet.signals.metadata import NO_METADATA, Metadata, metadata_of, orientation, upright

_NUMPY, _PNG, _EXR = b"\x93NUMPY", b"\x89PNG\r\n\x1a\n", b"v/1\x01"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_RADIANCE = (b"#?RADIANCE", b"#?RGBE")
# Types of pixels, and those of files that become them.
KEPT = {"uint8": "uint8", "uint16": "uint16", "float16": "float16", "float32": "float32", "float64": "float32"}


class Deep(NamedTuple):
    """Pixels (height, width, channels) of uint8, uint16, float16 or float32, and what else a file says.

    ``associated``: whether colours are multiplied by alpha.
    """

    pixels: np.ndarray
    suffix: str
    associated: bool = False
    metadata: Metadata = NO_METADATA


@contextmanager
def needing(what: str) -> Iterator[None]:
    """Names the extra of a library that this block imports; keeps libraries from printing what they raise.

    Raises:
        ValueError: if it is not installed.
    """
    loud = logging.getLogger("tifffile")
    before, loud.disabled = loud.disabled, True
    try:
        yield
    except ImportError as error:
        raise ValueError(f"{what} needs {error.name}: pip install 'ffnet[hdr]'") from error
    finally:
        loud.disabled = before


def read_deep(path: Path, max_pixels: int | None = None) -> Deep | None:
    """The image at ``path``, rotated by its EXIF orientation; None if Pillow is to read it.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is damaged, too large, of another rank or type, or a library is missing.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        head = file.read(26)
    with reading(path):
        if head.startswith(_NUMPY):
            return Deep(np.array(checked(path, np.load(path, "r", allow_pickle=False), max_pixels)), ".npy")
        if head.startswith(_PNG) and len(head) > 25 and head[24] == 16 and head[25] in (2, 4, 6):
            return _read_png(path, max_pixels)
        if head.startswith(_EXR):
            return _read_exr(path, max_pixels)
        if head.startswith(_RADIANCE):
            return _read_radiance(path, max_pixels)
        return _read_tiff(path, max_pixels) if head.startswith(_TIFF) else None


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Says of what readers of many formats raise that the file at ``path`` is damaged.

    Raises:
        OSError: if it may not be read.
        ValueError: otherwise.
    """
    try:
        yield
    except (ValueError, OSError) as error:
        if str(error).startswith(str(path)) or isinstance(error, PermissionError):
            raise
        raise ValueError(f"{path}: damaged image ({_line(error)})") from error
    except Exception as error:  # of readers of many formats
        raise ValueError(f"{path}: damaged image ({_line(error)})") from error


def _line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def check_shape(path: Path, shape: tuple[int, ...], kind: np.dtype) -> None:
    """Raises ValueError if an array is none of an image."""
    if len(shape) not in (2, 3) or (len(shape) == 3 and not 1 <= shape[2] <= 4) or 0 in shape:
        raise ValueError(f"{path}: expected shape (height, width) or (height, width, 1 to 4), got {shape}")
    if kind.name not in KEPT:
        raise ValueError(f"{path}: expected uint8, uint16 or floating-point values, got {kind.name}")


def check_count(path: Path, height: int, width: int, max_pixels: int | None) -> None:
    """Raises ValueError if an image has more pixels than the setting ``dataset.max_pixels`` or the limit allows."""
    most = budget.limit("pixels") if max_pixels is None else max_pixels
    setting = "limits.pixels" if max_pixels is None else "dataset.max_pixels"
    if most is not None and height * width > most:
        raise ValueError(too_many(path, most, setting))


def checked(path: Path, array: np.ndarray, max_pixels: int | None) -> np.ndarray:
    """``array`` as (height, width, channels) in a type that is kept."""
    check_shape(path, array.shape, array.dtype)
    check_count(path, array.shape[0], array.shape[1], max_pixels)
    array = array if array.ndim == 3 else array[..., None]
    with np.errstate(over="ignore"):  # of float64, which then is infinite
        return finite(path, array.astype(KEPT[array.dtype.name], copy=False))


def finite(name: Path | str, array: np.ndarray) -> np.ndarray:
    """``array``; raises ValueError if values are NaN or infinite."""
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}: expected finite values, found NaN or infinity")
    return array


def _contents(path: Path, height: int, width: int) -> bytes:
    """The bytes of a file whose header promises so many pixels of at most 4 values of 4 bytes."""
    size = os.path.getsize(path)
    if size > 32 * height * width + 2**24:
        raise ValueError(f"{path}: damaged image ({size} bytes for {height} x {width} pixels)")
    return path.read_bytes()


def _read_png(path: Path, max_pixels: int | None) -> Deep:
    with pixel_limit(None), Image.open(path) as opened:
        (width, height), metadata, turn = opened.size, metadata_of(opened), orientation(opened)
    check_count(path, height, width, max_pixels)
    with needing(f"{path}: PNG of 16 bits per colour"):
        import imagecodecs

        pixels = imagecodecs.png_decode(_contents(path, height, width))
    return Deep(np.ascontiguousarray(upright(checked(path, pixels, max_pixels), turn)), ".png", False, metadata)


def _read_exr(path: Path, max_pixels: int | None) -> Deep:
    with needing(f"{path}: OpenEXR"), silent_stderr():
        import OpenEXR

        values = 0
        with OpenEXR.File(str(path), header_only=True) as file:
            for part in file.parts:
                (left, top), (right, bottom) = (corner.tolist() for corner in part.header["dataWindow"])
                check_count(path, bottom - top + 1, right - left + 1, max_pixels)
                values += (bottom - top + 1) * (right - left + 1) * len(part.header["channels"])
        check_count(path, values // 8, 1, max_pixels)  # of all layers, of which only one is fitted
        with OpenEXR.File(str(path)) as file:
            found = {name: channel.pixels for name, channel in file.channels(0).items()}
    if "RGB" in found or "RGBA" in found:
        pixels = found["RGBA" if "RGBA" in found else "RGB"]
    elif "Y" in found:
        pixels = np.stack([found[name] for name in ("Y", "A") if name in found], -1)
    else:
        raise ValueError(f"{path}: expected channels R, G, B or Y, with A or without, got {', '.join(sorted(found))}")
    return Deep(checked(path, pixels, max_pixels), ".exr", associated=True)


def _read_radiance(path: Path, max_pixels: int | None) -> Deep:
    with path.open("rb") as file:
        size = re.search(rb"\n-Y (\d{1,9}) \+X (\d{1,9})\n", file.read(2**16))
    if size is None:
        raise ValueError(f"{path}: expected a Radiance file whose rows go down, -Y height +X width")
    height, width = int(size[1]), int(size[2])
    check_count(path, height, width, max_pixels)
    with needing(f"{path}: Radiance HDR"):
        import imagecodecs

        pixels = imagecodecs.rgbe_decode(_contents(path, height, width), header=True)
    return Deep(checked(path, pixels, max_pixels), ".hdr")


def _read_tiff(path: Path, max_pixels: int | None) -> Deep | None:
    """A TIFF file that Pillow reads at fewer bits, or not at all."""
    try:
        import tifffile
    except ImportError as error:
        if _is_shallow(path):
            return None
        what = "TIFF of 16 bits per colour, or floating-point values,"
        raise ValueError(f"{path}: {what} needs {error.name}: pip install 'ffnet[hdr]'") from error
    with needing(f"{path}: TIFF"), tifffile.TiffFile(path) as file:
        page = first_page(file)
        if page.dtype is None or page.bitspersample < 16 or (page.dtype.kind in "iu" and page.samplesperpixel == 1):
            return None
        if page.photometric == 5:
            raise ValueError(f"{path}: has inks of {page.bitspersample} bits; convert it to RGB or to 8 bits first")
        check_shape(path, tiff_shape(page), page.dtype)
        check_count(path, page.imagelength, page.imagewidth, max_pixels)
        pixels = page.asarray()
        metadata, turn = tiff_metadata(page)
        associated = 1 in page.extrasamples
    if page.axes.startswith("S"):
        pixels = np.moveaxis(pixels, 0, -1)
    pixels = upright(checked(path, pixels, max_pixels), turn)
    return Deep(np.ascontiguousarray(pixels), ".tiff", associated, metadata)


def first_page(file: Any) -> Any:
    """The first page of tifffile's file.

    Raises:
        ValueError: if there is none.
    """
    try:
        return file.pages[0]
    except IndexError as error:
        raise ValueError("it holds no image") from error


def tiff_shape(page: Any) -> tuple[int, ...]:
    """(height, width, channels) of a page, or its own shape if it is no image."""
    return (page.imagelength, page.imagewidth, page.samplesperpixel) if page.axes.strip("S") == "YX" else page.shape


def tiff_metadata(page: Any) -> tuple[Metadata, int]:
    """The colour profile, and the orientation."""
    icc, turn = page.tags.valueof(34675), page.tags.valueof(274)
    return Metadata(icc if isinstance(icc, bytes) else None), turn if turn in range(1, 9) else 1


def _is_shallow(path: Path) -> bool:
    """Whether Pillow reads all bits of a TIFF file."""
    try:
        with pixel_limit(None), silent_stderr(), Image.open(path) as opened:
            bits = opened.tag_v2.get(258, (8,))  # type: ignore[attr-defined]
            return opened.mode != "F" and (max(bits) <= 8 or len(bits) == 1)
    except Exception:  # of Pillow's reader; it says what is wrong
        return False
