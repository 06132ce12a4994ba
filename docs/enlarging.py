"""Draws docs/enlarging.png: parts of two images that were made smaller four times and enlarged again.

    python docs/enlarging.py docs/enlarging.png

The images are the bundled cat and text drawn with Pillow's own font.
"""

import argparse
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFont

import ffnet
from ffnet.rendering import grid_coordinates
from ffnet.resources import resource

FACTOR, ZOOM, GAP, LABEL = 4, 3, 8, 26
TEXT = "Fourier features let networks learn high frequency functions in low dimensional domains. "


def cat() -> tuple[np.ndarray, tuple[int, int, int, int]]:
    return np.asarray(Image.open(resource("data") / "cat.png").convert("RGB")), (60, 40, 140, 120)


def page() -> tuple[np.ndarray, tuple[int, int, int, int]]:
    sheet = Image.new("RGB", (256, 256), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(24)
    for row in range(9):
        draw.text((4 - 60 * row, 6 + 28 * row), TEXT * 2, "black", font)
    return np.asarray(sheet), (20, 60, 100, 140)


def smaller(image: np.ndarray) -> np.ndarray:
    height, width, _ = image.shape
    cells = image.reshape(height // FACTOR, FACTOR, width // FACTOR, FACTOR, 3)
    return (cells.mean((1, 3)) / 255).astype(np.float32)


def bicubic(small: np.ndarray) -> np.ndarray:
    size = (small.shape[1] * FACTOR, small.shape[0] * FACTOR)
    planes = [Image.fromarray(small[..., c]).resize(size, Image.Resampling.BICUBIC) for c in range(3)]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def fitted(small: np.ndarray, **settings: object) -> np.ndarray:
    field = ffnet.fit(small, progress=False, **settings).field
    size = (small.shape[0] * FACTOR, small.shape[1] * FACTOR)
    with torch.inference_mode():
        parts = [field(x) for x in grid_coordinates(range(size[0]), size).split(2**16)]
    return torch.cat(parts).view(*size, 3).numpy()


WAYS = {
    "bicubic": bicubic,
    "recipe=fast": lambda small: fitted(small, recipe="fast"),
    "default": fitted,
    "recipe=enlarge": lambda small: fitted(small, recipe="enlarge"),
}


def row(image: np.ndarray, box: tuple[int, int, int, int]) -> list[tuple[str, Image.Image]]:
    """Parts of the original and of each way, with its PSNR over the whole image."""
    parts = [("original", Image.fromarray(image).crop(box))]
    for name, way in WAYS.items():
        values = way(smaller(image)).clip(0, 1)
        psnr = -10 * math.log10(np.square(values - image / 255).mean())
        parts.append((f"{name}, {psnr:.1f} dB", Image.fromarray((values * 255).round().astype(np.uint8)).crop(box)))
    return parts


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    rows = [row(*cat()), row(*page())]
    side = rows[0][0][1].width * ZOOM
    sheet = Image.new("RGB", (len(rows[0]) * (side + GAP) - GAP, len(rows) * (side + LABEL)), "white")
    draw = ImageDraw.Draw(sheet)
    for y, parts in enumerate(rows):
        for x, (label, part) in enumerate(parts):
            left, top = x * (side + GAP), y * (side + LABEL)
            sheet.paste(part.resize((side, side), Image.Resampling.NEAREST), (left, top + LABEL))
            draw.text((left + side / 2, top + LABEL / 2), label, "black", ImageFont.load_default(16), anchor="mm")
    sheet.save(arguments.output, optimize=True)
