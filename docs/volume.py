"""Draws docs/volume.png: slices of a volume that is computed here, of its reconstruction and of the error; a surface.

    python docs/volume.py docs/volume.png

The volume is a ball of a gyroid, which has more detail to one side, in a fainter shell.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot

import ffnet
from ffnet.geometry import extract, views
from ffnet.signals.slices import slices

SIDE = 128


def volume(side: int = SIDE) -> np.ndarray:
    """(side, side, side), uint8."""
    centres = (np.arange(side) + 0.5) / side * 2 - 1
    z, y, x = np.meshgrid(centres, centres, centres, indexing="ij")
    radius = np.sqrt(x**2 + y**2 + z**2)
    phase = 2 * np.pi * (2.5 * np.stack([x, y, z]) + x**2)
    a, b, c = phase
    gyroid = np.sin(a) * np.cos(b) + np.sin(b) * np.cos(c) + np.sin(c) * np.cos(a)
    inner = (0.5 + 0.3 * np.tanh(3 * gyroid)) * (radius < 0.75)
    shell = 0.4 * np.exp(-(((radius - 0.85) / 0.04) ** 2))
    return np.rint(255 * np.clip(inner + shell, 0, 1)).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    arguments = parser.parse_args()
    target = volume()
    run = ffnet.fit(target, dataset="volume", progress=False)
    fitted = run.reconstruction()
    rows = {
        "target": target / 255,
        f"reconstruction, {run.metrics['psnr']:.1f} dB": fitted / 255,
        "error, five times as bright": np.clip(5 * np.abs(fitted.astype(float) - target) / 255, 0, 1),
    }
    figure = pyplot.figure(figsize=(10, 8), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(3, 1.12))
    for axis, (title, values) in zip(left.subplots(3, 1), rows.items(), strict=True):
        shown = torch.from_numpy(values.astype(np.float32)).flatten()
        axis.imshow(slices(lambda index, shown=shown: shown[index, None], target.shape, (1, 1, 1), 3 * SIDE))
        axis.set_title(title)
        axis.axis("off")
    shaded = views(extract(lambda x: run.field(x) - 0.5, SIDE), 256)
    pictures = np.split(shaded, 3, axis=1)
    for axis, picture in zip(right.subplots(3, 1), pictures, strict=True):
        axis.imshow(picture)
        axis.axis("off")
    right.suptitle("its surface at half the range")
    figure.savefig(arguments.output, dpi=80)
