"""What a run leaves of a fitted signal, by the signal's kind."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ffnet.rendering.files import write_picture
from ffnet.rendering.shape import write_shape

_WRITERS: dict[str, Callable[..., Path | None]] = {"picture": write_picture, "shape": write_shape}


def write_reconstruction(
    field: Callable[[Tensor], Tensor], signal: dict[str, Any], folder: Path, device: torch.device | str = "cpu"
) -> Path | None:
    """Writes ``folder/reconstruction.*``: the signal as ``field`` has it; None if there is nothing to write."""
    return _WRITERS[signal["kind"]](field, signal, folder, device)
