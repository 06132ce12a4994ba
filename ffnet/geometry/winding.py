"""Inside or outside, by the winding number."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ffnet.geometry.mesh import Mesh


class Winding:
    """Generalised winding numbers of a mesh (Jacobson et al. 2013), by the fast approximation of Barill et al. 2018.

    They count how often the surface goes around a point, and fall off smoothly through holes, so that open,
    non-manifold and self-intersecting meshes have an inside as well. A point is inside if the number's absolute
    value is above 1/2: a mesh whose faces are turned inwards encloses the same points.
    """

    def __init__(self, mesh: Mesh) -> None:
        import igl

        self.mesh = mesh
        self.tree = igl.FastWindingNumberBVH()
        self.tree.init(np.ascontiguousarray(mesh.vertices), np.ascontiguousarray(mesh.faces))

    def inside(self, points: Float[np.ndarray, "n 3"]) -> Bool[np.ndarray, "n"]:
        """Which of ``points``, in the mesh's coordinates, are inside."""
        return np.abs(self.tree.winding_number(np.ascontiguousarray(points, np.float64))) > 0.5

    def __reduce__(self) -> Any:  # the tree lies in C++ and is built anew
        return Winding, (self.mesh,)
