"""A cached pool of labelled points."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ffnet.atomic import replacing

if TYPE_CHECKING:
    from ffnet.datasets.occupancy import ShapePoints

CHUNK_POINTS = 2**18
POOL_SEED = 1


def cache_directory() -> Path:
    """The cache directory: ``ffnet`` in ``$XDG_CACHE_HOME``, by default ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ffnet"


def labelled_pool(shape: "ShapePoints", count: int) -> tuple[Tensor, Tensor]:
    """``count`` points (n, 3) of the shape and their labels (n, c), from the cache if it contains them.

    The points have a fixed seed: runs with different seeds draw different batches from the same pool.
    """
    key = hashlib.sha256(
        f"2 {shape.kind}{count} {shape.surface_fraction} {shape.sigma} {shape.bounds.tolist()}".encode()
    )
    key.update(shape.winding.mesh.vertices.tobytes())
    key.update(shape.winding.mesh.faces.tobytes())
    path = cache_directory() / f"pool-{key.hexdigest()[:32]}.npz"
    try:
        with path.open("rb") as file, np.load(file) as kept:
            points, labels, digest = kept["points"], kept["labels"], str(kept["digest"])
        if digest == _digest(points, labels) and len(points) == count:
            return torch.from_numpy(points), torch.from_numpy(labels)
    except Exception:  # missing or damaged, in the words of zipfile, zlib or numpy
        pass
    points, labels = (torch.cat(pieces) for pieces in zip(*_chunks(shape, count), strict=True))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            found = points.numpy(), labels.numpy()
            np.savez(temporary, points=found[0], labels=found[1], digest=np.array(_digest(*found)))
    except OSError:  # the cache cannot be written; the run does not depend on it
        pass
    return points, labels


def _digest(points: np.ndarray, labels: np.ndarray) -> str:
    """Of the contents with their shapes and types; a damaged file has another one."""
    digest = hashlib.sha256(f"{points.shape} {points.dtype} {labels.shape} {labels.dtype}".encode())
    for array in (points, labels):
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _chunks(shape: "ShapePoints", count: int) -> Iterator[tuple[Tensor, Tensor]]:
    generator = torch.Generator().manual_seed(POOL_SEED)
    with tqdm(total=count, unit="point", unit_scale=True, desc="labels", disable=None, leave=False) as bar:
        for start in range(0, count, CHUNK_POINTS):
            points = shape.points(min(CHUNK_POINTS, count - start), shape.surface_fraction, shape.sigma, generator)
            yield points, shape.label(points)
            bar.update(len(points))
