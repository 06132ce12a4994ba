"""Distances between two surfaces."""

import numpy as np
import torch
from jaxtyping import Float

from ffnet.geometry.mesh import Mesh
from ffnet.geometry.sampling import area_cdf, surface_points, triangles

POINTS = 100_000


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
