"""Images in memory: Pillow images, NumPy arrays, tensors."""

from os import PathLike
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from ffnet.signals.deep_files import Deep, finite
from ffnet.signals.image_files import fittable, keeps_colours
from ffnet.signals.memory import array_of
from ffnet.signals.metadata import metadata_of


def is_path(image: Any) -> bool:
    return isinstance(image, str | PathLike)


def image_of(image: Any) -> Image.Image | Deep:
    """A Pillow image in a mode whose channels can be fitted, or pixels that Pillow cannot hold.

    Raises:
        ValueError: if ``image`` is neither an image nor an array of one.
    """
    if isinstance(image, Image.Image):
        if image.mode == "F":
            return image_of(np.asarray(image))
        metadata = metadata_of(image)
        fitted = fittable(ImageOps.exif_transpose(image).copy(), "image")
        fitted.info["metadata"] = metadata if keeps_colours(image.mode) else metadata._replace(icc=None)
        return fitted
    array = array_of("image", image, "a path, a Pillow image, an array or a tensor")
    pixels = array[..., None] if array.ndim == 2 else array
    if pixels.ndim != 3 or not 1 <= pixels.shape[-1] <= 4 or 0 in pixels.shape:
        more = '; dataset="volume" and dataset="video" take more axes' if array.ndim > 2 else ""
        raise ValueError(f"image: expected shape (height, width) or (height, width, 1 to 4), got {array.shape}{more}")
    if pixels.dtype == np.uint8 or (pixels.dtype == np.uint16 and pixels.shape[-1] == 1):
        return fittable(Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels), "image")
    if pixels.dtype == np.uint16:
        return Deep(pixels, ".png")
    if not np.issubdtype(pixels.dtype, np.floating):
        raise ValueError(f"image: expected uint8, uint16 or floating-point values, got {pixels.dtype}")
    with np.errstate(over="ignore"):  # of float64, which then is infinite
        return Deep(finite("image", np.ascontiguousarray(pixels, dtype=np.float32)), ".npy")
