"""Regular grids of points in the unit square and the unit cube."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor


def pixel_coordinates(
    rows: Int[Tensor, "n"], columns: Int[Tensor, "n"], size: tuple[int, int], offset: float = 0.5
) -> Float[Tensor, "n 2"]:
    """Coordinates (x, y) of pixels of an image of ``size`` (height, width), in float32.

    ``offset`` is the position of a pixel in its cell: 0.5 is the centre, ``(i + 0.5) / n``; 0 is the upper left corner,
    ``i / n``.
    """
    height, width = size
    return torch.stack([(columns + offset) / width, (rows + offset) / height], dim=-1)


def grid_coordinates(
    rows: range, size: tuple[int, int], offset: float = 0.5, device: torch.device | None = None
) -> Float[Tensor, "n 2"]:
    """Coordinates of all pixels in the given rows of an image of ``size`` (height, width), row by row."""
    row = torch.arange(rows.start, rows.stop, rows.step, device=device)
    column = torch.arange(size[1], device=device)
    rows_, columns = torch.meshgrid(row, column, indexing="ij")
    return pixel_coordinates(rows_.reshape(-1), columns.reshape(-1), size, offset)


def bands(height: int, width: int, points: int) -> list[range]:
    """The rows of an image in consecutive bands of about ``points`` pixels, at least one row each."""
    step = max(1, points // width)
    return [range(start, min(start + step, height)) for start in range(0, height, step)]


def voxel_coordinates(index: Int[Tensor, "n"], size: Sequence[int]) -> Float[Tensor, "n 3"]:
    """Coordinates (x, y, z) of the centres of voxels of a volume of ``size`` (depth, height, width), in float32.

    Voxels are numbered plane by plane, and row by row in a plane.
    """
    depth, height, width = size
    row = index.div(width, rounding_mode="floor")
    plane = row.div(height, rounding_mode="floor")
    x, y, z = (index - row * width + 0.5) / width, (row - plane * height + 0.5) / height, (plane + 0.5) / depth
    return torch.stack([x, y, z], dim=-1)
