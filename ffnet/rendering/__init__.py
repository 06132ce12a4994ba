"""Rendering: a fitted field as a picture of any size."""

from ffnet.rendering.files import check_writable, save_picture, write_reconstruction
from ffnet.rendering.picture import render, render_signal

__all__ = ["check_writable", "render", "render_signal", "save_picture", "write_reconstruction"]
