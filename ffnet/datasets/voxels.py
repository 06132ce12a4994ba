"""Training data that are the voxels of a volume or the pixels of a video."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ffnet.datasets.base import Batch, Dataset, Source
from ffnet.rendering import voxel_coordinates

if TYPE_CHECKING:
    from ffnet.signals.video import VideoRecord
    from ffnet.signals.volume import VolumeRecord

# Width of the picture of the signal in pixels.
LONGEST_SIDE = 1024


class Voxels(Source):
    """Values (depth, height, width, channels) in their own dtype, plane by plane; of a video, z is time.

    Args:
        values: of any dtype that torch indexes.
        low, high: the values that become 0 and 1.
    """

    values: Tensor

    def __init__(self, values: Tensor, low: float, high: float) -> None:
        super().__init__()
        self.hold("values", values)
        self.low, self.high = low, high
        self.grid: tuple[int, int, int] = (values.shape[0], values.shape[1], values.shape[2])
        self.size = values.shape[0] * values.shape[1] * values.shape[2]

    def at(self, index: Int[Tensor, "n"]) -> Float[Tensor, "n c"]:
        """Values in [0, 1] of the voxels with the given numbers."""
        values = self.values.view(self.size, -1)[index]
        return (values.to(torch.float32) - self.low) / (self.high - self.low)

    def batch(self, index: Int[Tensor, "k"]) -> Batch:
        return Batch(voxel_coordinates(index, self.grid), self.at(index))

    def mean(self) -> list[float]:
        """The mean of each channel, plane by plane: large volumes are not copied to float."""
        sums = [plane.double().sum((0, 1)) for plane in self.values]
        mean = torch.stack(sums).sum(0) / self.size
        return ((mean - self.low) / (self.high - self.low)).tolist()


class VoxelDataset(Dataset):
    """Fits voxels. Views are those that the record pictures: slices of a volume, frames of a video."""

    record: "VideoRecord | VolumeRecord"
    source: Voxels

    def mean(self) -> list[float]:
        return self.source.mean()

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright)."""
        device = self.source.values.device
        target = self.record.picture(self.source.at, max_side, device)
        fitted = self.record.pictured(field, max_side, device)
        return {"target": target, "reconstruction": fitted, "error": (5 * (fitted - target).abs()).clamp(max=1)}

    def image(self) -> Image.Image:
        shown = self.record.picture(self.source.at, LONGEST_SIDE, self.source.values.device)
        return Image.fromarray((255 * shown).round().byte().numpy())
