"""Pixels to a picture file of the fitted picture's own mode."""

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ffnet.datasets.picture import natural_suffix, to_picture
from ffnet.files import replacing
from ffnet.rendering.picture import render_signal


def check_writable(path: Path, signal: dict[str, Any]) -> None:
    """Finds out before the picture is computed whether it can be written.

    Raises:
        ValueError: if the suffix names no format that can hold the picture's mode.
        OSError: if the folder is missing or not writable.
    """
    Image.init()
    kind = Image.EXTENSION.get(path.suffix.lower())
    if kind is None or kind not in Image.SAVE:
        raise ValueError(f"output: expected a picture's name, such as picture.png, got {path.name!r}")
    if path.is_dir() or not path.parent.is_dir():
        raise FileNotFoundError(f"output: {path.parent} is not a folder in which to write {path.name}")
    probe = to_picture(np.zeros((1, 1, signal["channels"]), f"uint{signal['bits']}"), signal)
    try:
        probe.save(io.BytesIO(), format=kind)
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(f"output: {kind} cannot hold a picture of mode {signal['mode']}; try .png") from error
    with tempfile.TemporaryFile(dir=path.parent):
        pass


def save_picture(pixels: np.ndarray, signal: dict[str, Any], path: Path) -> None:
    """Writes pixels (height, width, channels) in the fitted picture's mode; the file is whole or absent."""
    picture = to_picture(pixels, signal)
    with replacing(path) as temporary:
        picture.save(temporary)


def write_picture(
    field: Callable[[Tensor], Tensor],
    signal: dict[str, Any],
    folder: Path,
    device: torch.device | str = "cpu",
) -> Path:
    """Writes ``folder/reconstruction.*``: the signal as ``field`` has it, in its own size and mode."""
    path = folder / f"reconstruction{natural_suffix(signal)}"
    save_picture(render_signal(field, signal, device=device), signal, path)
    return path
