"""Parts of a mesh, and what is written and drawn of it."""

import numpy as np
import pytest
import trimesh

from ffnet.geometry import Mesh, check_mesh_writable, largest_component, turntable, unit_normals, write_mesh
from tests.geometry.shapes import ball


def together(*meshes: Mesh) -> Mesh:
    """One mesh with the vertices and faces of all."""
    starts = np.cumsum([0, *(len(mesh.vertices) for mesh in meshes)])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts, strict=False)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))


def test_the_component_of_the_largest_area_is_kept_not_that_of_the_most_faces():
    large, small = ball(1.0, 2), Mesh(ball(0.1, 4).vertices + np.array([5, 0, 0]), ball(0.1, 4).faces)
    assert len(small.faces) > len(large.faces)
    for mesh in (together(small, large), together(large, small)):
        found = largest_component(mesh)
        np.testing.assert_array_equal(found.vertices[found.faces], large.vertices[large.faces])
    np.testing.assert_array_equal(largest_component(large).faces, large.faces)


def test_normals_of_a_ball_point_outwards():
    mesh = ball(2.0)
    np.testing.assert_allclose(unit_normals(mesh), mesh.vertices / 2, atol=0.01)


@pytest.mark.parametrize("suffix", ["ply", "obj", "glb"])
def test_normals_are_written(tmp_path, suffix):
    mesh = ball(2.0, 2)
    directions = np.roll(mesh.vertices / 2, 1, axis=1)  # none that a reader would compute
    write_mesh(mesh, tmp_path / f"a.{suffix}", directions)
    write_mesh(mesh, tmp_path / f"b.{suffix}")
    read = trimesh.load_scene(tmp_path / f"a.{suffix}", process=False, maintain_order=True)
    (found,) = read.geometry.values()
    np.testing.assert_allclose(found.vertices, mesh.vertices, atol=1e-6)
    np.testing.assert_allclose(found.vertex_normals, directions, atol=1e-6)
    assert (tmp_path / f"a.{suffix}").stat().st_size > (tmp_path / f"b.{suffix}").stat().st_size


def test_stl_has_no_normals_of_vertices(tmp_path):
    check_mesh_writable(tmp_path / "a.stl")
    with pytest.raises(ValueError, match=r"normals: expected null for \.stl"):
        check_mesh_writable(tmp_path / "a.stl", normals=True)


def test_a_turntable_turns_once_and_shows_all_of_the_mesh():
    box = trimesh.creation.box((40.0, 10.0, 4.0))
    mesh = Mesh(np.array(box.vertices) + 100, np.array(box.faces))
    frames = [frame.mean(-1) for frame in turntable(mesh, 60, 8)]
    assert len(frames) == 8
    for frame in frames:
        edge = np.concatenate([frame[0], frame[-1], frame[:, 0], frame[:, -1]])
        assert (edge == 1).all()
        assert (frame < 1).any()
    half = (frames[0] < 1), (frames[4] < 1)  # a box has the same outline from the other side, mirrored
    assert (half[0] != half[1][:, ::-1]).mean() < 0.02 or (half[0] != half[1]).mean() < 0.02
    assert (half[0] != (frames[2] < 1)).mean() > 0.02
