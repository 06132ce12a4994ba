"""Reads and writes images of any mode that Pillow opens, and converts them to arrays and back."""

import io
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image, ImageOps, UnidentifiedImageError
from torch import Tensor

from ffnet import budget
from ffnet.atomic import check_replaceable, replacing
from ffnet.signals.metadata import NO_METADATA, Metadata, metadata_of

# The mode in which an image is fitted. Modes that are not listed become RGB.
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
# Formats whose files may have several frames of equal rank.
_ANIMATED = ("AVIF", "GIF", "PNG", "TIFF", "WEBP")


@contextmanager
def pixel_limit(most: int | None) -> Iterator[None]:
    """Lets Pillow open images of up to ``most`` pixels. It warns above its limit and refuses above twice the limit."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None if most is None else max(1, (most + 1) // 2)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # above half the limit, and about damaged metadata
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


@contextmanager
def silent_stderr() -> Iterator[None]:
    """Keeps libtiff and libjpeg from printing what is wrong with a file; their callers raise it."""
    try:
        before = os.dup(2)
    except OSError:  # there is no stderr
        yield
        return
    try:
        with open(os.devnull, "wb") as nowhere:
            os.dup2(nowhere.fileno(), 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)


def read_image(path: Path, max_pixels: int | None = None) -> Image.Image:
    """The image at ``path``, rotated by its EXIF orientation, in a mode whose channels can be fitted.

    ``info["ffnet"]`` of the result contains the ``mode`` and ``palette`` with which ``to_image`` restores the mode of
    the file, ``info["frames"]`` the number of frames, of which it is the first, ``info["metadata"]`` its colour profile
    and EXIF.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: as ``open`` does.
        ValueError: if the file is not an image, is damaged, or has more than ``max_pixels`` pixels; if None, more than
            the limit of pixels.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected an image")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected an image")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty; expected an image")
    most = budget.limit("pixels") if max_pixels is None else max_pixels
    setting = "limits.pixels" if max_pixels is None else "dataset.max_pixels"
    try:
        with pixel_limit(most), silent_stderr(), Image.open(path) as opened:
            if most is not None and opened.width * opened.height > most:
                raise Image.DecompressionBombError
            opened.load()
            image = ImageOps.exif_transpose(opened)
            frames, metadata = count_frames(opened), metadata_of(opened)
    except Image.DecompressionBombError as error:
        raise ValueError(too_many(path, most, setting)) from error
    except UnidentifiedImageError as error:
        raise ValueError(f"{path}: is not an image that Pillow can open") from error
    except PermissionError:
        raise
    except Exception as error:  # of Pillow's readers of many formats
        raise ValueError(f"{path}: damaged image ({error})") from error
    fitted = fittable(image, path)
    fitted.info["frames"] = frames
    fitted.info["metadata"] = metadata if keeps_colours(image.mode) else metadata._replace(icc=None)
    return fitted


def keeps_colours(mode: str) -> bool:
    """Whether an image of this mode is fitted in its own colour space, so that its profile stays true."""
    return mode in _FITTED or mode in ("P", "PA", "I")


def too_many(path: Path, most: int | None, setting: str) -> str:
    """What to do about an image of more than ``most`` pixels."""
    mapped = "; dataset=mapped leaves it on disk" if path.suffix.lower() in (".npy", ".tif", ".tiff") else ""
    return f"{path}: has more than {most} pixels; raise {setting} to open it{mapped}"


def count_frames(opened: Image.Image) -> int:
    """The number of frames of an animation or pages of a TIFF; 1 for other images, or if later ones are damaged."""
    try:
        return int(getattr(opened, "n_frames", 1)) if opened.format in _ANIMATED else 1
    except Exception:  # of Pillow's readers of many formats; the first frame is there
        return 1


def fittable(image: Image.Image, path: Path | str) -> Image.Image:
    """``image`` in a mode whose channels can be fitted; see ``read_image``. Errors name ``path``."""
    mode = image.mode
    note: dict[str, Any]
    if mode == "P" or mode == "PA":
        transparent = mode == "PA" or "transparency" in image.info
        note = {"mode": "RGBA" if transparent else "P", "palette": image.getpalette()}
        fitted = image.convert("RGBA" if transparent else "RGB")
    elif mode == "I":  # Pillow's older mode for 16-bit grey
        values = np.asarray(image)
        if values.min() < 0 or values.max() > 65535:
            raise ValueError(f"{path}: has grey values outside 0 ... 65535; convert it to 16 bit first")
        note = {"mode": "I;16"}
        fitted = Image.fromarray(values.astype(np.uint16))
    elif mode == "F":
        raise ValueError(f"{path}: holds floating-point values; convert it to 8 or 16 bit first")
    elif mode in _FITTED:
        note = {"mode": mode if mode == "1" else _FITTED[mode]}
        fitted = image.convert("L") if mode == "1" else image
    else:
        note = {"mode": "RGB"}
        fitted = image.convert("RGB")
    fitted.info = {"ffnet": note, "metadata": NO_METADATA}
    return fitted


def pair(name: str, value: Any) -> tuple[int, int]:
    """(height, width) from ``value``, a pair or one number for a square."""
    pair = tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else (value, value)
    if len(pair) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n >= 1 for n in pair):
        raise ValueError(f"{name}: expected [height, width] of at least 1 pixel each, got {value}")
    return pair[0], pair[1]


def fitted_size(name: str, value: Any, own: tuple[float, float]) -> tuple[int, int]:
    """(height, width) from ``value``: such a pair, or the length of the longer side of an image of size ``own``, whose
    aspect ratio is kept."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return scaled(own, value / max(own))
    return pair(name, value)


def scaled(size: tuple[float, float], factor: float) -> tuple[int, int]:
    """``size`` times ``factor``, rounded, at least 1 pixel each."""
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def output_size(settings: Mapping[str, Any], own: tuple[float, float]) -> tuple[str, tuple[int, int]]:
    """The setting that says how large the output is, and its (height, width).

    Args:
        settings: ``size``, ``longest`` and ``scale``; at most one is not None.
        own: (height, width) of what is rendered, in pixels of the fitted signal.

    Raises:
        ValueError: if several are given, or one is no size.
    """
    given = [name for name in ("size", "longest", "scale") if settings[name] is not None]
    if len(given) > 1:
        raise ValueError(f"{given[1]}: expected null together with {given[0]}, got {settings[given[1]]}")
    name = given[0] if given else "scale"
    value = settings[name] if given else 1
    if name == "size":
        return name, fitted_size(name, value, own)
    if type(value) not in (int, float) or not 0 < value * max(own) < float("inf"):
        raise ValueError(f"{name}: expected a number above 0, got {value}")
    return name, scaled(own, value if name == "scale" else value / max(own))


def cropped(image: Image.Image, crop: int | Sequence[int] | None) -> Image.Image:
    """The central crop of ``image`` of size [height, width] or a square; the image itself if ``crop`` is None."""
    if crop is None:
        return image
    height, width = pair("crop", crop)
    if height > image.height or width > image.width:
        raise ValueError(f"crop: expected at most the image's [{image.height}, {image.width}], got [{height}, {width}]")
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height))


def resized(image: Image.Image, size: int | Sequence[int] | None) -> Image.Image:
    """``image`` resized (Lanczos) to [height, width] or to the length of its longer side; the image itself if ``size``
    is None."""
    if size is None:
        return image
    height, width = fitted_size("size", size, (image.height, image.width))
    budget.check("pixels", height * width, "size")
    # Pillow only resizes 16-bit grey with its nearest-neighbour filter, hence the conversion to 32-bit floats.
    if image.mode.startswith("I;16"):
        values = Image.fromarray(to_array(image)[..., 0].astype("float32"))
        floats = values.resize((width, height), Image.Resampling.LANCZOS)
        return Image.fromarray(np.asarray(floats).round().clip(0, 65535).astype(np.uint16))
    return image.resize((width, height), Image.Resampling.LANCZOS)


def to_array(image: Image.Image) -> np.ndarray:
    """Pixels (height, width, channels), uint8 or uint16."""
    array = np.asarray(image)
    if array.dtype != np.uint8:
        array = array.astype(np.uint16)  # native byte order
    return array if array.ndim == 3 else array[..., None]


def to_image(pixels: np.ndarray, mode: str, palette: Sequence[int] | None = None) -> Image.Image:
    """Pixels (height, width, channels), uint8 or uint16, as an image of the given mode."""
    if pixels.shape[-1] == 1:
        pixels = pixels[..., 0]
    if mode == "1":
        return Image.fromarray(pixels).point(lambda value: 255 * (value > 127)).convert("1", dither=Image.Dither.NONE)
    if mode == "P":
        reference = Image.new("P", (1, 1))
        reference.putpalette(palette or [])
        return Image.fromarray(pixels).quantize(palette=reference, dither=Image.Dither.NONE)
    return Image.fromarray(pixels, mode="CMYK") if mode == "CMYK" else Image.fromarray(pixels)


def natural_suffix(mode: str) -> str:
    """The suffix of a lossless format that supports the mode."""
    return ".tif" if mode == "CMYK" else ".png"


def check_writable(path: Path, probe: Image.Image, size: tuple[int, int], metadata: Metadata = NO_METADATA) -> None:
    """Checks whether an image like ``probe``, but of ``size`` (height, width), can be written to ``path``.

    Raises:
        ValueError: if the format of the suffix does not support the mode or the size of the image.
        OSError: if the directory is missing or not writable.
    """
    Image.init()
    kind = Image.EXTENSION.get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise ValueError(f"output: expected an image's name, such as image.png, got {path.name!r}")
    check_replaceable(path)
    try:
        probe.save(io.BytesIO(), format=kind, **metadata.options(kind))
    except Exception as error:  # of Pillow's writers of many formats
        raise ValueError(f"output: {kind} cannot hold an image of mode {probe.mode}; try .png") from error
    for side in ((1, size[1]), (size[0], 1)):
        if not _holds(kind, probe, side):
            raise ValueError(f"output: {kind} cannot hold an image of {size[0]} x {size[1]} pixels; try .png")


def _holds(kind: str, probe: Image.Image, size: tuple[int, int]) -> bool:
    """Whether a file of this format can hold an image like ``probe``, but of ``size`` (height, width)."""
    file = io.BytesIO()
    try:
        with silent_stderr():
            probe.resize((size[1], size[0]), Image.Resampling.NEAREST).save(file, format=kind)
    except Exception:  # of Pillow's writers of many formats
        return False
    try:
        with pixel_limit(None), Image.open(file) as found:
            return bool(found.size == (size[1], size[0]))  # some formats shrink images
    except Exception:  # a format that Pillow writes, but does not read
        return True


def save_image(image: Image.Image, path: Path, metadata: Metadata = NO_METADATA) -> None:
    """Writes ``image`` in the format of the suffix, atomically."""
    with replacing(path) as temporary:
        image.save(temporary, **metadata.options(Image.registered_extensions().get(path.suffix.lower())))


def display(values: Float[Tensor, "h w c"], mode: str, premultiplied: bool = False) -> Float[Tensor, "h w 3"]:
    """Values in [0, 1] of a mode as RGB on white; ``premultiplied`` says that colours are multiplied by alpha."""
    values = values.clamp(0, 1)
    colour = values[..., :1].expand(*values.shape[:2], 3) if values.shape[-1] < 3 else values[..., :3]
    if mode == "CMYK":
        return (1 - colour) * (1 - values[..., 3:])
    if mode in ("LA", "RGBA"):
        alpha = values[..., -1:]
        return (colour if premultiplied else colour * alpha) + (1 - alpha)
    return colour
