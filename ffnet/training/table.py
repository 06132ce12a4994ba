"""Training points with their features, computed once."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ffnet.datasets import Batch, Dataset
from ffnet.encoders import Sinusoids
from ffnet.encoders.fourier import sincos
from ffnet.models import Field
from ffnet.models.base import NetworkField

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


class Mirrored:
    """``field.decode`` of points c + v and their mirror images c - v at once, at half the cost of the first layer.

    Behind a sine and a cosine, a linear map of ``v`` has an odd and an even part, and of ``-v`` the same two with
    another sign. The weights belong to phases counted from 0, so they are turned by the phase of the centre c:
    ``w sin(p + q) + u cos(p + q) = (w cos p - u sin p) sin q + (w sin p + u cos p) cos q``.
    """

    def __init__(self, field: NetworkField, centre: Float[Tensor, "d"]) -> None:
        assert isinstance(field.encoder, Sinusoids)
        assert isinstance(field.network, nn.Sequential)
        self.first, self.rest = field.network[0], field.network[1:]
        self.sin, self.cos = sincos(field.encoder.cycles(centre)).chunk(2)

    def decode(self, features: Float[Tensor, "n k"]) -> Float[Tensor, "2*n c"]:
        of_sines, of_cosines = self.first.weight.chunk(2, dim=1)
        sines, cosines = features.chunk(2, dim=-1)
        odd = linear(sines, of_sines * self.cos - of_cosines * self.sin)
        even = linear(cosines, of_sines * self.sin + of_cosines * self.cos, self.first.bias)
        return self.rest(torch.cat([even + odd, even - odd]))


def images(field: Field, dataset: Dataset) -> int:
    """2 if every batch has every point's mirror image, and ``field`` is what ``Mirrored`` asks for; else 1."""
    symmetric = dataset.whole and dataset.training_grid is not None and math.prod(dataset.training_grid) % 2 == 0
    waves = isinstance(field.encoder, Sinusoids) and field.encoder.extra_features == 0
    linear_first = (
        isinstance(field, NetworkField)
        and type(field.network) is nn.Sequential
        and isinstance(field.network[0], nn.Linear)
        and not field.exact_features
    )
    return 2 if symmetric and waves and linear_first else 1


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
    assert isinstance(field, NetworkField)
    return Table(features, targets, Mirrored(field, centre).decode)
