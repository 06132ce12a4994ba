"""Labelled points that are computed once and kept."""

import hashlib
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ffnet.files import replacing

if TYPE_CHECKING:
    from ffnet.datasets.occupancy import OccupancyDataset

CHUNK_POINTS = 2**18
POOL_SEED = 1


def cache_folder() -> Path:
    """Where pools are kept: ``ffnet`` in ``$XDG_CACHE_HOME``, by default ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ffnet"


def labelled_pool(dataset: "OccupancyDataset", count: int) -> tuple[Tensor, Tensor]:
    """``count`` of the dataset's points (n, 3) and labels (n, 1), from the cache if they have been computed before.

    The points have a seed of their own: runs of other seeds draw other batches from the same pool.
    """
    key = hashlib.sha256(f"1 {count} {dataset.near} {dataset.sigma} {dataset.bounds.tolist()}".encode())
    key.update(dataset.winding.mesh.vertices.tobytes())
    key.update(dataset.winding.mesh.faces.tobytes())
    path = cache_folder() / f"pool-{key.hexdigest()[:32]}.npz"
    try:
        with path.open("rb") as file, np.load(file) as kept:
            return torch.from_numpy(kept["points"]), torch.from_numpy(kept["labels"])
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or damaged
        pass
    points, labels = (torch.cat(pieces) for pieces in zip(*_chunks(dataset, count), strict=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            np.savez(temporary, points=points.numpy(), labels=labels.numpy())
    except OSError:  # no cache to write to: the run does not depend on it
        pass
    return points, labels


def _chunks(dataset: "OccupancyDataset", count: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(POOL_SEED)
    with tqdm(total=count, unit="point", unit_scale=True, desc="labels", disable=None, leave=False) as bar:
        for start in range(0, count, CHUNK_POINTS):
            points = dataset.points(min(CHUNK_POINTS, count - start), dataset.near, dataset.sigma, generator)
            yield points, dataset.label(points)
            bar.update(len(points))
