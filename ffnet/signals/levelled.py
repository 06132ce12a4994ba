"""An image that is known up to a constant."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet.budget import EVALUATIONS
from ffnet.rendering import bands, grid_coordinates
from ffnet.signals.base import Field
from ffnet.signals.image_record import NAMES, ImageRecord


@dataclass(frozen=True)
class LevelledRecord(ImageRecord):
    """The record of an image fitted up to a constant in each channel, as gradients leave it.

    Attributes:
        level: the mean of each channel that reconstructions get, by adding a constant to the field.
    """

    level: Sequence[float] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len(self.level) != self.channels or not np.isfinite(np.array(self.level, np.float64)).all():
            raise ValueError(f"level {self.level} of {self.channels} channels")

    def values(self) -> str:
        return f"{NAMES[self.mode]}, up to a constant in each channel"

    def render(self, field: Field, size: tuple[int, int] | None = None, **options: Any) -> np.ndarray:
        return super().render(self.levelled(field, options.get("device", "cpu")), size, **options)

    def render_to(self, path: Path, field: Field, size: tuple[int, int], **options: Any) -> None:
        super().render_to(path, self.levelled(field, options.get("device", "cpu")), size, **options)

    def _view(self, field: Field, longest: int | None, device: torch.device | str) -> Image.Image:
        return super()._view(self.levelled(field, device), longest, device)

    @torch.inference_mode()
    def levelled(self, field: Field, device: torch.device | str = "cpu") -> Callable[[Tensor], Tensor]:
        """``field`` plus the constant that makes its mean over the image's pixels ``level``."""
        height, width = self.size
        sums = torch.zeros(self.channels, dtype=torch.float64, device=device)
        for rows in bands(height, width, EVALUATIONS):
            points = grid_coordinates(rows, self.size, self.offset, torch.device(device))
            for piece in points.split(EVALUATIONS):  # a single row can be wider than a band
                sums += field(piece).double().sum(0)
        constant = (torch.tensor(self.level, dtype=torch.float64, device=device) - sums / (height * width)).float()

        def shifted(x: Float[Tensor, "*batch 2"]) -> Float[Tensor, "*batch c"]:
            return field(x).float() + constant

        return shifted
