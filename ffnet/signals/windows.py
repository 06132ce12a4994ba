"""Crops and resizes arrays, as ``image_files`` does with Pillow's images."""

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Shaped
from PIL import Image
from torch import Tensor

from ffnet import budget
from ffnet.signals.image_files import fitted_size, pair


def window(pixels: np.ndarray, crop: int | Sequence[int] | None) -> np.ndarray:
    """The central crop of ``pixels`` (height, width, channels) of size [height, width] or a square; all of them if
    ``crop`` is None.

    Raises:
        ValueError: if it is larger than the image.
    """
    if crop is None:
        return pixels
    own, (height, width) = pixels.shape[:2], pair("crop", crop)
    if height > own[0] or width > own[1]:
        raise ValueError(f"crop: expected at most the image's [{own[0]}, {own[1]}], got [{height}, {width}]")
    top, left = (own[0] - height) // 2, (own[1] - width) // 2
    return pixels[top : top + height, left : left + width]


def resampled(pixels: Shaped[Tensor, "h w c"], size: int | Sequence[int]) -> Shaped[Tensor, "h2 w2 c"]:
    """``pixels`` resized (Lanczos) to [height, width] or to the length of their longer side, within the range that each
    channel has.

    Raises:
        ValueError: if ``size`` is none, or too large.
    """
    height, width = fitted_size("size", size, (pixels.shape[0], pixels.shape[1]))
    budget.check("pixels", height * width, "size")
    channels = []
    for channel in pixels.to(torch.float32).movedim(-1, 0):
        image = Image.fromarray(channel.numpy()).resize((width, height), Image.Resampling.LANCZOS)
        channels.append(torch.from_numpy(np.array(image)).clamp(channel.min().item(), channel.max().item()))
    made = torch.stack(channels, -1)
    return made if pixels.is_floating_point() else made.round().to(pixels.dtype)
