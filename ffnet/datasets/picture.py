"""Pictures between files and tensors: any mode that Pillow opens, and back to the same mode."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

# How the values of a mode are held while they are fitted. Modes that are not listed become RGB.
_FITTED = {
    "1": "L",
    "L": "L",
    "LA": "LA",
    "RGB": "RGB",
    "RGBA": "RGBA",
    "CMYK": "CMYK",
    "I;16": "I;16",
    "I;16L": "I;16",
    "I;16B": "I;16",
    "I;16N": "I;16",
}
MAX_PIXELS = 2**28


@contextmanager
def _pixel_limit(max_pixels: int) -> Iterator[None]:
    """Lets Pillow open pictures of up to ``max_pixels``; it warns from its limit on and refuses from twice."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = max(1, (max_pixels + 1) // 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


def read_picture(path: Path, max_pixels: int = MAX_PIXELS) -> Image.Image:
    """The picture at ``path``, upright (EXIF), in a mode whose channels can be fitted.

    ``info["ffnet"]`` of the result is what ``to_picture`` needs to give back the file's own mode.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: as ``open`` does.
        ValueError: if the file is no picture, is damaged, or has more than ``max_pixels`` pixels.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a picture")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a folder; expected a picture")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty; expected a picture")
    try:
        with _pixel_limit(max_pixels), Image.open(path) as opened:
            opened.load()
            picture = ImageOps.exif_transpose(opened)
    except Image.DecompressionBombError as error:
        raise ValueError(f"{path}: has more than {max_pixels} pixels; raise dataset.max_pixels to open it") from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: is not a picture that Pillow can open") from error
    except PermissionError:
        raise
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise ValueError(f"{path}: damaged picture ({error})") from error
    return _fitted(picture, path)


def _fitted(picture: Image.Image, path: Path) -> Image.Image:
    mode = picture.mode
    note: dict[str, Any]
    if mode == "P" or mode == "PA":
        transparent = mode == "PA" or "transparency" in picture.info
        note = {"mode": "RGBA" if transparent else "P", "palette": picture.getpalette()}
        fitted = picture.convert("RGBA" if transparent else "RGB")
    elif mode == "I":  # Pillow's older name for 16-bit grey
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"{path}: has grey values outside 0 ... 65535; convert it to 16 bit first")
        note = {"mode": "I;16"}
        fitted = Image.fromarray(values.astype(np.uint16))
    elif mode == "F":
        raise ValueError(f"{path}: holds floating-point values; convert it to 8 or 16 bit first")
    elif mode in _FITTED:
        note = {"mode": mode if mode == "1" else _FITTED[mode]}
        fitted = picture.convert("L") if mode == "1" else picture
    else:
        note = {"mode": "RGB"}
        fitted = picture.convert("RGB")
    fitted.info = {"ffnet": note}
    return fitted


def pair(name: str, value: Any) -> tuple[int, int]:
    """(height, width) from ``value``, which is a pair or one number for a square."""
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    if len(pair) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in pair):
        raise ValueError(f"{name}: expected [height, width] of at least 1 pixel each, got {value}")
    return pair[0], pair[1]


def cropped(picture: Image.Image, crop: int | Sequence[int] | None) -> Image.Image:
    """The middle of ``picture``, of size [height, width] or a square; all of it if ``crop`` is None."""
    if crop is None:
        return picture
    height, width = pair("crop", crop)
    if height > picture.height or width > picture.width:
        raise ValueError(
            f"crop: expected at most the picture's [{picture.height}, {picture.width}], got [{height}, {width}]"
        )
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    return picture.crop((left, top, left + width, top + height))


def resized(picture: Image.Image, size: int | Sequence[int] | None) -> Image.Image:
    """``picture`` at [height, width] or as a square (Lanczos); as it is if ``size`` is None."""
    if size is None:
        return picture
    height, width = pair("size", size)
    # Pillow resizes 16-bit grey with its nearest-neighbour filter alone, so it goes through 32-bit floats.
    if picture.mode.startswith("I;16"):
        values = Image.fromarray(to_array(picture)[..., 0].astype("float32"))
        floats = values.resize((width, height), Image.Resampling.LANCZOS)
        return Image.fromarray(np.asarray(floats).round().clip(0, 65535).astype(np.uint16))
    return picture.resize((width, height), Image.Resampling.LANCZOS)


def to_array(picture: Image.Image) -> np.ndarray:
    """Pixels (height, width, channels), uint8 or uint16."""
    array = np.asarray(picture)
    if array.dtype != np.uint8:
        array = array.astype(np.uint16)  # native byte order
    return array if array.ndim == 3 else array[..., None]


def to_picture(pixels: np.ndarray, note: dict[str, Any]) -> Image.Image:
    """Pixels (height, width, channels), uint8 or uint16, as a picture of the mode in ``note``."""
    mode = note["mode"]
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if mode == "1":
        return Image.fromarray(pixels).point(lambda value: 255 * (value > 127)).convert("1", dither=Image.Dither.NONE)
    if mode == "P":
        palette = Image.new("P", (1, 1))
        palette.putpalette(note["palette"])
        return Image.fromarray(pixels).quantize(palette=palette, dither=Image.Dither.NONE)
    return Image.fromarray(pixels, mode="CMYK") if mode == "CMYK" else Image.fromarray(pixels)


def natural_suffix(note: dict[str, Any]) -> str:
    """The suffix of a lossless format that can hold the mode."""
    return ".tif" if note["mode"] == "CMYK" else ".png"


def display(values: Float[Tensor, "h w c"], mode: str) -> Float[Tensor, "h w 3"]:
    """Values of a picture of some mode as RGB on white, for looking at; everything in [0, 1]."""
    values = values.clamp(0, 1)
    colour = values[..., :1].expand(*values.shape[:2], 3) if values.shape[-1] < 3 else values[..., :3]
    if mode == "CMYK":
        return (1 - colour) * (1 - values[..., 3:])
    if mode in ("LA", "RGBA"):
        alpha = values[..., -1:]
        return colour * alpha + (1 - alpha)
    return colour
