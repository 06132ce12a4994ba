"""Fits shapes: position to signed distance."""

import logging
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.datasets.base import Batch, Evaluation
from ffnet.datasets.occupancy import SCORED_SEED, SCORED_SIGMA, ShapeDataset, ShapePoints
from ffnet.datasets.pool import labelled_pool
from ffnet.datasets.tensors import TensorSource
from ffnet.geometry import Mesh, SignedDistance, edges
from ffnet.operators import Gradient, Operator, OrientedPoints
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.distance import DistanceRecord, level_slices
from ffnet.signals.shape import Placed

if TYPE_CHECKING:
    from torchmetrics import Metric

log = logging.getLogger(__name__)


class DistancePoints(ShapePoints):
    """New points of a mesh in the unit cube with the gradients of the distance there, labelled by the signed distance.
    Queries are (n, 6). See ``ShapePoints``."""

    kind: ClassVar[str] = "distance "

    def __init__(self, mesh: Mesh, ends: Float[np.ndarray, "2 3"], surface_fraction: float, sigma: float) -> None:
        super().__init__(mesh, ends, surface_fraction, sigma)
        self.distance = SignedDistance(mesh)

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        points = self.points(count, self.surface_fraction, self.sigma, generator)
        return Batch(*oriented(points, self.label(points)))

    def label(self, points: Float[Tensor, "n 3"]) -> Float[Tensor, "n 4"]:
        """Signed distances of points and their gradients, on the points' device; computed on the CPU."""
        distance, directions = self.distance(points.cpu().double().numpy())
        return torch.from_numpy(np.column_stack([distance, directions])).float().to(points.device)


def oriented(
    points: Float[Tensor, "n 3"], labels: Float[Tensor, "n 4"]
) -> tuple[Float[Tensor, "n 6"], Float[Tensor, "n 1"]]:
    """Queries and targets of labelled points."""
    return torch.cat([points, labels[:, 1:]], dim=-1), labels[:, :1]


class SDFDataset(ShapeDataset):
    """The signed distance to a mesh in [0, 1]^3, negative inside, in sides of the cube.

    Distances are those to the nearest triangle; generalized winding numbers give the sign. Queries carry the gradients
    of the distance, the normals near the surface, for ``ffnet.fitting.Normals``.

    Scores: mean absolute errors at points of the surface (``surface/mae``), near it and uniform in the cube
    (``near/mae``, ``far/mae``), and the fraction of gradients near the surface whose length is within 0.05 of 1
    (``near/unit_gradient``).

    Args:
        path: any mesh that trimesh reads; or a mesh in memory, such as a ``trimesh.Trimesh``. None is the bundled mesh.
            Open meshes are fitted with a warning: across a hole the distance jumps, which no field can follow.
        placement: see ``OccupancyDataset``.
        margin: see ``OccupancyDataset``.
        surface_fraction: fraction of a batch near the surface; the other points are uniform.
        sigma: standard deviation of the offset of points near the surface, in sides of the cube.
        batch_size: points in a training batch.
        pool: number of points from which batches are drawn; they are labelled once and stored in the user's cache
            directory. None draws and labels new points every step.
        scored_points: number of points of each evaluation; the same in every run.
        resolution: cells per axis of the reconstructed mesh.
        metrics: additional torchmetrics metrics by name, for distances (n, 1).
        operator: how training observes the field; evaluation at the queries' points if None.
        sampler: which points of the pool a step uses; replaces ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not a mesh or encloses nothing, or an argument is out of range.
    """

    record: DistanceRecord

    def __init__(
        self,
        path: Any = None,
        placement: Placed = "box",
        margin: float = 0.05,
        surface_fraction: float = 0.7,
        sigma: float = 0.01,
        batch_size: int = 4096,
        pool: int | None = 2**19,
        scored_points: int = 2**16,
        resolution: int = 256,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__(
            path,
            placement,
            margin,
            surface_fraction,
            sigma,
            batch_size,
            pool,
            scored_points,
            resolution,
            DistanceRecord,
        )
        points = DistancePoints(self.signal.placed, self.box, surface_fraction, sigma)
        generator = torch.Generator().manual_seed(SCORED_SEED)
        offsets = {"surface": (1.0, 0.0), "near": (1.0, SCORED_SIGMA), "far": (0.0, 0.0)}
        scored = {name: points.points(scored_points, *where, generator) for name, where in offsets.items()}
        labels = {name: points.label(where) for name, where in scored.items()}
        labels["surface"][:, 0] = 0  # of points that float32 has moved off the surface
        if not (labels["near"][:, 0] < 0).any() and not (labels["far"][:, 0] < 0).any():
            raise ValueError(f"{self.path or 'mesh'}: encloses nothing (no point of {2 * scored_points} is inside)")
        if open_ := edges(self.mesh).open:
            log.warning(
                "open    %d edges have a single face; across the holes the distance jumps from one sign to the other, "
                "and the fit is wrong there",
                open_,
            )
        from torchmetrics import MeanAbsoluteError  # which takes seconds, hence after everything that may be refused

        from ffnet.metrics import UnitLength

        for name, where in scored.items():
            scores = {"mae": MeanAbsoluteError().set_dtype(torch.float64), **(metrics or {})}
            self.add_evaluation(Evaluation(name, TensorSource(where, labels[name][:, :1]), scores))
        near = TensorSource(scored["near"], labels["near"][:, 1:])
        self.add_evaluation(Evaluation("near", near, {"unit_gradient": UnitLength()}, Gradient()))
        self.source = TensorSource(*oriented(*labelled_pool(points, pool))) if pool else points
        self.sampler = sampler_of(sampler, batch_size)
        self.operator = operator or OrientedPoints()
        self.metrics = {"mae": MeanAbsoluteError()}

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``reconstruction``: the surface from three directions; ``levels``: level lines in three planes."""
        device = next(self.source.buffers()).device
        levels = torch.from_numpy(level_slices(field, max(2, max_side // 2), device)).float()
        return super().views(field, max_side) | {"levels": levels}
