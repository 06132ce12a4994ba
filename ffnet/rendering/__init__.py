"""Rendering: evaluates a field on grids of any size, in bands of rows."""

from ffnet.rendering.grid import bands, grid_coordinates, pixel_coordinates
from ffnet.rendering.image import render

__all__ = ["bands", "grid_coordinates", "pixel_coordinates", "render"]
