"""Three orthogonal slices through the middle of a volume, as a picture."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.budget import EVALUATIONS


def slices(
    values: Callable[[Int[Tensor, "n"]], Float[Tensor, "n c"]],
    size: Sequence[int],
    spacing: Sequence[float],
    max_side: int,
    *,
    upward: bool = False,
    device: torch.device | str = "cpu",
) -> Float[Tensor, "h w 3"]:
    """The slices along (x, y), (x, z) and (y, z) in a row, with the sides that they have in space, RGB in [0, 1].

    Args:
        values: of the voxels with the given numbers, plane by plane and row by row, in [0, 1]. Three channels are
            colours; of any other number, the first is shown in grey.
        size: (depth, height, width) in voxels.
        spacing: sides of a voxel along x, y, z.
        max_side: the largest width in pixels.
        upward: whether y and z point up in the picture instead of down.
        device: of the numbers.
    """
    counts = size[::-1]
    extents = [count * side for count, side in zip(counts, spacing, strict=True)]
    scale = min(max_side / (2 * extents[0] + extents[1]), max_side / max(extents), 1 / min(spacing))
    pixels = [max(1, int(extent * scale)) for extent in extents]
    # The nearest voxel of each pixel.
    places = [
        (torch.arange(n, device=device) * 2 + 1) * count // (2 * n) for n, count in zip(pixels, counts, strict=True)
    ]
    strides = (1, counts[0], counts[0] * counts[1])
    panels = []
    for across, down, fixed in ((0, 1, 2), (0, 2, 1), (1, 2, 0)):
        rows = places[down].flip(0) if upward else places[down]
        index = rows[:, None] * strides[down] + places[across] * strides[across] + counts[fixed] // 2 * strides[fixed]
        shown = torch.cat([values(part).float() for part in index.flatten().split(EVALUATIONS)]).clamp(0, 1)
        shown = shown if shown.shape[-1] == 3 else shown[:, :1].expand(-1, 3)
        panels.append(shown.view(*index.shape, 3).cpu())
    height = max(len(panel) for panel in panels)
    # Padded evenly above and below.
    return torch.cat([_padded(panel, height) for panel in panels], dim=1)


def _padded(panel: Float[Tensor, "h w 3"], height: int) -> Float[Tensor, "g w 3"]:
    above = (height - len(panel)) // 2
    return torch.nn.functional.pad(panel, (0, 0, 0, 0, above, height - len(panel) - above))
