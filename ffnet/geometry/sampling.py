"""Random points on triangles."""

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.geometry.mesh import Mesh


def triangles(mesh: Mesh) -> Float[np.ndarray, "f 3 3"]:
    """The corners of every face."""
    return mesh.vertices[mesh.faces]


def shares(corners: Float[np.ndarray, "f 3 3"]) -> Float[np.ndarray, "f"]:
    """For each face, the share of the whole area that lies in it and in those before it."""
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    area = np.cumsum(np.linalg.norm(across, axis=-1))
    return area / area[-1]


def surface_points(
    corners: Float[Tensor, "f 3 3"], shares: Float[Tensor, "f"], count: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n 3"], Int[Tensor, "n"]]:
    """``count`` points, uniform over the area, and the faces they lie in, on the device of the arguments."""
    draws = torch.rand(3, count, generator=generator, device=corners.device, dtype=shares.dtype)
    face = torch.searchsorted(shares, draws[0], right=True).clamp(max=len(corners) - 1)
    # A uniform point of the triangle (Osada et al. 2002, eq. 1).
    u, v = draws[1:].to(corners.dtype).unsqueeze(-1)
    u = u.sqrt()
    a, b, c = corners[face].unbind(1)
    return (1 - u) * a + u * (1 - v) * b + u * v * c, face
