"""Trainable features on grids of several resolutions (Müller et al. 2022, arXiv 2201.05989, section 3)."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.nn.functional import grid_sample

from ffnet.encoders.base import Encoder, positive_integer

# As many may have the same resolution.
LEVELS = 32
PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429)


def resolutions(levels: int, lowest: int, highest: int) -> list[int]:
    """Cells along an axis at each level, in geometric progression, both ends included (eq. 2 and 3)."""
    growth = (highest / lowest) ** (1 / max(levels - 1, 1))
    # The tolerance keeps the last level at ``highest`` where the power falls short of it by rounding.
    return [int(lowest * growth**level * (1 + 1e-12)) for level in range(levels)]


def corners(
    axes: Float[Tensor, "d n"], resolution: int | Sequence[int], entries: int
) -> tuple[Int[Tensor, "c n"], Float[Tensor, "c n"]]:
    """Table entries of the ``c = 2^d`` corners of each point's cell, and their multilinear weights.

    If the table has room for all ``(resolution + 1)^d`` vertices, each has its own entry, x fastest; otherwise they
    are hashed (eq. 4), and ``entries`` is a power of two. ``resolution`` may have a number of cells for each axis.
    """
    cells = [resolution] * len(axes) if isinstance(resolution, int) else resolution
    dense = math.prod([count + 1 for count in cells]) <= entries  # a list: torch.compile takes no generators
    combine = torch.add if dense else torch.bitwise_xor
    entry, weight = torch.zeros_like(axes[:1], dtype=torch.int32), torch.ones_like(axes[:1])
    for axis, (x, count) in enumerate(zip(axes, cells, strict=True)):
        position = x.clamp(0, 1) * count
        cell = position.to(torch.int32).clamp(0, count - 1)  # clamped as integers: NaN must not become an index
        right = position - cell
        # Reduced, so that products fit in 32 bits: a hash takes their low bits only.
        stride = math.prod([n + 1 for n in cells[:axis]]) if dense else PRIMES[axis] % entries
        left = cell * stride
        entry = combine(torch.stack([left, left + stride])[:, None], entry).flatten(0, 1)
        weight = (torch.stack([1 - right, right])[:, None] * weight).flatten(0, 1)
    return entry if dense else entry & (entries - 1), weight


def gather(
    x: Float[Tensor, "n d"], table: Float[Tensor, "f entries"], resolution: int | Sequence[int]
) -> Float[Tensor, "f n"]:
    """Multilinear interpolation between the corners of each point's cell, for a dense or a hashed table."""
    entry, weight = corners(x.T, resolution, table.shape[-1])
    # One feature at a time: index_select and its gradient are fastest on single numbers of a row.
    return torch.stack([(row.index_select(0, entry.flatten()).view_as(weight) * weight).sum(0) for row in table])


def sample(
    x: Float[Tensor, "n d"], table: Float[Tensor, "f entries"], resolution: int | Sequence[int]
) -> Float[Tensor, "f n"]:
    """``gather`` for a dense grid in 2D or 3D, by torch's ``grid_sample``, several times as fast."""
    dimensions = x.shape[-1]
    cells = [resolution] * dimensions if isinstance(resolution, int) else resolution
    image = table.reshape(1, len(table), *[count + 1 for count in reversed(cells)])
    points = (2 * x - 1).reshape(1, *[1] * (dimensions - 1), -1, dimensions)
    features = grid_sample(image, points, align_corners=True, padding_mode="border").reshape(len(table), -1)
    return features + (0 * x.clamp(0, 1)).sum(-1)  # torch puts NaN at the border


def differentiated_forward() -> bool:
    """Whether forward-mode derivatives are being computed, which torch does not have of ``grid_sample``."""
    return forward_ad._current_level >= 0


class GridEncoder(Encoder):
    """Features of each level's grid at the point, linearly interpolated: all of level 0, then of level 1, ...

    A level with r cells along an axis has (r + 1)^d vertices. Each has its own table entry if ``table_size`` allows;
    otherwise they share ``table_size`` entries through a hash. Coordinates outside [0, 1] are clamped to the border;
    gradients are finite there. The table is initialised with U(-1e-4, 1e-4).

    Unlike Fourier features, these overfit: between training pixels they interpolate poorly.

    Args:
        in_features: number of coordinates d, 1 to 4.
        levels: number of grids.
        features_per_level: ``out_features`` is ``levels * features_per_level``.
        table_size: maximum number of entries per level; a power of two.
        min_resolution: cells along an axis at the coarsest level.
        max_resolution: cells along an axis at the finest level.
        seed: of the generator that draws the initial table.
        dtype: type of the table; torch's default type if None.

    Raises:
        ValueError: if a count is not an integer of at least 1, ``in_features`` is above 4, ``table_size`` is
            no power of two, or ``max_resolution < min_resolution``, or there are more levels than
            resolutions.
    """

    roundable = ("table",)

    def __init__(
        self,
        in_features: int,
        levels: int = 8,
        features_per_level: int = 2,
        table_size: int = 2**15,
        min_resolution: int = 16,
        max_resolution: int = 512,
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        if positive_integer("in_features", in_features) > len(PRIMES):
            raise ValueError(f"in_features: expected at most {len(PRIMES)}, got {in_features}")
        positive_integer("levels", levels)
        positive_integer("features_per_level", features_per_level)
        positive_integer("min_resolution", min_resolution)
        if positive_integer("max_resolution", max_resolution) < min_resolution:
            raise ValueError(
                f"max_resolution: expected at least min_resolution, {min_resolution}, got {max_resolution}"
            )
        if levels > 1 + max_resolution - min_resolution and levels > LEVELS:
            span = f"{min_resolution} to {max_resolution}"
            raise ValueError(f"levels: expected at most one for each resolution from {span}, got {levels}")
        if positive_integer("table_size", table_size) & (table_size - 1):
            raise ValueError(f"table_size: expected a power of two, got {table_size}")
        super().__init__(in_features, levels * features_per_level)
        self.resolutions = resolutions(levels, min_resolution, max_resolution)
        self.entries = [min((r + 1) ** in_features, table_size) for r in self.resolutions]
        generator = torch.Generator().manual_seed(seed)
        shape = (features_per_level, sum(self.entries))
        uniform = torch.rand(shape, generator=generator, dtype=torch.float64, device="cpu")
        self.table = nn.Parameter(((2 * uniform - 1) * 1e-4).to(torch.empty(0, dtype=dtype)))

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        x = coordinates.reshape(-1, self.in_features)
        tables = self.table.to(x.dtype).split(self.entries, dim=-1)
        features = [
            (sample if self._sampled(table, resolution) else gather)(x, table, resolution)
            for table, resolution in zip(tables, self.resolutions, strict=True)
        ]
        return torch.cat(features).T.reshape(*coordinates.shape[:-1], self.out_features)

    def levels(self) -> Int[Tensor, "k"]:
        return torch.arange(1, len(self.resolutions) + 1).repeat_interleave(len(self.table))

    def interpolation(self, coordinates: Float[Tensor, "n d"]) -> list[Float[Tensor, "n entries"]]:
        """Each level's sparse matrix A of 2^d weights per point: its features are ``A @ table.T``, of its entries."""
        matrices = []
        for entries, resolution in zip(self.entries, self.resolutions, strict=True):
            entry, weight = corners(coordinates.T, resolution, entries)
            rows = torch.arange(len(coordinates), device=entry.device).expand_as(entry)
            place, size = torch.stack([rows.flatten(), entry.flatten()]), (len(coordinates), entries)
            matrices.append(torch.sparse_coo_tensor(place, weight.flatten(), size, check_invariants=False).coalesce())
        return matrices

    def _sampled(self, table: Tensor, resolution: int) -> bool:
        if differentiated_forward():
            return False
        return self.in_features in (2, 3) and table.shape[-1] == (resolution + 1) ** self.in_features
