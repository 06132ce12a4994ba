"""Training points with their features, computed once."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.datasets import Batch, Dataset
from ffnet.models import Field, Mirrored

# Points that are encoded at a time.
CHUNK = 8192


@dataclass(frozen=True)
class Table:
    """Features of training points, and what was observed.

    Attributes:
        features: (rows, k).
        targets: (rows, images, c): a row stands for one point, or for a point and its mirror image.
        decode: features of some rows (n, k) to values (images * n, c): of the points, then of their images.
    """

    features: Float[Tensor, "rows k"]
    targets: Float[Tensor, "rows images c"]
    decode: Callable[[Tensor], Tensor]

    @property
    def images(self) -> int:
        return self.targets.shape[1]

    def batch(self, rows: slice | Tensor) -> Batch:
        """Features and targets of some rows, as ``decode`` has them."""
        return Batch(self.features[rows], self.targets[rows].transpose(0, 1).flatten(0, 1))


def images(field: Field, dataset: Dataset) -> int:
    """2 if every batch has every point's mirror image, and ``field`` is what ``Mirrored`` asks for; else 1."""
    symmetric = dataset.whole and dataset.training_grid is not None and math.prod(dataset.training_grid) % 2 == 0
    return 2 if symmetric and Mirrored.suits(field) else 1


def tabulated(field: Field, dataset: Dataset, dtype: torch.dtype, device: torch.device) -> Table:
    """All of the dataset's numbered training points, with features of type ``dtype``."""
    count, number = dataset.training_points, images(field, dataset)
    assert count is not None
    features = torch.empty(count // number, field.encoder.out_features, dtype=dtype, device=device)
    targets = torch.empty(count // number, number, dataset.out_features, device=device)
    numbers = torch.arange(count, device=device)
    # On a grid, the point with the same number from the end is the mirror image about the grid's centre.
    centre = dataset.training_batch(numbers[[0, -1]]).coordinates.mean(0) if number == 2 else numbers.new_zeros(1)
    for start in range(0, count // number, CHUNK):
        rows = slice(start, min(start + CHUNK, count // number))
        batch = dataset.training_batch(numbers[rows])
        features[rows], targets[rows, 0] = field.encoder(batch.coordinates - centre), batch.targets
        if number == 2:
            targets[rows, 1] = dataset.training_batch(count - 1 - numbers[rows]).targets
    if number == 1:
        return Table(features, targets, field.decode)
    return Table(features, targets, Mirrored(field, centre).decode)
