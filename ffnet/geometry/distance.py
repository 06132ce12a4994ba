"""Distances to a surface, and between two surfaces."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from ffnet.geometry.mesh import Mesh
from ffnet.geometry.sampling import area_cdf, surface_points, triangles
from ffnet.geometry.winding import Winding, by_place

POINTS = 100_000
# Distance, in sides of the unit cube, up to which the direction to the nearest point is rounding.
ON_SURFACE = 1e-9


class SignedDistance:
    """Distances to a mesh, negative inside, which is where winding numbers say so (``Winding``).

    At the surface of a closed mesh they pass through 0. An open mesh has an inside too; where winding numbers close its
    holes, the distance, which is that to the nearest face, changes its sign in a jump.
    """

    def __init__(self, mesh: Mesh) -> None:
        import igl

        self.mesh, self.winding = mesh, Winding(mesh)
        self.vertices, self.faces = np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces)
        self.tree = igl.AABB()
        self.tree.init(self.vertices, self.faces)

    def __call__(self, points: Float[np.ndarray, "n 3"]) -> tuple[Float[np.ndarray, "n"], Float[np.ndarray, "n 3"]]:
        """Signed distances of ``points``, and their gradients: unit vectors that point away from the inside. At points
        of the surface itself these are the normals of faces."""
        order = by_place(points)
        squared, face, nearest = np.empty(len(points)), np.empty(len(points), np.int64), np.empty((len(points), 3))
        there = np.ascontiguousarray(points[order], np.float64)
        squared[order], face[order], nearest[order] = self.tree.squared_distance(self.vertices, self.faces, there)
        distance = np.sqrt(squared)[:, None]
        sign = np.where(self.winding.inside(points), -1.0, 1.0)
        away = np.divide(points - nearest, distance, out=np.zeros_like(nearest), where=distance > ON_SURFACE)
        directions = np.where(distance > ON_SURFACE, sign[:, None] * away, normals(self.mesh)[face])
        return sign * distance[:, 0], directions

    def __reduce__(self) -> Any:  # the trees are C++ objects and are rebuilt
        return SignedDistance, (self.mesh,)


def compare(one: Mesh, other: Mesh, points: int = POINTS) -> dict[str, float]:
    """Distances between two surfaces, from ``points`` random points on each with a fixed seed:

    - ``chamfer``: mean of accuracy and completeness (Mescheder et al. 2019, Chamfer-L1), in the unit of the meshes;
    - ``accuracy``: mean distance of the points on ``one`` to the nearest points on ``other``;
    - ``completeness``: mean distance of the points on ``other`` to the nearest points on ``one``;
    - ``normal_consistency``: mean absolute cosine between the normals at these pairs, in both directions; 1 is best.
    """
    generator = torch.Generator().manual_seed(0)
    accuracy, cosine = _to_nearest(one, other, points, generator)
    completeness, other_cosine = _to_nearest(other, one, points, generator)
    return {
        "chamfer": (accuracy + completeness) / 2,
        "accuracy": accuracy,
        "completeness": completeness,
        "normal_consistency": (cosine + other_cosine) / 2,
    }


def normals(mesh: Mesh) -> Float[np.ndarray, "f 3"]:
    """The unit normals of the faces; zero for faces without area."""
    a, b, c = np.moveaxis(triangles(mesh), 1, 0)
    across = np.cross(b - a, c - a)
    length = np.linalg.norm(across, axis=-1, keepdims=True)
    return np.divide(across, length, out=np.zeros_like(across), where=length > 0)


def _to_nearest(one: Mesh, other: Mesh, points: int, generator: torch.Generator) -> tuple[float, float]:
    import igl

    corners = triangles(one)
    there, face = surface_points(torch.tensor(corners), torch.tensor(area_cdf(corners)), points, generator)
    squared, nearest, _ = igl.point_mesh_squared_distance(there.numpy(), other.vertices, other.faces)
    cosine = np.abs((normals(one)[face.numpy()] * normals(other)[nearest]).sum(-1))
    return float(np.sqrt(squared).mean()), float(cosine.mean())
