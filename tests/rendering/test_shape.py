"""A fitted shape comes back in its file's coordinates."""

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from ffnet.rendering import in_own_coordinates, surface, write_reconstruction

SIGNAL = {
    "kind": "shape",
    "scale": 0.5,
    "centre": [10.0, -20.0, 5.0],
    "bounds": [[0.0] * 3, [1.0] * 3],
    "resolution": 64,
}


def ball(x):
    return 0.3 - (x - torch.tensor([0.5, 0.6, 0.5])).norm(dim=-1, keepdim=True)


def test_a_ball_has_its_place_size_and_normals():
    mesh = trimesh.Trimesh(*in_own_coordinates(surface(ball, SIGNAL, 64), SIGNAL), process=False)
    assert mesh.center_mass == pytest.approx([10, -19.8, 5], abs=1e-3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=5e-3)
    assert mesh.is_watertight


def test_a_shape_is_empty_outside_its_bounds(caplog):
    signal = SIGNAL | {"bounds": [[0.2, 0.2, 0.2], [0.5, 0.9, 0.9]]}
    mesh = trimesh.Trimesh(*surface(lambda x: torch.maximum(ball(x), (x[:, :1] - 0.9)), signal, 64), process=False)
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] == pytest.approx(0.5, abs=1 / 64)
    assert not caplog.messages


def test_a_surface_that_leaves_the_box_is_announced(caplog):
    surface(lambda x: 0.5 - x[:, :1], SIGNAL, 16)
    assert "the surface leaves the box, and the mesh is open there" in caplog.text


def test_a_run_leaves_a_mesh_and_views(tmp_path):
    path = write_reconstruction(ball, SIGNAL | {"resolution": 256}, tmp_path)
    assert path == tmp_path / "reconstruction.ply"
    assert trimesh.load_mesh(path).volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=1e-3)
    with Image.open(tmp_path / "views.png") as picture:
        assert picture.size == (3 * 512, 512)


def test_a_field_without_a_surface_is_announced_and_leaves_nothing(tmp_path, caplog):
    assert write_reconstruction(lambda x: -torch.ones_like(x[:, :1]), SIGNAL, tmp_path) is None
    assert "no mesh is written: the field has no surface" in caplog.text
    assert not list(tmp_path.iterdir())
