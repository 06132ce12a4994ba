"""Extracts the surface of a field in the unit cube by marching cubes (Lorensen & Cline 1987), from coarse to fine.

The field's values at the corners of coarse blocks show where the surface may be, and only these blocks are evaluated at
full resolution. If the surface leaves a block, the neighbour on that side is evaluated too, so every component that has
been found is complete; only components inside a single block can be missed. Time and memory grow with the area of the
surface, not with the volume.
"""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ffnet.budget import EVALUATIONS, check
from ffnet.geometry.mesh import Mesh

# Points per chunk. There are three coordinates and one value.
CHUNK_POINTS = 4 * EVALUATIONS
# Corners of a cell in the order of libigl's tables.
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]])

Field = Callable[[Tensor], Tensor]


def extract(
    field: Field,
    resolution: int,
    *,
    block: int | None = None,
    device: torch.device | str = "cpu",
    progress: Callable[[int], None] = lambda points: None,
) -> Mesh:
    """The zero level set of ``field`` in the unit cube; faces are oriented towards negative values.

    The mesh is open where the surface leaves the cube.

    Args:
        field: coordinates (n, 3) to values (n, 1), positive inside.
        resolution: cells per axis; the field is evaluated at ``i / resolution``.
        block: cells per axis of a block; 1 evaluates all points. None is 4, or 2 below 256 cells.
        device: the device of the field.
        progress: called with the number of points evaluated since the last call.

    Raises:
        ValueError: if ``resolution`` or ``block`` is not at least 1.
    """
    block = default_block(resolution) if block is None else block
    if resolution < 1 or block < 1:
        raise ValueError(f"resolution: expected at least 1 cell, got {resolution} in blocks of {block}")
    evaluate = _Evaluation(field, resolution, torch.device(device), progress)
    corner_ids, values = [], []
    for ids, block_values in _blocks_at_surface(evaluate, resolution, block):
        corner_ids.append(ids)
        values.append(block_values)
    if not corner_ids:
        return Mesh(np.empty((0, 3)), np.empty((0, 3), np.int64))
    return _march(np.concatenate(corner_ids), np.concatenate(values), resolution, block)


def default_block(resolution: int) -> int:
    """Cells per axis of a block at ``resolution``."""
    return 4 if resolution >= 256 else 2


def check_resolution(resolution: int) -> None:
    """Raises ValueError if the grid of the blocks' corners has more points than ``limits.points``."""
    count = -(-resolution // default_block(resolution)) + 1
    check("points", count**3, "resolution, of the coarse grid")


class _Evaluation:
    """The field's values at grid points, given by integer coordinates."""

    def __init__(self, field: Field, resolution: int, device: torch.device, progress: Callable[[int], None]) -> None:
        self.field, self.resolution, self.device, self.progress = field, resolution, device, progress

    @torch.inference_mode()
    def __call__(self, points: Int[np.ndarray, "n 3"]) -> Float[np.ndarray, "n"]:
        values = np.empty(len(points), np.float32)
        for start in range(0, len(points), CHUNK_POINTS):
            piece = torch.from_numpy(points[start : start + CHUNK_POINTS]).to(self.device, torch.float32)
            values[start : start + len(piece)] = self.field(piece / self.resolution).float().cpu().numpy()[:, 0]
            self.progress(len(piece))
        return values


def _blocks_at_surface(
    evaluate: _Evaluation, resolution: int, block: int
) -> Iterator[tuple[Int[np.ndarray, "k p"], Float[np.ndarray, "k p"]]]:
    """Indices and values of the grid points of the blocks that the surface crosses; p = (block + 1)^3."""
    count = -(-resolution // block)
    coarse = np.stack(np.meshgrid(*[np.arange(count + 1) * block] * 3, indexing="ij"), -1).reshape(-1, 3)
    waiting = _candidates(evaluate(coarse.clip(max=resolution)).reshape([count + 1] * 3))
    within = np.stack(np.meshgrid(*[np.arange(block + 1)] * 3, indexing="ij"), -1).reshape(-1, 3)
    done = np.zeros_like(waiting)
    while len(chosen := np.argwhere(waiting & ~done)):
        done |= waiting
        for blocks in np.array_split(chosen, -(-len(chosen) * len(within) // 2**20)):
            points = (blocks[:, None] * block + within).clip(max=resolution)  # the last block may be smaller
            values = evaluate(points.reshape(-1, 3)).reshape(len(blocks), -1)
            inside = values > 0
            crossed = inside.any(-1) & ~inside.all(-1)
            yield _numbers(points[crossed], resolution), values[crossed]
            _spread(waiting, blocks, inside.reshape(-1, *[block + 1] * 3))


def _candidates(values: Float[np.ndarray, "a a a"]) -> Bool[np.ndarray, "b b b"]:
    """Blocks whose corners differ in sign, or are so close to 0 that the variation over the block may reach it."""
    n = len(values) - 1
    corners = [values[x : x + n, y : y + n, z : z + n] for x, y, z in CORNERS]
    low, high = np.minimum.reduce(corners), np.maximum.reduce(corners)
    return np.maximum(low, -high) <= high - low


def _spread(waiting: Bool[np.ndarray, "b b b"], blocks: Int[np.ndarray, "k 3"], inside: np.ndarray) -> None:
    """Marks the neighbours of ``blocks`` that share a face which the surface crosses."""
    for axis in range(3):
        for side, step in ((0, -1), (-1, 1)):
            shared = inside.take(side, axis=axis + 1).reshape(len(blocks), -1)
            there = blocks[shared.any(-1) & ~shared.all(-1)].copy()
            there[:, axis] += step
            there = there[(there[:, axis] >= 0) & (there[:, axis] < len(waiting))]
            waiting[tuple(there.T)] = True


def _numbers(points: Int[np.ndarray, "*n 3"], resolution: int) -> Int[np.ndarray, "*n"]:
    return (points[..., 0] * (resolution + 1) + points[..., 1]) * (resolution + 1) + points[..., 2]


def _march(numbers: Int[np.ndarray, "k p"], values: Float[np.ndarray, "k p"], resolution: int, block: int) -> Mesh:
    import igl

    # Blocks share points. Each has a single value, so that the pieces fit together exactly.
    unique, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    values = values.reshape(-1)[first].astype(np.float64)
    values[values == 0] = -np.finfo(np.float32).tiny  # libigl assigns 0 to the other side
    place = place.reshape(-1, *[block + 1] * 3)
    cells = np.stack([place[:, x : x + block, y : y + block, z : z + block] for x, y, z in CORNERS], -1).reshape(-1, 8)
    inside = values[cells] > 0
    cells = cells[inside.any(-1) & ~inside.all(-1)]
    # Blocks clipped at the boundary of the cube have cells without volume.
    cells = cells[(np.diff(np.sort(cells, -1)) > 0).all(-1)]
    used, cells = np.unique(cells, return_inverse=True)
    side = resolution + 1
    places = np.stack([unique[used] // side**2, unique[used] // side % side, unique[used] % side], -1) / resolution
    vertices, faces, _ = igl.marching_cubes(-values[used], places, cells.reshape(-1, 8), 0.0)
    return Mesh(vertices, faces)
