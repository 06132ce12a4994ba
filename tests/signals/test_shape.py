"""A fitted shape comes back in its file's coordinates."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from ffnet.geometry import Mesh
from ffnet.signals import ShapeRecord
from ffnet.signals.shape import ShapeSignal

RECORD = ShapeRecord(0.5, (10.0, -20.0, 5.0), ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)), 64)


def ball(x):
    return 0.3 - (x - torch.tensor([0.5, 0.6, 0.5])).norm(dim=-1, keepdim=True)


@pytest.mark.parametrize("found", [RECORD.mesh(ball, 64), RECORD.mesh(ball), RECORD.reconstruct(ball)])
def test_a_ball_has_its_place_size_and_normals(found):
    mesh = trimesh.Trimesh(*found, process=False)
    assert mesh.center_mass == pytest.approx([10, -19.8, 5], abs=1e-3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=5e-3)
    assert mesh.is_watertight


def test_a_shape_is_empty_outside_its_bounds(caplog):
    record = ShapeRecord(1.0, (0.5, 0.5, 0.5), ((0.2, 0.2, 0.2), (0.5, 0.9, 0.9)), 64)
    mesh = trimesh.Trimesh(*record.mesh(lambda x: torch.maximum(ball(x), (x[:, :1] - 0.9))), process=False)
    assert mesh.is_watertight
    assert mesh.bounds[1, 0] == pytest.approx(0.5, abs=1 / 64)
    assert not caplog.messages


def test_a_surface_that_leaves_the_box_is_announced(caplog):
    RECORD.mesh(lambda x: 0.5 - x[:, :1], 16)
    assert "the surface leaves the box, and the mesh is open there" in caplog.text


def test_a_run_leaves_a_mesh_and_views(tmp_path):
    path = replace(RECORD, resolution=256).write(ball, tmp_path)
    assert path == tmp_path / "reconstruction.ply"
    written = trimesh.load_mesh(path)
    assert written.volume == pytest.approx(4 / 3 * np.pi * 0.6**3, rel=1e-3)
    assert written.center_mass == pytest.approx([10, -19.8, 5], abs=1e-3)
    with Image.open(tmp_path / "views.png") as image:
        assert image.size == (3 * 512, 512)


def test_a_field_without_a_surface_is_announced_and_leaves_nothing(tmp_path, caplog):
    def empty(x):
        return -torch.ones_like(x[:, :1])

    assert RECORD.write(empty, tmp_path) is None
    assert "no mesh is written: the field has no surface" in caplog.text
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="the field has no surface: it is inside everywhere or outside everywhere"):
        RECORD.reconstruct(empty)


@pytest.mark.parametrize("placement", ["box", "paper"])
def test_a_mesh_in_memory_is_the_one_in_a_file(tmp_path, placement):
    mesh = trimesh.creation.icosphere(2, 20.0).apply_translation([300, -40, 7])
    mesh.export(tmp_path / "ball.ply")
    filed = ShapeSignal(tmp_path / "ball.ply", placement)
    for held in (trimesh.load_mesh(tmp_path / "ball.ply"), filed.mesh):
        signal = ShapeSignal(held, placement)
        np.testing.assert_array_equal(signal.placed.vertices, filed.placed.vertices)
        np.testing.assert_array_equal(signal.placed.faces, filed.placed.faces)
        assert signal.record == filed.record
        assert signal.describe() == filed.describe() == "320 faces, watertight"


def test_a_mesh_in_memory_is_copied():
    box = trimesh.creation.box([1, 1, 1])
    vertices, faces = np.array(box.vertices), np.array(box.faces)
    signal = ShapeSignal(Mesh(vertices, faces))
    before = signal.mesh.vertices.copy()
    vertices += 1
    np.testing.assert_array_equal(signal.mesh.vertices, before)


@pytest.mark.parametrize(
    ("mesh", "message"),
    [
        (3, r"mesh: expected a path, or vertices \(n, 3\) and faces \(m, 3\), got int"),
        (Mesh(np.zeros((4, 2)), np.zeros((1, 3), int)), r"got \(4, 2\) and \(1, 3\)"),
        (Mesh(np.zeros((4, 3)), np.zeros((1, 4), int)), r"got \(4, 3\) and \(1, 4\)"),
        (Mesh(np.full((4, 3), np.nan), np.array([[0, 1, 2]])), "mesh: "),
        (Mesh(np.eye(3), np.array([[0, 1, 3]])), "mesh: "),
        (Mesh(np.eye(3), np.zeros((0, 3), int)), "mesh: "),
    ],
    ids=["number", "flat", "quads", "nan", "index", "empty"],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_what_is_no_mesh_is_refused(mesh, message):
    with pytest.raises(ValueError, match=message):
        ShapeSignal(mesh)
