"""Trainable features on grids of several resolutions (Müller et al. 2022, arXiv 2201.05989, section 3)."""

import itertools

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.functional import grid_sample

from ffnet.encoders.base import Encoder, positive_integer

PRIMES = (1, 2_654_435_761, 805_459_861, 3_674_653_429)


def resolutions(levels: int, lowest: int, highest: int) -> list[int]:
    """Cells along an axis at each level, in geometric progression, both ends included (eq. 2 and 3)."""
    growth = (highest / lowest) ** (1 / max(levels - 1, 1))
    # The tolerance keeps the last level at ``highest`` where the power falls short of it by rounding.
    return [int(lowest * growth**level * (1 + 1e-12)) for level in range(levels)]


def spatial_hash(vertices: Int[Tensor, "*batch d"], entries: int) -> Int[Tensor, "*batch"]:
    """Table entries of grid vertices, for a table whose number of entries is a power of two (eq. 4)."""
    hashed = vertices[..., 0] * PRIMES[0]
    for axis in range(1, vertices.shape[-1]):
        hashed = hashed ^ (vertices[..., axis] * PRIMES[axis])
    return hashed & (entries - 1)


def row_major(vertices: Int[Tensor, "*batch d"], resolution: int) -> Int[Tensor, "*batch"]:
    """Table entries of grid vertices where each vertex has its own, x fastest."""
    powers = [(resolution + 1) ** axis for axis in range(vertices.shape[-1])]
    return (vertices * torch.tensor(powers, device=vertices.device)).sum(-1)


def gather(x: Float[Tensor, "n d"], table: Float[Tensor, "f entries"], resolution: int) -> Float[Tensor, "f n"]:
    """Multilinear interpolation between the 2^d corners of each point's cell.

    Vertices have entries of their own if the table is large enough for all (r + 1)^d, else they are hashed.
    """
    dimensions, entries = x.shape[-1], table.shape[-1]
    position = x.clamp(0, 1) * resolution
    cell = position.detach().long().clamp(0, resolution - 1)  # as whole numbers: NaN must not become an address
    fraction = position - cell
    features = torch.zeros((), dtype=x.dtype, device=x.device)
    for corner in itertools.product((0, 1), repeat=dimensions):
        step = torch.tensor(corner, device=x.device)
        vertices = cell + step
        dense = (resolution + 1) ** dimensions <= entries
        entry = row_major(vertices, resolution) if dense else spatial_hash(vertices, entries)
        weight = torch.where(step.bool(), fraction, 1 - fraction).prod(-1)
        features = features + table[:, entry] * weight
    return features


def sample(x: Float[Tensor, "n d"], table: Float[Tensor, "f entries"], resolution: int) -> Float[Tensor, "f n"]:
    """``gather`` for a dense grid in 2D or 3D, by torch's ``grid_sample``, several times as fast."""
    dimensions = x.shape[-1]
    picture = table.reshape(1, len(table), *[resolution + 1] * dimensions)
    points = (2 * x - 1).reshape(1, *[1] * (dimensions - 1), -1, dimensions)
    return grid_sample(picture, points, align_corners=True, padding_mode="border").reshape(len(table), -1)


class GridEncoder(Encoder):
    """Features of each level's grid at the point, linearly interpolated: all of level 0, then of level 1, ...

    A level with r cells along an axis has (r + 1)^d vertices. They have a table entry each while ``table_size``
    allows it; beyond, they share ``table_size`` entries by a hash. Coordinates outside [0, 1] count as the
    border. The start is U(-1e-4, 1e-4). The gradient is piecewise constant, and 0 in a coordinate on the border.

    Unlike frequencies, these features overfit: between the pixels that were fitted they say little.

    Args:
        in_features: number of coordinates d, 1 to 4.
        levels: number of grids.
        features_per_level: ``out_features`` is ``levels * features_per_level``.
        table_size: most entries of a level; a power of two.
        min_resolution: cells along an axis at the coarsest level.
        max_resolution: cells along an axis at the finest level.
        seed: of the generator that draws the start.
        dtype: type of the table; torch's default type if None.

    Raises:
        ValueError: if a count is not a whole number of at least 1, ``in_features`` is above 4, ``table_size`` is
            no power of two, or ``max_resolution < min_resolution``.
    """

    def __init__(
        self,
        in_features: int,
        levels: int = 8,
        features_per_level: int = 2,
        table_size: int = 2**16,
        min_resolution: int = 16,
        max_resolution: int = 255,
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

    def _sampled(self, table: Tensor, resolution: int) -> bool:
        return self.in_features in (2, 3) and table.shape[-1] == (resolution + 1) ** self.in_features
