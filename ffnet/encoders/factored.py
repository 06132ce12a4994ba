"""Trainable features on grids over one or two axes each, multiplied: planes and lines instead of a volume."""

import itertools
import math
from collections.abc import Sequence
from functools import reduce as fold
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import interpolate

from ffnet.encoders.base import Encoder, positive_integer
from ffnet.encoders.grid import gather

Factorization = Literal["planes", "lines", "planes and lines"]
Reduction = Literal["product", "sum"]


def terms(factorization: Factorization, dimensions: int) -> list[list[tuple[int, ...]]]:
    """The products that the features consist of: the axes of each of their factors."""
    axes = range(dimensions)
    if factorization == "planes":
        return [list(itertools.combinations(axes, 2))]
    if factorization == "lines":
        return [[(axis,) for axis in reversed(axes)]]
    return [[tuple(other for other in axes if other != axis), (axis,)] for axis in reversed(axes)]


class FactoredGridEncoder(Encoder):
    """Products of linearly interpolated grids over few axes each. Memory grows with the area, or the length, of the
    volume's sides, not with the volume.

    - ``planes``: one product over all pairs of axes (K-Planes, Fridovich-Keil et al. 2023, arXiv 2301.10241, eq. 1).
    - ``lines``: one product over all axes (CP in TensoRF, Chen et al. 2022, arXiv 2203.09517, eq. 3).
    - ``planes and lines``: for each axis, the product of its line and the plane of the others, concatenated (VM in
      TensoRF, eq. 4).

    Coordinates outside [0, 1] are clamped to the border. The grids are initialised with U(0.1, 0.5) for ``planes`` and
    with N(0, 0.1^2) otherwise, as in the papers' code.

    Args:
        in_features: number of coordinates d, 2 to 4; 3 for ``planes and lines``.
        factorization: one of the three above.
        components: features of a product.
        resolution: cells along each axis; one number, or one per axis.
        reduction: of the factors; with ``sum``, planes are those of a triplane.
        seed: of the generator that draws the initial grids.
        dtype: type of the grids; torch's default type if None.

    Raises:
        ValueError: if an argument is out of range.
    """

    roundable = ("table",)

    def __init__(
        self,
        in_features: int,
        factorization: Factorization = "planes",
        components: int = 16,
        resolution: int | Sequence[int] = 128,
        reduction: Reduction = "product",
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        if factorization not in get_args(Factorization):
            expected = ", ".join(get_args(Factorization))
            raise ValueError(f"factorization: expected one of {expected}, got {factorization!r}")
        if reduction not in get_args(Reduction):
            raise ValueError(f"reduction: expected product or sum, got {reduction!r}")
        possible = (3,) if factorization == "planes and lines" else (2, 3, 4)
        if positive_integer("in_features", in_features) not in possible:
            raise ValueError(f"in_features: expected one of {possible} for {factorization!r}, got {in_features}")
        positive_integer("components", components)
        cells = [resolution] * in_features if isinstance(resolution, int) else list(resolution)
        if len(cells) != in_features:
            raise ValueError(f"resolution: expected one number or {in_features}, got {resolution!r}")
        self.cells = [positive_integer("resolution", count) for count in cells]
        self.factorization, self.reduction = factorization, reduction
        self.terms = terms(factorization, in_features)
        # The axes of each factor, in the order of the table; and its vertices, the table's columns, the first of its
        # axes fastest.
        self.factors = [axes for term in self.terms for axes in term]
        self.entries = [math.prod(self.cells[axis] + 1 for axis in axes) for axes in self.factors]
        super().__init__(in_features, components * len(self.terms))
        generator = torch.Generator().manual_seed(seed)
        shape = (components, sum(self.entries))
        if factorization == "planes":
            start = 0.1 + 0.4 * torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
        else:
            start = 0.1 * torch.randn(shape, generator=generator, dtype=torch.float64, device="cpu")
        self.table = nn.Parameter(start.to(torch.empty(0, dtype=dtype)))

    def grids(self, table: Float[Tensor, "components entries"] | None = None) -> list[Tensor]:
        """The table, or another one, as one grid per factor: (components, vertices along its last axis, ... first)."""
        parts = (self.table if table is None else table).split(self.entries, dim=-1)
        shapes = [[self.cells[axis] + 1 for axis in reversed(axes)] for axes in self.factors]
        return [part.unflatten(-1, shape) for part, shape in zip(parts, shapes, strict=True)]

    def resampled(self, resolution: int | Sequence[int]) -> "FactoredGridEncoder":
        """An encoder with other cells, whose grids have the values of this one's at their vertices."""
        components = len(self.table)
        other = FactoredGridEncoder(
            self.in_features, self.factorization, components, resolution, self.reduction, dtype=self.table.dtype
        ).to(self.table.device)
        with torch.no_grad():
            parts = []
            for grid, axes in zip(self.grids(), self.factors, strict=True):
                size = [other.cells[axis] + 1 for axis in reversed(axes)]
                mode = "linear" if len(axes) == 1 else "bilinear"
                parts.append(interpolate(grid[None], size, mode=mode, align_corners=True)[0].flatten(1))
            other.table.copy_(torch.cat(parts, dim=-1))
        return other

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        x = coordinates.reshape(-1, self.in_features)
        grids = iter(self.table.to(x.dtype).split(self.entries, dim=-1))
        combine = torch.mul if self.reduction == "product" else torch.add
        features = []
        for term in self.terms:
            cells = [[self.cells[axis] for axis in axes] for axes in term]
            pairs = zip(term, cells, strict=True)
            factors = [gather(x[:, list(axes)], next(grids), count) for axes, count in pairs]
            features.append(fold(combine, factors))
        return torch.cat(features).T.reshape(*coordinates.shape[:-1], self.out_features)
