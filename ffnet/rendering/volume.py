"""Evaluates a field over the unit cube, plane by plane."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.budget import EVALUATIONS
from ffnet.rendering.grid import voxel_coordinates


def planes(
    field: Callable[[Tensor], Tensor],
    size: Sequence[int],
    *,
    device: torch.device | str = "cpu",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
) -> Iterator[Float[np.ndarray, "h w c"]]:
    """The field's values at the voxels of a volume of ``size`` (depth, height, width), one plane after the other.

    Args:
        field: coordinates (n, 3), x first, to values (n, c).
        size: in voxels, independent of the size that was fitted. The frames of a video are such planes.
        device: the device of the field.
        progress: wraps the iteration over planes, as ``tqdm`` does.
    """
    _, height, width = size
    for plane in progress(range(size[0])):
        with torch.inference_mode():
            index = torch.arange(plane * height * width, (plane + 1) * height * width, device=device)
            parts = [field(voxel_coordinates(part, size)).float() for part in index.split(EVALUATIONS)]
            values = torch.cat(parts).view(height, width, -1).cpu().numpy()
        yield values
