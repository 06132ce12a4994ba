"""Geometry: triangle meshes, what is inside them, and the surfaces of fields. Knows nothing of training."""

from ffnet.geometry.distance import SignedDistance, compare
from ffnet.geometry.marching import check_resolution, extract
from ffnet.geometry.mesh import (
    FORMATS,
    Edges,
    Mesh,
    check_mesh_writable,
    checked_mesh,
    edges,
    largest_component,
    read_mesh,
    write_mesh,
)
from ffnet.geometry.placement import Placement, as_in_paper, in_box
from ffnet.geometry.sampling import area_cdf, surface_points, triangles
from ffnet.geometry.shading import turntable, unit_normals, views
from ffnet.geometry.winding import Winding

__all__ = [
    "FORMATS",
    "Edges",
    "Mesh",
    "Placement",
    "SignedDistance",
    "Winding",
    "area_cdf",
    "as_in_paper",
    "check_mesh_writable",
    "check_resolution",
    "checked_mesh",
    "compare",
    "edges",
    "extract",
    "in_box",
    "largest_component",
    "read_mesh",
    "surface_points",
    "triangles",
    "turntable",
    "unit_normals",
    "views",
    "write_mesh",
]
