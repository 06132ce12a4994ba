"""Fits shapes: position to inside or outside."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ffnet import budget
from ffnet.datasets.base import IN_MEMORY, Batch, Dataset, Evaluation, Stream, located
from ffnet.datasets.pool import labelled_pool
from ffnet.datasets.tensors import TensorSource
from ffnet.geometry import (
    Mesh,
    Winding,
    area_cdf,
    check_resolution,
    compare,
    extract,
    read_mesh,
    surface_points,
    triangles,
    views,
)
from ffnet.operators import Operator, PointEvaluation
from ffnet.resources import resource
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.shape import Placed, ShapeRecord, ShapeSignal

if TYPE_CHECKING:
    from torchmetrics import Metric

# Standard deviation of the scored points near the surface: 0.01 half-boxes, as in Tancik et al. 2020.
SCORED_SIGMA = 0.005
SCORED_SEED = 2020
# Most cells per axis of the surface shown during training.
VIEW_RESOLUTION = 128


class ShapePoints(Stream):
    """New points of a mesh in the unit cube, labelled by generalized winding numbers.

    Args:
        mesh: in the unit cube.
        ends: corners of the box from which uniform points are drawn.
        surface_fraction: fraction of points near the surface; the others are uniform.
        sigma: standard deviation of the offset of points near the surface.
    """

    # Which labels; part of the name of a pool in the cache.
    kind: ClassVar[str] = ""

    triangles: Tensor
    area_cdf: Tensor
    bounds: Tensor

    def __init__(self, mesh: Mesh, ends: Float[np.ndarray, "2 3"], surface_fraction: float, sigma: float) -> None:
        super().__init__()
        self.winding = Winding(mesh)
        self.surface_fraction, self.sigma = surface_fraction, sigma
        corners = triangles(mesh)
        self.hold("triangles", torch.tensor(corners, dtype=torch.float32))
        self.hold("area_cdf", torch.tensor(area_cdf(corners)))
        self.hold("bounds", torch.tensor(ends, dtype=torch.float32))

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        points = self.points(count, self.surface_fraction, self.sigma, generator)
        return Batch(points, self.label(points).float())

    def points(
        self, count: int, surface_fraction: float, sigma: float, generator: torch.Generator
    ) -> Float[Tensor, "n 3"]:
        """``count`` points: first the uniform ones, then the fraction ``surface_fraction`` near the surface."""
        near = round(count * surface_fraction)
        device = self.bounds.device
        uniform = torch.rand(count - near, 3, generator=generator, device=device)
        surface, _ = surface_points(self.triangles, self.area_cdf, near, generator)
        offset = torch.randn(near, 3, generator=generator, device=device)
        low, high = self.bounds
        return torch.cat([low + uniform * (high - low), surface + sigma * offset])

    def label(self, points: Float[Tensor, "n 3"]) -> Tensor:
        """Which points are inside, as booleans (n, 1) on the points' device; computed on the CPU."""
        return torch.from_numpy(self.winding.inside(points.cpu().double().numpy())).unsqueeze(-1).to(points.device)


class ShapeDataset(Dataset):
    """What datasets of meshes have in common: placement, record, and how the surface is compared and viewed.

    Args:
        path, placement, margin, surface_fraction, sigma, batch_size, pool, scored_points, resolution: see
            ``OccupancyDataset``.
        record: the kind of record.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not a mesh, or an argument is out of range.
    """

    record: ShapeRecord
    path: Path | None
    compared: ClassVar[dict[str, bool]] = {"normal_consistency": True}

    def __init__(
        self,
        path: Any,
        placement: Placed,
        margin: float,
        surface_fraction: float,
        sigma: float,
        batch_size: int,
        pool: int | None,
        scored_points: int,
        resolution: int,
        record: type[ShapeRecord] = ShapeRecord,
    ) -> None:
        super().__init__()
        for name, value, top in (
            ("margin", margin, 0.45),
            ("surface_fraction", surface_fraction, 1),
            ("sigma", sigma, 1),
        ):
            _check_number(name, value, top)
        for name, count in (("batch_size", batch_size), ("scored_points", scored_points), ("pool", pool)):
            if count is not None or name != "pool":
                _check_count(name, count)
        if type(resolution) is not int or resolution < 2:
            raise ValueError(f"resolution: expected an integer of at least 2 cells, got {resolution!r}")
        check_resolution(resolution)
        path = resource("data") / "knot.ply" if path is None else path
        self.path = located(path)
        self.signal = ShapeSignal(self.path or path, placement, margin, resolution)
        self.record, self.mesh = record(**asdict(self.signal.record)), self.signal.mesh
        self.in_features, self.out_features = 3, 1
        vertices = self.signal.placed.vertices
        ends = vertices if placement == "paper" else np.array([[0.0] * 3, [1.0] * 3])
        self.box = np.stack([ends.min(0), ends.max(0)])

    def compare(self, reconstruction: Path) -> dict[str, float]:
        """Distances between the surface in a file and the input, in the unit of the input."""
        return compare(read_mesh(reconstruction)[0], self.mesh)

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``reconstruction``: the surface from three directions, each ``max_side / 2`` wide."""
        device = next(self.source.buffers()).device
        mesh = extract(self.record.inside(field), min(VIEW_RESOLUTION, self.record.resolution), device=device)
        return {"reconstruction": torch.from_numpy(views(mesh, max(1, max_side // 2))).float()}

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        return f"{self.path.name if self.path else IN_MEMORY}, {self.signal.describe()}"


class OccupancyDataset(ShapeDataset):
    """The occupancy of a mesh in [0, 1]^3: 1 inside, 0 outside. Labels are generalized winding numbers.

    Args:
        path: any mesh that trimesh reads, also open ones; or a mesh in memory, such as a ``trimesh.Trimesh``. None is
            the bundled mesh.
        placement: ``box`` centres the bounding box in the cube, ``margin`` from its faces, and draws uniform points
            from the whole cube; ``paper`` centres the mean vertex, with the farthest coordinate on a face, and draws
            from the bounding box (Tancik et al. 2020).
        margin: see ``placement``, in sides of the cube.
        surface_fraction: fraction of a batch near the surface; the other points are uniform.
        sigma: standard deviation of the offset of points near the surface, in sides of the cube.
        batch_size: points in a training batch.
        pool: number of points from which batches are drawn; they are labelled once and stored in the user's cache
            directory. None draws and labels new points every step.
        scored_points: number of points of each evaluation, uniform and near the surface; the same in every run.
        resolution: cells per axis of the reconstructed mesh.
        metrics: additional torchmetrics metrics by name, for logits and labels (n, 1).
        operator: how training observes the field; evaluation at points if None.
        sampler: which points of the pool a step uses; replaces ``batch_size``, unless it takes it.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not a mesh or encloses nothing, or an argument is out of range.
    """

    def __init__(
        self,
        path: Any = None,
        placement: Placed = "box",
        margin: float = 0.05,
        surface_fraction: float = 0.8,
        sigma: float = SCORED_SIGMA,
        batch_size: int = 8192,
        pool: int | None = None,
        scored_points: int = 2**18,
        resolution: int = 256,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__(path, placement, margin, surface_fraction, sigma, batch_size, pool, scored_points, resolution)
        points = ShapePoints(self.signal.placed, self.box, surface_fraction, sigma)
        generator = torch.Generator().manual_seed(SCORED_SEED)
        scored = {
            name: points.points(scored_points, fraction, SCORED_SIGMA, generator)
            for name, fraction in (("surface", 1.0), ("uniform", 0.0))
        }
        labels = points.label(torch.cat(list(scored.values())))
        if not labels.any():
            raise ValueError(f"{self.path or 'mesh'}: encloses nothing (no point of {2 * scored_points} is inside)")
        from ffnet.metrics import IoU  # which takes seconds, hence after everything that may be refused

        for (name, where), inside in zip(scored.items(), labels.split(scored_points), strict=True):
            scores = {"iou": IoU(), **(metrics or {})}
            self.add_evaluation(Evaluation(name, TensorSource(where, inside), scores))
        self.source = TensorSource(*labelled_pool(points, pool)) if pool else points
        self.sampler = sampler_of(sampler, batch_size)
        self.operator = operator or PointEvaluation()
        self.metrics = {"iou": IoU()}


def _check_number(name: str, value: Any, top: float) -> None:
    if not isinstance(value, int | float) or not 0 <= value <= top:
        raise ValueError(f"{name}: expected a number in [0, {top}], got {value!r}")


def _check_count(name: str, value: Any) -> None:
    if type(value) is not int or value < 1:
        raise ValueError(f"{name}: expected at least 1 point, got {value!r}")
    budget.check("points", value, name)
