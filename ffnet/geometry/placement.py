"""Placement of a shape in the unit cube."""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float


class Placement(NamedTuple):
    """``unit = scale * (own - centre) + 0.5``: from the coordinates of a file to [0, 1]^3."""

    scale: float
    centre: tuple[float, float, float]

    def to_unit(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return self.scale * (points - np.array(self.centre)) + 0.5

    def to_own(self, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
        return (points - 0.5) / self.scale + np.array(self.centre)


def in_box(vertices: Float[np.ndarray, "v 3"], margin: float) -> Placement:
    """Centres the bounding box in the cube, its longest side ``margin`` from both faces."""
    low, high = vertices.min(0), vertices.max(0)
    return _placement((1 - 2 * margin) / (high - low).max(), low + (high - low) / 2)


def as_in_paper(vertices: Float[np.ndarray, "v 3"]) -> Placement:
    """Centres the mean vertex, with the farthest coordinate on a face (Tancik et al. 2020, 3D shape)."""
    centre = vertices.mean(0)
    return _placement(0.5 / np.abs(vertices - centre).max(), centre)


def _placement(scale: Any, centre: np.ndarray) -> Placement:
    if not (np.isfinite(scale) and scale > 0 and np.isfinite(centre).all()):
        raise ValueError("the shape's size is too large or too small for a number")
    return Placement(float(scale), tuple(centre.tolist()))
