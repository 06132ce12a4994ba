"""A shape as a signal: position to inside or outside."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.datasets.base import Batch, Dataset
from ffnet.datasets.pool import labelled_pool
from ffnet.geometry import (
    Mesh,
    Winding,
    as_in_paper,
    compare,
    edges,
    extract,
    in_box,
    read_mesh,
    shares,
    surface_points,
    triangles,
    views,
)
from ffnet.metrics import iou
from ffnet.resources import resource

Placed = Literal["box", "paper"]
# Near-surface points are scored this far off: 0.01 of the box's half, as in Tancik et al. 2020.
SCORED_SIGMA = 0.005
SCORED_SEED = 2020
# Most cells along an axis of the surface that is shown while training.
VIEW_RESOLUTION = 128


class OccupancyDataset(Dataset):
    """1 inside a mesh and 0 outside, in [0, 1]^3. Labels come from generalised winding numbers.

    Args:
        path: any mesh that trimesh reads, open ones too; None is the one that comes with ffnet.
        placement: ``box`` puts the bounding box into the middle of the cube, ``margin`` from its walls, and draws
            uniform points from the whole cube; ``paper`` puts the mean vertex into the middle and the farthest
            coordinate on a wall, and draws from the bounding box (Tancik et al. 2020).
        margin: see ``placement``, in sides of the cube.
        near: share of a batch that is drawn near the surface; the others are uniform.
        sigma: standard deviation of the normal offset of points near the surface, in sides of the cube.
        batch_size: points in a training batch.
        pool: draw the batches from so many points, which are labelled once and kept in the user's cache folder;
            None draws and labels new points in every step.
        scored_points: points of each kind, uniform and near the surface, that are scored, the same in every run.
        resolution: cells along an axis of the mesh that a run writes at its end.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no mesh or encloses nothing, or an argument is out of range.
    """

    parts = ("iou_surface", "iou_uniform")
    triangles: Tensor
    shares: Tensor
    bounds: Tensor
    scored: Tensor
    scored_labels: Tensor
    pool: Tensor | None
    pool_labels: Tensor | None

    def __init__(
        self,
        path: str | Path | None = None,
        placement: Placed = "box",
        margin: float = 0.05,
        near: float = 0.8,
        sigma: float = SCORED_SIGMA,
        batch_size: int = 8192,
        pool: int | None = None,
        scored_points: int = 2**18,
        resolution: int = 256,
    ) -> None:
        super().__init__()
        if placement not in get_args(Placed):
            raise ValueError(f"placement: expected one of {', '.join(get_args(Placed))}, got {placement!r}")
        for name, value, top in (("margin", margin, 0.45), ("near", near, 1), ("sigma", sigma, 1)):
            _check_number(name, value, top)
        for name, count in (("batch_size", batch_size), ("scored_points", scored_points), ("pool", pool)):
            if count is not None or name != "pool":
                _check_count(name, count)
        if type(resolution) is not int or resolution < 2:
            raise ValueError(f"resolution: expected a whole number of at least 2 cells, got {resolution!r}")
        self.path = (resource("data") / "knot.ply" if path is None else Path(path)).absolute()
        self.mesh, self.dropped = read_mesh(self.path)
        place = as_in_paper if placement == "paper" else lambda vertices: in_box(vertices, margin)
        try:
            self.placement = place(self.mesh.vertices)
        except ValueError as error:
            raise ValueError(f"{self.path}: {error}") from error
        placed = Mesh(self.placement.to_unit(self.mesh.vertices), self.mesh.faces)
        self.winding = Winding(placed)
        self.in_features, self.out_features = 3, 1
        self.near, self.sigma, self.batch_size = near, sigma, batch_size
        self.resolution = resolution
        self.training_points, self.batch_points = pool, batch_size
        corners = triangles(placed)
        ends = placed.vertices if placement == "paper" else np.array([[0.0] * 3, [1.0] * 3])
        self._hold("triangles", torch.tensor(corners, dtype=torch.float32))
        self._hold("shares", torch.tensor(shares(corners)))
        # What a field has outside of the shape's box is no part of the shape.
        slack = 0 if placement == "paper" else margin / 2
        box = np.stack([placed.vertices.min(0) - slack, placed.vertices.max(0) + slack]).clip(0, 1)
        self.box: list[list[float]] = box.tolist()
        self._hold("bounds", torch.tensor(np.stack([ends.min(0), ends.max(0)]), dtype=torch.float32))
        generator = torch.Generator().manual_seed(SCORED_SEED)
        scored = [self.points(scored_points, near, SCORED_SIGMA, generator) for near in (1, 0)]
        self._hold("scored", torch.cat(scored))
        self._hold("scored_labels", self.label(self.scored))
        if not self.scored_labels.any():
            raise ValueError(f"{self.path}: encloses nothing (no point of {2 * scored_points} is inside)")
        found = labelled_pool(self, pool) if pool else (None, None)
        self._hold("pool", found[0])
        self._hold("pool_labels", found[1])

    def _hold(self, name: str, value: Tensor | None) -> None:
        self.register_buffer(name, value, persistent=False)

    def points(self, count: int, near: float, sigma: float, generator: torch.Generator) -> Float[Tensor, "n 3"]:
        """``count`` points, uniform but for a share ``near``, which lies about the surface."""
        beside = round(count * near)
        device = self.bounds.device
        uniform = torch.rand(count - beside, 3, generator=generator, device=device)
        surface, _ = surface_points(self.triangles, self.shares, beside, generator)
        offset = torch.randn(beside, 3, generator=generator, device=device)
        low, high = self.bounds
        return torch.cat([low + uniform * (high - low), surface + sigma * offset])

    def label(self, points: Float[Tensor, "n 3"]) -> Tensor:
        """Which points are inside, as booleans (n, 1) on the points' device; computed on the processor."""
        return torch.from_numpy(self.winding.inside(points.cpu().double().numpy())).unsqueeze(-1).to(points.device)

    def draw(self, generator: torch.Generator) -> Int[Tensor, "n"]:
        assert self.pool is not None
        return torch.randint(len(self.pool), (self.batch_size,), generator=generator, device=self.pool.device)

    def training_batch(self, numbers: Int[Tensor, "n"]) -> Batch:
        assert self.pool is not None
        assert self.pool_labels is not None
        return Batch(self.pool[numbers], self.pool_labels[numbers].float())

    def sample(self, generator: torch.Generator) -> Batch:
        if self.pool is not None:
            return super().sample(generator)
        coordinates = self.points(self.batch_size, self.near, self.sigma, generator)
        return Batch(coordinates, self.label(coordinates).float())

    def evaluation(self, points: int) -> Iterator[tuple[Batch, Int[Tensor, "n"]]]:
        part = torch.arange(2, device=self.scored.device).repeat_interleave(len(self.scored) // 2)
        pieces = zip(self.scored.split(points), self.scored_labels.split(points), part.split(points), strict=True)
        for coordinates, labels, parts in pieces:
            yield Batch(coordinates, labels.float()), parts

    def statistics(self, prediction: Float[Tensor, "n 1"], targets: Float[Tensor, "n 1"]) -> Float[Tensor, "n 2"]:
        """Whether a point is inside by both the logit and the label, and by either."""
        found, true = prediction > 0, targets > 0.5
        return torch.cat([found & true, found | true], dim=-1).double()

    def scores(self, totals: Float[Tensor, "parts 2"]) -> dict[str, float]:
        return {part: iou(*counts) for part, counts in zip(self.parts, totals.tolist(), strict=True)}

    def batch_scores(self, totals: Float[Tensor, "2"]) -> dict[str, float]:
        return {"iou": iou(*totals.tolist())}

    def description(self) -> dict[str, Any]:
        return {
            "kind": "shape",
            "scale": self.placement.scale,
            "centre": list(self.placement.centre),
            "bounds": self.box,
            "resolution": self.resolution,
        }

    def found(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    def compare(self, reconstruction: Path) -> dict[str, float]:
        """Distances between the surface in a file and the input, in the input's unit."""
        return compare(read_mesh(reconstruction)[0], self.mesh)

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``reconstruction``: the surface from three directions, each half of ``max_side`` wide."""
        mesh = extract(field, min(VIEW_RESOLUTION, self.resolution), device=self.bounds.device)
        return {"reconstruction": torch.from_numpy(views(mesh, max(1, max_side // 2))).float()}

    def extra_repr(self) -> str:
        open_, crowded = edges(self.mesh)
        faults = [
            f"{self.dropped} degenerate faces dropped" if self.dropped else "",
            f"{open_} open edges" if open_ else "",
            f"{crowded} edges of more than two faces" if crowded else "",
        ]
        closed = "not watertight" if open_ or crowded else "watertight"
        return ", ".join(filter(None, [self.path.name, f"{len(self.mesh.faces)} faces", closed, *faults]))


def _check_number(name: str, value: Any, top: float) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= top:
        raise ValueError(f"{name}: expected a number in [0, {top}], got {value!r}")


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}: expected at least 1 point, got {value!r}")
