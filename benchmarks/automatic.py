"""The settings of the default for images, one changed at a time: PSNR at the pixels, and between them against cubic
convolution.

    python benchmarks/automatic.py IMAGE...
"""

import argparse
import math
from pathlib import Path

import torch

import ffnet
from ffnet.datasets import ImageDataset
from ffnet.datasets.image import PixelsAndBetween

# Settings as functions of the image's larger side and of the number of its pixels.
ROWS = {
    "default": lambda side, pixels: [],
    "between=0": lambda side, pixels: ["dataset.between=0"],
    "between=0.5": lambda side, pixels: ["dataset.between=0.5"],
    "cells = pixels": lambda side, pixels: [f"encoder.max_resolution={side}"],
    "cells = 2 x pixels": lambda side, pixels: [f"encoder.max_resolution={2 * side}"],
    "half the table": lambda side, pixels: [f"encoder.table_size={2 ** (pixels.bit_length() - 3)}"],
    "twice the table": lambda side, pixels: [f"encoder.table_size={2 ** (pixels.bit_length() - 1)}"],
    "8 levels": lambda side, pixels: ["encoder.levels=8"],
    "betas 0.9, 0.99": lambda side, pixels: ["optimizer.betas=[0.9,0.99]"],
    "lr 1e-2": lambda side, pixels: ["optimizer.lr=1e-2"],
    "Muon": lambda side, pixels: ["optimizer=muon"],
}


def scores(image: Path, row: str) -> tuple[float, float, float]:
    """PSNR at the pixels and between them, and seconds of training."""
    dataset = ImageDataset(image)
    grid = dataset.regular
    overrides = ROWS[row](max(grid.grid), grid.size)
    run = ffnet.fit(image, overrides=["~callbacks.views", *overrides], progress=False)
    x = torch.rand(2**16, 2, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        error = (run.field(x) - PixelsAndBetween(grid, 1.0).at(x)).double().square().mean().item()
    return run.scores["psnr"], -10 * math.log10(error), run.metrics["seconds"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    arguments = parser.parse_args()
    print("| |", " | ".join(image.name for image in arguments.images), "|")
    print("|---|" + "---|" * len(arguments.images))
    for row in ROWS:
        cells = ["{:.2f} / {:.2f} dB, {:.1f} s".format(*scores(image, row)) for image in arguments.images]
        print(f"| {row} |", " | ".join(cells), "|", flush=True)
