"""A cache of the training points' features."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.budget import CACHED_EVALUATIONS
from ffnet.datasets import Batch, Dataset, Source
from ffnet.fitting.mirrored import Mirrored
from ffnet.models import Field


@dataclass(frozen=True)
class FeatureCache:
    """Features and targets of all training points.

    Attributes:
        features: (rows, k).
        targets: (rows, m, c); a row represents one point (m = 1), or a point and its mirror point (m = 2).
        decode: maps features of rows (n, k) to values (m * n, c): those of the points, then of their mirror points.
    """

    features: Float[Tensor, "rows k"]
    targets: Float[Tensor, "rows m c"]
    decode: Callable[[Tensor], Tensor]

    @property
    def points_per_row(self) -> int:
        return self.targets.shape[1]

    def batch(self, rows: slice | Tensor) -> Batch:
        """Features (in place of queries) and targets of the given rows, in the order of ``decode``."""
        return Batch(self.features[rows], self.targets[rows].transpose(0, 1).flatten(0, 1))


def points_per_row(field: Field, dataset: Dataset) -> int:
    """2 if every batch contains the mirror point of every point and ``Mirrored`` supports ``field``; else 1."""
    assert isinstance(dataset.source, Source)
    grid = dataset.source.grid
    symmetric = dataset.whole and grid is not None and math.prod(grid) % 2 == 0
    return 2 if symmetric and Mirrored.suits(field) else 1


def cached(field: Field, dataset: Dataset, dtype: torch.dtype, device: torch.device) -> FeatureCache:
    """The cache of all training points of the dataset, with features of type ``dtype``."""
    source, per_row = dataset.source, points_per_row(field, dataset)
    assert isinstance(source, Source)
    rows = source.size // per_row
    columns = source.batch(torch.zeros(1, dtype=torch.int64, device=device)).targets.shape[1]
    features = torch.empty(rows, field.encoder.out_features, dtype=dtype, device=device)
    targets = torch.empty(rows, per_row, columns, device=device)
    index = torch.arange(source.size, device=device)
    # On a grid, counting from the end gives the mirror point about the centre of the grid.
    centre = source.batch(index[[0, -1]]).queries.mean(0) if per_row == 2 else index.new_zeros(1)
    for start in range(0, rows, CACHED_EVALUATIONS):
        some = slice(start, min(start + CACHED_EVALUATIONS, rows))
        batch = source.batch(index[some])
        features[some], targets[some, 0] = field.encoder(batch.queries - centre), batch.targets
        if per_row == 2:
            targets[some, 1] = source.batch(source.size - 1 - index[some]).targets
    return FeatureCache(features, targets, field.decode if per_row == 1 else Mirrored(field, centre).decode)
