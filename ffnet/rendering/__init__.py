"""Rendering: evaluates a field on grids of any size, in bands of rows or plane by plane."""

from ffnet.rendering.grid import bands, grid_coordinates, pixel_coordinates, voxel_coordinates
from ffnet.rendering.image import render, rendered, whole
from ffnet.rendering.volume import planes

__all__ = [
    "bands",
    "grid_coordinates",
    "pixel_coordinates",
    "planes",
    "render",
    "rendered",
    "voxel_coordinates",
    "whole",
]
