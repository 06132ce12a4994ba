"""Inside or outside of a mesh by winding numbers."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ffnet.geometry.mesh import Mesh

# Cells per axis, in whose order points are processed.
CELLS = 32


class Winding:
    """Generalized winding numbers of a mesh (Jacobson et al. 2013), by the fast approximation of Barill et al. 2018.

    They count how often the surface winds around a point and vary smoothly across holes, so that open, non-manifold and
    self-intersecting meshes have an inside, too. A point is inside if the absolute value is above 1/2, so a mesh with
    inward-facing faces encloses the same points.
    """

    def __init__(self, mesh: Mesh) -> None:
        import igl

        self.mesh = mesh
        self.tree = igl.FastWindingNumberBVH()
        self.tree.init(np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces))

    def inside(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Which of ``points``, in the mesh's coordinates, are inside."""
        order = by_place(points)
        inside = np.empty(len(points), bool)
        inside[order] = np.abs(self.tree.winding_number(np.ascontiguousarray(points[order], np.float64))) > 0.5
        return inside

    def __reduce__(self) -> Any:  # the tree is a C++ object and is rebuilt
        return Winding, (self.mesh,)


def by_place(points: Float[np.ndarray, "n 3"]) -> Int[np.ndarray, "n"]:
    """An order in which consecutive points are close to each other.

    They need the same part of the hierarchy, which stays in cache: 2.4 times as fast for 100,000 faces.
    """
    if len(points) == 0:
        return np.arange(0)
    low, high = points.min(0), points.max(0)
    cells = ((points - low) / np.maximum(high - low, np.finfo(np.float64).tiny) * (CELLS - 1)).astype(np.int64)
    return np.argsort((cells[:, 0] * CELLS + cells[:, 1]) * CELLS + cells[:, 2])
