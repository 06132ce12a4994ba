"""An image: values on a regular grid of pixels in the unit square."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ffnet.budget import check
from ffnet.rendering import bands, pixel_coordinates, render
from ffnet.signals.base import Field, Progress, Raster
from ffnet.signals.enlarging import enlarged
from ffnet.signals.image_files import (
    check_writable,
    cropped,
    display,
    natural_suffix,
    pair,
    read_image,
    resized,
    save_image,
    to_array,
    to_image,
)
from ffnet.signals.image_memory import image_of, is_path, unit_pixels

log = logging.getLogger(__name__)

# Values per pixel of an image that is restored in a mode; a palette's colours are fitted as RGB.
CHANNELS = {"1": 1, "L": 1, "I;16": 1, "LA": 2, "RGB": 3, "P": 3, "RGBA": 4, "CMYK": 4}
# What the values mean.
NAMES = {
    **dict.fromkeys(("1", "L", "I;16"), "grey"),
    **dict.fromkeys(("RGB", "P"), "red, green, blue"),
    "LA": "grey, alpha",
    "RGBA": "red, green, blue, alpha",
    "CMYK": "cyan, magenta, yellow, black",
}
# Pixels per chunk in which large images are converted to floating point.
BAND = 2**18


@dataclass(frozen=True)
class ImageRecord(Raster):
    """The record of an image.

    Attributes:
        size: (height, width).
        channels: values per pixel.
        bits: bits per channel, 8 or 16.
        offset: position of a pixel in its cell; 0.5 is the centre.
        mode: Pillow's mode, such as RGB.
        palette: the palette of mode P.
    """

    noun: ClassVar[str] = "an image"

    size: tuple[int, int]
    channels: int
    bits: int = 8
    offset: float = 0.5
    mode: str = "RGB"
    palette: Sequence[int] | None = None

    def __post_init__(self) -> None:
        if CHANNELS.get(self.mode) != self.channels or self.bits not in (8, 16) or not 0 <= self.offset <= 1:
            raise ValueError(f"{self.channels} channels of {self.bits} bits at {self.offset} in mode {self.mode!r}")
        pair("size", self.size)

    def values(self) -> str:
        return f"{NAMES[self.mode]} in [0, 1]"

    def render(
        self,
        field: Field,
        size: tuple[int, int] | None = None,
        *,
        box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
        device: torch.device | str = "cpu",
        progress: Progress = lambda items: items,
    ) -> np.ndarray:
        height, width = self.size
        # From pixel centres to the positions of the image's pixels.
        shift = ((self.offset - 0.5) / width, (self.offset - 0.5) / height)
        options: dict[str, Any] = {"channels": self.channels, "bits": self.bits, "shift": shift, "box": box}
        return render(field, size or (height, width), **options, device=device, progress=progress)

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Image.Image:
        return to_image(self.render(field, device=device), self.mode, self.palette)

    def check_writable(self, path: Path, size: tuple[int, int]) -> None:
        probe = np.zeros((1, 1, self.channels), f"uint{self.bits}")
        check_writable(path, to_image(probe, self.mode, self.palette), size)

    def save(self, pixels: np.ndarray, path: Path) -> None:
        save_image(to_image(pixels, self.mode, self.palette), path)

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        path = directory / f"reconstruction{natural_suffix(self.mode)}"
        self.save(self.render(field, device=device), path)
        return path


class ImageSignal:
    """An image with its pixels in their own dtype: uint8, uint16, or float32 in [0, 1].

    Args:
        image: a path that Pillow opens; a Pillow image; or an array or tensor (height, width[, channels]) of uint8,
            uint16, or floating-point values in [0, 1].
        crop: [height, width] of a central crop, or one number for a square.
        size: [height, width] to resize to after the crop (Lanczos), or the length of the longer side.
        offset: position of a pixel in its cell: 0.5 is the centre, 0 the corner (Tancik et al. 2020).
        max_pixels: larger files are refused, because they may be decompression bombs; None is the limit of pixels.
        enlarge: how many times as high and wide the image is made (``ffnet.signals.enlarging``); None leaves it as it
            is.

    Attributes:
        pixels: (height, width, channels).

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not an image, or an argument is out of range.
    """

    def __init__(
        self,
        image: Any,
        crop: int | Sequence[int] | None = None,
        size: int | Sequence[int] | None = None,
        offset: float = 0.5,
        max_pixels: int | None = None,
        enlarge: int | None = None,
    ) -> None:
        if not 0 <= offset <= 1:
            raise ValueError(f"offset: expected a number in [0, 1], got {offset}")
        opened = read_image(Path(image), max_pixels) if is_path(image) else image_of(image)
        if isinstance(opened, Image.Image):
            if (frames := opened.info.get("frames", 1)) > 1:
                log.info("image   %s has %d frames, of which the first is taken", Path(image).name, frames)
            note, pixels = opened.info["ffnet"], to_array(resized(cropped(opened, crop), size))
        else:
            note, pixels = {"mode": {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[opened.shape[-1]]}, unit_pixels(opened)
            if crop is not None or size is not None:
                raise ValueError("crop, size: expected null for floating-point values; crop or resize the array before")
        self.pixels = torch.tensor(pixels)
        bits = 8 * self.pixels.dtype.itemsize if not self.pixels.is_floating_point() else 8
        if enlarge is not None:
            self.pixels = _enlarged(self.pixels, enlarge)
        self.height, self.width, self.channels = self.pixels.shape
        self.record = ImageRecord((self.height, self.width), self.channels, bits, offset, **note)


def _enlarged(pixels: Tensor, factor: int) -> Float[Tensor, "h w c"]:
    height, width, _ = pixels.shape
    if type(factor) is int and factor > 1:
        check("points", 4 * height * width * factor**2, "enlarge, squared, times 4 and the image's pixels")
        log.info("enlarge %dx%d to %dx%d pixels", width, height, width * factor, height * factor)
    return enlarged(unit(pixels), factor)


def unit(pixels: Tensor) -> Float[Tensor, "..."]:
    """Pixels of any dtype as float32 in [0, 1]."""
    return pixels if pixels.is_floating_point() else pixels.to(torch.float32) / torch.iinfo(pixels.dtype).max


def mean_value(pixels: Tensor) -> list[float]:
    """The mean of each channel of (height, width, channels), in bands: large images are not copied to float."""
    height, width, _ = pixels.shape
    sums = [unit(pixels[rows.start : rows.stop]).double().sum((0, 1)) for rows in bands(height, width, BAND)]
    return (torch.stack(sums).sum(0) / (height * width)).tolist()


@torch.inference_mode()
def image_views(
    field: Callable[[Tensor], Tensor], pixels: Tensor, record: ImageRecord, max_side: int
) -> dict[str, Float[Tensor, "h w 3"]]:
    """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright), RGB in [0, 1]. Larger images are
    subsampled so that the longer side has at most ``max_side`` pixels."""
    height, width = record.size
    step = -(-max(height, width) // max_side)
    rows, columns = (torch.arange(0, side, step, device=pixels.device) for side in (height, width))
    target = display(unit(pixels[rows][:, columns]), record.mode)
    reconstruction = display(_values_at(field, rows, columns, record), record.mode)
    error = (5 * (reconstruction - target).abs()).clamp(max=1)
    return {"target": target, "reconstruction": reconstruction, "error": error}


def _values_at(
    field: Callable[[Tensor], Tensor], rows: Int[Tensor, "h"], columns: Int[Tensor, "w"], record: ImageRecord
) -> Float[Tensor, "h w c"]:
    """The field's values at all pixels in the given rows and columns."""
    lines = []
    for row in rows.split(max(1, 16384 // len(columns))):
        every = torch.cartesian_prod(row, columns)
        coordinates = pixel_coordinates(every[:, 0], every[:, 1], record.size, record.offset)
        lines.append(field(coordinates).float().view(len(row), len(columns), -1))
    return torch.cat(lines)
