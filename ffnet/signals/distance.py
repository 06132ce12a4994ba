"""A shape as a signed distance."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float

from ffnet.budget import EVALUATIONS
from ffnet.geometry import Mesh
from ffnet.signals.base import Field
from ffnet.signals.shape import VIEW_SIDE, ShapeRecord

# Distance between level lines, in sides of the unit cube.
SPACING = 0.05
INSIDE, OUTSIDE = np.array([0.30, 0.50, 0.75]), np.array([0.93, 0.72, 0.45])


@dataclass(frozen=True)
class DistanceRecord(ShapeRecord):
    """The record of a shape fitted as a signed distance, whose surface is the zero level.

    Attributes: as of ``ShapeRecord``.
    """

    def values(self) -> str:
        return (
            "a signed distance in sides of the unit cube, negative inside; divided by "
            f"scale = {self.scale:g} it is in the unit of the file"
        )

    def inside(self, field: Field) -> Field:
        return lambda x: -field(x)

    def picture(self, field: Field, mesh: Mesh, device: torch.device | str = "cpu") -> Float[np.ndarray, "h w 3"]:
        """The surface from three directions, above the level lines in three planes."""
        levels = level_slices(field, VIEW_SIDE, device)
        return np.concatenate([super().picture(field, mesh, device), levels])


@torch.inference_mode()
def level_slices(field: Field, side: int, device: torch.device | str = "cpu") -> Float[np.ndarray, "side width 3"]:
    """``level_lines`` of a field in the planes z = 1/2, y = 1/2 and x = 1/2 through the unit cube, side by side, each
    ``side`` pixels wide: x to the right and y up, x to the right and z up, z to the right and y up."""
    place = (torch.arange(side, device=device) + 0.5) / side
    up, right = torch.meshgrid(place.flip(0), place, indexing="ij")
    middle = torch.full_like(up, 0.5)
    slices = []
    for plane in ((right, up, middle), (right, middle, up), (middle, up, right)):
        points = torch.stack(plane, dim=-1).reshape(-1, 3)
        values = torch.cat([field(part).float() for part in points.split(EVALUATIONS)])
        slices.append(level_lines(values.reshape(side, side).cpu().double().numpy()))
    return np.concatenate(slices, axis=1)


def level_lines(values: Float[np.ndarray, "h w"], spacing: float = SPACING) -> Float[np.ndarray, "h w 3"]:
    """A picture of signed distances: one colour inside and one outside, paler with the distance, thin lines at
    multiples of ``spacing`` and a thick one at 0. RGB in [0, 1]."""
    slope = np.hypot(*np.gradient(values)).clip(1e-9)  # per pixel
    paler = np.exp(-np.abs(values) / (4 * spacing))[..., None]
    image = 1 - paler * (1 - np.where(values[..., None] < 0, INSIDE, OUTSIDE))
    thin = (1 - np.abs(values - spacing * np.round(values / spacing)) / slope).clip(0, 1)
    thick = (2 - np.abs(values) / slope).clip(0, 1)
    return image * (1 - np.maximum(0.5 * thin, thick)[..., None])
