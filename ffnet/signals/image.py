"""An image: values on a regular grid of pixels in the unit square."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ffnet.budget import check
from ffnet.rendering import bands, pixel_coordinates
from ffnet.signals.coding_choice import Range, choose
from ffnet.signals.deep_files import Deep, read_deep
from ffnet.signals.enlarging import enlarged
from ffnet.signals.image_files import cropped, read_image, resized, to_array
from ffnet.signals.image_memory import image_of, is_path
from ffnet.signals.image_record import MODES, ImageRecord
from ffnet.signals.windows import resampled, window

log = logging.getLogger(__name__)

# Pixels per chunk in which large images are converted to floating point.
BAND = 2**18


class ImageSignal:
    """An image with its pixels as a field has them: in their own dtype, uint8 or uint16, or as float32.

    Args:
        image: a path to an image that Pillow opens, an OpenEXR, Radiance, TIFF or ``.npy`` file; a Pillow image; or an
            array or tensor (height, width[, channels]) of uint8, uint16, or floating-point values.
        crop: [height, width] of a central crop, or one number for a square.
        size: [height, width] to resize to after the crop (Lanczos), or the length of the longer side.
        offset: position of a pixel in its cell: 0.5 is the centre, 0 the corner (Tancik et al. 2020).
        max_pixels: larger files are refused, because they may be decompression bombs; None is the limit of pixels.
        enlarge: how many times as high and wide the image is made (``ffnet.signals.enlarging``); None leaves it as it
            is.
        transfer: how a field's values stand for those of the file, see ``ffnet.signals.coding.Coding``; ``auto`` is
            ``log`` or ``symlog`` for floating-point values beyond [0, 1], else ``none``. None refuses values beyond.
        premultiply: whether a field's colours are multiplied by alpha.
        metadata: whether the record has the colour profile and EXIF.

    Attributes:
        pixels: (height, width, channels).
        choice: how they stand for the file's.

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
        transfer: str | None = None,
        premultiply: bool = False,
        metadata: bool = True,
    ) -> None:
        if not 0 <= offset <= 1:
            raise ValueError(f"offset: expected a number in [0, 1], got {offset}")
        opened = opened_image(image, max_pixels)
        if isinstance(opened, Image.Image):
            if (frames := opened.info.get("frames", 1)) > 1:
                log.info("image   %s has %d frames, of which the first is taken", Path(image).name, frames)
            note, pixels = {**opened.info["ffnet"]}, to_array(resized(cropped(opened, crop), size))
            held, associated, size = opened.info["metadata"], False, None
        else:
            pixels, held, associated = window(opened.pixels, crop), opened.metadata, opened.associated
            note = {"mode": "I;16" if pixels.dtype == np.uint16 and pixels.shape[-1] == 1 else MODES[pixels.shape[-1]]}
            note |= {"suffix": opened.suffix} if is_path(image) else {}
        name = str(image) if is_path(image) else "image"
        bits, floating = 8 * pixels.dtype.itemsize, pixels.dtype.kind == "f"
        self.pixels = torch.tensor(pixels.astype(np.float32) if pixels.dtype == np.float16 else pixels)
        measured = lambda: self._measured(note["mode"] in ("LA", "RGBA"))  # noqa: E731
        self.choice = choose(name, transfer, note["mode"], floating, (premultiply, associated), measured)
        coding = self.choice.coding
        if floating and not is_path(image) and coding.transfer == "none" and self.choice.bounded:
            bits, floating = 8, False  # a reconstruction is a Pillow image
        if not coding.plain:
            self.pixels = coding.encode(unit(self.pixels))
        if size is not None:
            self.pixels = resampled(self.pixels, size)
        if enlarge is not None:
            if not self.choice.bounded:
                raise ValueError("enlarge: expected null for values beyond [0, 1]; transfer=auto brings them into it")
            self.pixels = _enlarged(self.pixels, enlarge)
        self.height, self.width, self.channels = self.pixels.shape
        note |= {"floating": floating} | coding.plain_values() | (held.plain() if metadata else {})
        self.record = ImageRecord((self.height, self.width), self.channels, bits, offset, **note)

    def _measured(self, alpha: bool) -> Range:
        return Range().update(unit(self.pixels[..., : self.pixels.shape[-1] - alpha]))


def opened_image(image: Any, max_pixels: int | None) -> Image.Image | Deep:
    """What a path or an image in memory holds.

    Raises:
        OSError, ValueError: if it is no image.
    """
    if not is_path(image):
        return image_of(image)
    return read_deep(Path(image), max_pixels) or read_image(Path(image), max_pixels)


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
    target = record.display(unit(pixels[rows][:, columns]))
    reconstruction = record.display(_values_at(field, rows, columns, record))
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
