"""The record of an image."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet.rendering import rendered, whole
from ffnet.signals.base import Field, Progress, Raster
from ffnet.signals.coding import Coding
from ffnet.signals.deep_saving import SUFFIXES, check_suffix, save_bands, save_deep
from ffnet.signals.image_files import (
    check_writable,
    display,
    fitted_size,
    natural_suffix,
    pair,
    save_image,
    to_image,
)
from ffnet.signals.metadata import Metadata

log = logging.getLogger(__name__)

# Bytes of pixels that are rendered at once.
AT_ONCE = 2**27
# Pixels of the largest image that a run writes whole, and of the longer side of the view that it writes otherwise.
WHOLE, VIEW = 2**28, 2048
# Values per pixel of an image that is restored in a mode; a palette's colours are fitted as RGB.
CHANNELS = {"1": 1, "L": 1, "I;16": 1, "LA": 2, "RGB": 3, "P": 3, "RGBA": 4, "CMYK": 4}
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
# What the values mean.
NAMES = {
    **dict.fromkeys(("1", "L", "I;16"), "grey"),
    **dict.fromkeys(("RGB", "P"), "red, green, blue"),
    "LA": "grey, alpha",
    "RGBA": "red, green, blue, alpha",
    "CMYK": "cyan, magenta, yellow, black",
}


@dataclass(frozen=True)
class ImageRecord(Raster):
    """The record of an image.

    Attributes:
        size: (height, width).
        channels: values per pixel.
        bits: bits per channel, 8 or 16; 16 or 32 of floating-point values.
        offset: position of a pixel in its cell; 0.5 is the centre.
        mode: Pillow's mode, such as RGB; it says which channels there are, also of what Pillow cannot hold.
        palette: the palette of mode P.
        floating: whether the values are floating-point ones.
        transfer, scale, peak, premultiplied, associated: how the field's values stand for these; see ``Coding``.
        suffix: that of the file, if it is none of ``natural_suffix``.
        icc, exif: the colour profile and EXIF, as base64.
    """

    noun: ClassVar[str] = "an image"

    size: tuple[int, int]
    channels: int
    bits: int = 8
    offset: float = 0.5
    mode: str = "RGB"
    palette: Sequence[int] | None = None
    floating: bool = False
    transfer: str = "none"
    scale: float = 1.0
    peak: float = 1.0
    premultiplied: bool = False
    associated: bool = False
    suffix: str | None = None
    icc: str | None = None
    exif: str | None = None

    def __post_init__(self) -> None:
        known = self.bits in ((16, 32) if self.floating else (8, 16)) and self.suffix in (None, *SUFFIXES)
        if CHANNELS.get(self.mode) != self.channels or not known or not 0 <= self.offset <= 1:
            raise ValueError(f"{self.channels} channels of {self.bits} bits at {self.offset} in mode {self.mode!r}")
        pair("size", self.size)
        self.coding, self.metadata  # noqa: B018 (which check them)

    @property
    def coding(self) -> Coding:
        alpha = self.mode in ("LA", "RGBA")
        return Coding(self.transfer, self.scale, self.peak, alpha, self.premultiplied, self.associated)

    @property
    def metadata(self) -> Metadata:
        return Metadata.of_plain(self.icc, self.exif)

    @property
    def dtype(self) -> str:
        """NumPy's type of the pixels."""
        return f"{'float' if self.floating else 'uint'}{self.bits}"

    def values(self) -> str:
        formula = self.coding.described()
        if self.floating and self.transfer == "none":
            return f"{NAMES[self.mode]}{f', {formula}' if formula else ''}"
        return f"{NAMES[self.mode]} in [0, 1]{f': {formula}' if formula else ''}"

    def display(self, values: Float[Tensor, "h w c"]) -> Float[Tensor, "h w 3"]:
        """Values of the field as RGB on white, for viewing; linear light as sRGB, logarithms as they are."""
        if self.transfer == "linear" or (self.floating and self.transfer == "none"):
            values = replace(self.coding, transfer="linear", premultiplied=False, associated=False).decode(values)
        return display(values, self.mode, self.premultiplied)

    def render(
        self,
        field: Field,
        size: tuple[int, int] | None = None,
        *,
        box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
        device: torch.device | str = "cpu",
        progress: Progress = lambda items: items,
    ) -> np.ndarray:
        size = size or self.size
        return whole(rendered(field, size, **self._options(), box=box, device=device, progress=progress), size)

    def _options(self) -> dict[str, Any]:
        height, width = self.size
        # From pixel centres to the positions of the image's pixels.
        shift = ((self.offset - 0.5) / width, (self.offset - 0.5) / height)
        options: dict[str, Any] = {"channels": self.channels, "dtype": self.dtype, "shift": shift}
        return options if self.coding.plain else options | {"decode": self.coding.decode}

    @property
    def deep(self) -> bool:
        """Whether Pillow cannot hold the pixels."""
        return self.floating or (self.bits == 16 and self.mode != "I;16")

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Any:
        """A Pillow image, or an array (height, width, channels) of what Pillow cannot hold."""
        pixels = self.render(field, device=device)
        return pixels if self.deep else to_image(pixels, self.mode, self.palette)

    def check_writable(self, path: Path, size: tuple[int, int]) -> None:
        if self.deep or self._in_bands(path, size) or path.suffix.lower() == ".npy":
            check_suffix(path, np.dtype(self.dtype), self.channels)
            return
        probe = np.zeros((1, 1, self.channels), self.dtype)
        check_writable(path, to_image(probe, self.mode, self.palette), size, self.metadata)

    def save(self, pixels: np.ndarray, path: Path) -> None:
        if self.deep or path.suffix.lower() == ".npy":
            save_deep(pixels, path, self.associated, self.metadata)
        else:
            save_image(to_image(pixels, self.mode, self.palette), path, self.metadata)

    def render_to(self, path: Path, field: Field, size: tuple[int, int], **options: Any) -> None:
        """Renders to an image file; large TIFF and ``.npy`` files in bands, in memory that does not grow."""
        if self._in_bands(path, size):
            found = rendered(field, size, **self._options(), **options)
            save_bands(found, path, (*size, self.channels), self.dtype, self.associated, self.metadata)
        else:
            super().render_to(path, field, size, **options)

    def _in_bands(self, path: Path, size: tuple[int, int]) -> bool:
        """Whether an image of ``size`` (height, width) is written in bands."""
        held = size[0] * size[1] * self.channels * np.dtype(self.dtype).itemsize
        kinds = path.suffix.lower() in (".tif", ".tiff", ".npy") and self.mode not in ("1", "P", "CMYK")
        return kinds and held > AT_ONCE

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        """Writes the image, and ``views.png`` of what browsers do not show; of an image of more than 2^28 pixels, only
        a reduced view."""
        large = self.size[0] * self.size[1] > WHOLE
        path = directory / f"reconstruction{self.suffix or natural_suffix(self.mode)}"
        if not large:
            self.save(self.render(field, device=device), path)
        if large or path.suffix not in (".png", ".tif"):
            view = directory / ("reconstruction.png" if large else "views.png")
            save_image(self._view(field, VIEW if large else None, device), view)
        if large:
            height, width = self.size
            log.info("view    of %d pixels a side; `ffnet render` writes %d x %d to a .tif", VIEW, width, height)
            return view
        return path

    def _view(self, field: Field, longest: int | None, device: torch.device | str) -> Image.Image:
        """The image as RGB on white, at most ``longest`` pixels a side."""
        size = self.size if longest is None else fitted_size("size", longest, self.size)
        values = lambda x: self.display(field(x).float()[None])[0]  # noqa: E731
        options = self._options() | {"channels": 3, "dtype": "uint8", "decode": lambda rgb: rgb, "device": device}
        return to_image(whole(rendered(values, size, **options), size), "RGB")
