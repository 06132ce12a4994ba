"""Random points on triangle meshes."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.geometry.mesh import Mesh


def triangles(mesh: Mesh) -> Float[np.ndarray, "f 3 3"]:
    """The corners of every face."""
    return mesh.vertices[mesh.faces]


def area_cdf(corners: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f"]:
    """Cumulative distribution of a uniform point over the faces: the area up to each face over the total area."""
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.cumsum(np.linalg.norm(across, axis=-1))
    return area / area[-1]


def surface_points(
    corners: Float[Tensor, "f 3 3"], cdf: Float[Tensor, "f"], count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n 3"], Int[Tensor, "n"]]:
    """``count`` points, uniform over the area, and the indices of their faces, on the device of the arguments."""
    draws = torch.rand(3, count, generator=generator, device=corners.device, dtype=cdf.dtype)
    face = torch.searchsorted(cdf, draws[0], right=True).clamp(max=len(corners) - 1)
    # A uniform point of the triangle (Osada et al. 2002, eq. 1).
    u, v = draws[1:].to(corners.dtype).unsqueeze(-1)
    u = u.sqrt()
    a, b, c = corners[face].unbind(1)
    return (1 - u) * a + u * (1 - v) * b + u * v * c, face
