"""A shape: a mesh placed in the unit cube."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

from ffnet.atomic import replacing
from ffnet.geometry import (
    Mesh,
    Placement,
    as_in_paper,
    checked_mesh,
    edges,
    extract,
    in_box,
    read_mesh,
    views,
    write_mesh,
)
from ffnet.signals.base import Field, Surface

log = logging.getLogger(__name__)

Placed = Literal["box", "paper"]
# Side of a view in pixels.
VIEW_SIDE = 512


@dataclass(frozen=True)
class ShapeRecord(Surface):
    """The record of a shape.

    Attributes:
        scale: sides of the unit cube per unit of the file.
        centre: the centre of the cube, in the file's coordinates.
        bounds: corners of the box that contains the shape, in the unit cube.
        resolution: cells per axis of the reconstructed mesh.
    """

    noun: ClassVar[str] = "a shape"

    scale: float
    centre: tuple[float, float, float]
    bounds: tuple[tuple[float, float, float], tuple[float, float, float]]
    resolution: int = 256

    def __post_init__(self) -> None:
        numbers = np.array([self.scale, *self.centre, *self.bounds[0], *self.bounds[1]], np.float64)
        if (
            numbers.shape != (10,)
            or not np.isfinite(numbers).all()
            or self.scale <= 0
            or type(self.resolution) is not int
        ):
            raise ValueError(f"scale {self.scale}, centre {self.centre}, bounds {self.bounds}, {self.resolution} cells")

    def values(self) -> str:
        return "a logit: occupancy is sigmoid(value) in [0, 1], and value > 0 is inside"

    def inside(self, field: Field) -> Field:
        """``field`` as a function that is positive inside."""
        return field

    def mesh(
        self,
        field: Field,
        resolution: int | None = None,
        *,
        device: torch.device | str = "cpu",
        progress: Callable[[int], None] = lambda points: None,
    ) -> Mesh:
        mesh = self._in_cube(field, resolution or self.resolution, device, progress)
        return Mesh(self._placement.to_own(mesh.vertices), mesh.faces)

    @property
    def _placement(self) -> Placement:
        return Placement(self.scale, (self.centre[0], self.centre[1], self.centre[2]))

    def _in_cube(
        self, field: Field, resolution: int, device: torch.device | str, progress: Callable[[int], None]
    ) -> Mesh:
        """The surface in the unit cube; values outside the box are ignored."""
        low, high = torch.tensor(self.bounds, device=device)
        inside = self.inside(field)

        def bounded(x: torch.Tensor) -> torch.Tensor:
            within = ((x >= low) & (x <= high)).all(-1, keepdim=True)
            return torch.where(within, inside(x), -1.0)

        mesh = extract(bounded, resolution, device=device, progress=progress)
        if len(mesh.faces) == 0:
            raise ValueError("the field has no surface: it is inside everywhere or outside everywhere")
        if openings := edges(mesh).open:
            log.warning("the surface leaves the box, and the mesh is open there (%d edges)", openings)
        return mesh

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Mesh:
        return self.mesh(field, device=device)

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path | None:
        """Writes ``reconstruction.ply`` and three shaded views, ``views.png``; returns None if there is no surface."""
        try:
            mesh = self._in_cube(field, self.resolution, device, lambda points: None)
        except ValueError as error:
            log.warning("no mesh is written: %s", error)
            return None
        path = directory / "reconstruction.ply"
        write_mesh(Mesh(self._placement.to_own(mesh.vertices), mesh.faces), path)
        with replacing(directory / "views.png") as temporary:
            Image.fromarray((self.picture(field, mesh, device) * 255).round().astype(np.uint8)).save(temporary)
        return path

    def picture(self, field: Field, mesh: Mesh, device: torch.device | str = "cpu") -> Float[np.ndarray, "h w 3"]:
        """What ``views.png`` shows: ``mesh``, the surface of ``field`` in the unit cube, from three directions."""
        return views(mesh, VIEW_SIDE)


class ShapeSignal:
    """A mesh and its placement in the unit cube.

    Args:
        mesh: a path that trimesh reads, or a mesh with ``vertices`` and ``faces``, such as a ``trimesh.Trimesh``.
        placement: ``box`` centres the bounding box in the cube, ``margin`` from its faces; ``paper`` centres the mean
            vertex, with the farthest coordinate on a face (Tancik et al. 2020).
        margin: see ``placement``, in sides of the cube.
        resolution: cells per axis of the reconstructed mesh.

    Attributes:
        mesh: the mesh in the file's coordinates.
        placed: the mesh in the unit cube.
        dropped: number of degenerate faces that were removed.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not a mesh.
    """

    def __init__(self, mesh: Any, placement: Placed = "box", margin: float = 0.05, resolution: int = 256) -> None:
        if placement not in get_args(Placed):
            raise ValueError(f"placement: expected one of {', '.join(get_args(Placed))}, got {placement!r}")
        name = str(mesh) if isinstance(mesh, str | Path) else "mesh"
        self.mesh, self.dropped = read_mesh(Path(mesh)) if isinstance(mesh, str | Path) else _in_memory(mesh)
        place = as_in_paper if placement == "paper" else lambda vertices: in_box(vertices, margin)
        try:
            where = place(self.mesh.vertices)
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from error
        self.placed = Mesh(where.to_unit(self.mesh.vertices), self.mesh.faces)
        slack = 0 if placement == "paper" else margin / 2
        corners = np.stack([self.placed.vertices.min(0) - slack, self.placed.vertices.max(0) + slack])
        low, high = corners.clip(0, 1).tolist()
        self.record = ShapeRecord(where.scale, where.centre, (tuple(low), tuple(high)), resolution)

    def describe(self) -> str:
        """The number of faces, and how far the mesh is from watertight."""
        open_, non_manifold = edges(self.mesh)
        faults = [
            f"{self.dropped} degenerate faces dropped" if self.dropped else "",
            f"{open_} open edges" if open_ else "",
            f"{non_manifold} edges of more than two faces" if non_manifold else "",
        ]
        closed = "not watertight" if open_ or non_manifold else "watertight"
        return ", ".join(filter(None, [f"{len(self.mesh.faces)} faces", closed, *faults]))


def _in_memory(mesh: Any) -> tuple[Mesh, int]:
    try:
        vertices, faces = np.array(mesh.vertices, np.float64), np.array(mesh.faces, np.int64)
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            f"mesh: expected a path, or vertices (n, 3) and faces (m, 3), got {type(mesh).__name__}"
        ) from error
    if vertices.ndim != 2 or faces.ndim != 2 or vertices.shape[1] != 3 or faces.shape[1] != 3:
        raise ValueError(f"mesh: expected vertices (n, 3) and faces (m, 3), got {vertices.shape} and {faces.shape}")
    return checked_mesh(vertices, faces, "mesh")
