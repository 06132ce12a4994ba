"""Draws docs/sdf.png, and scores sampled grids of distances: the figures of docs/sdf.md.

python docs/sdf.py draw RUN      # a run directory of `ffnet fit dataset=sdf`
python docs/sdf.py grid 32 64    # exact distances at the vertices of grids with so many cells, trilinear in between
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample

from ffnet.datasets import SDFDataset
from ffnet.fitting import evaluate
from ffnet.geometry import SignedDistance

WIDTH = 960


def sampled(distance: SignedDistance, cells: int) -> Tensor:
    """Distances at the vertices (z, y, x) of a grid over the unit cube."""
    place = np.linspace(0, 1, cells + 1)
    points = np.stack(np.meshgrid(place, place, place, indexing="ij"), -1)[..., ::-1].reshape(-1, 3)
    values = np.concatenate([distance(part)[0] for part in np.array_split(points, -(-len(points) // 2**18))])
    return torch.from_numpy(values).float().view(1, 1, *[cells + 1] * 3)


def draw(run: Path) -> None:
    picture = Image.open(run / "views.png")
    smaller = picture.resize((WIDTH, round(WIDTH * picture.height / picture.width)), Image.Resampling.LANCZOS)
    smaller.quantize(128).save(Path(__file__).with_suffix(".png"), optimize=True)


def grid(every: list[int]) -> None:
    dataset = SDFDataset(pool=None)
    distance = SignedDistance(dataset.signal.placed)
    for cells in every:
        start = time.perf_counter()
        values = sampled(distance, cells)
        seconds = time.perf_counter() - start

        def field(x: Tensor, values: Tensor = values) -> Tensor:
            return grid_sample(values, (2 * x - 1).view(1, 1, 1, -1, 3), align_corners=True).view(-1, 1)

        scores = {name: float(f"{score:.3g}") for name, score in evaluate(field, dataset).items()}
        print(f"{cells} cells, {seconds:.1f} s, {values.numel():,} numbers: {json.dumps(scores)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("draw").add_argument("run", type=Path)
    commands.add_parser("grid").add_argument("cells", type=int, nargs="+")
    given = parser.parse_args()
    if given.command == "draw":
        draw(given.run)
    else:
        grid(given.cells)
