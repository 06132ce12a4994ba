"""Rendering: a fitted field as a picture of any size, or as a mesh."""

from ffnet.rendering.files import check_writable, save_picture
from ffnet.rendering.picture import render, render_signal
from ffnet.rendering.reconstruction import write_reconstruction
from ffnet.rendering.shape import in_own_coordinates, surface

__all__ = [
    "check_writable",
    "in_own_coordinates",
    "render",
    "render_signal",
    "save_picture",
    "surface",
    "write_reconstruction",
]
