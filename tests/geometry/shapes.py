"""Meshes and fields whose inside, volume and area are known."""

import numpy as np
import torch
import trimesh

from ffnet.geometry import Mesh


def mesh_of(body) -> Mesh:
    return Mesh(np.array(body.vertices, np.float64), np.array(body.faces, np.int64))


def ball(radius=1.0, subdivisions=4) -> Mesh:
    return mesh_of(trimesh.creation.icosphere(subdivisions, radius))


def torus() -> Mesh:
    return mesh_of(trimesh.creation.torus(1.0, 0.35, 96, 48))


def sphere_field(x, centre=(0.5, 0.5, 0.5), radius=0.3):
    """Positive inside a sphere: the distance to it."""
    return radius - (x - torch.tensor(centre, dtype=x.dtype)).norm(dim=-1, keepdim=True)
