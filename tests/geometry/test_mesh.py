"""Meshes from files: what is merged, what is dropped, what is refused; and back to files."""

import numpy as np
import pytest
import trimesh

from ffnet.geometry import FORMATS, Mesh, edges, read_mesh, write_mesh
from ffnet.geometry.mesh import check_mesh_writable, cleaned
from tests.geometry.shapes import ball, mesh_of, torus


@pytest.mark.parametrize("suffix", ["stl", "obj", "ply", "off", "glb"])
def test_reads_a_closed_body_of_every_format_as_closed(tmp_path, suffix):
    body = trimesh.creation.torus(1.0, 0.3)
    body.export(tmp_path / f"a.{suffix}")
    mesh, dropped = read_mesh(tmp_path / f"a.{suffix}")
    assert dropped == 0
    assert edges(mesh) == (0, 0)
    assert (len(mesh.vertices), len(mesh.faces)) == (len(body.vertices), len(body.faces))
    assert trimesh.Trimesh(*mesh).volume == pytest.approx(body.volume, rel=1e-5)


def test_the_bodies_of_a_scene_stand_in_their_places(tmp_path):
    scene = trimesh.Scene()
    scene.add_geometry(trimesh.creation.box(), transform=trimesh.transformations.translation_matrix([5, 0, 0]))
    scene.add_geometry(trimesh.creation.icosphere(2))
    scene.export(tmp_path / "a.glb")
    mesh, _ = read_mesh(tmp_path / "a.glb")
    assert mesh.vertices.max(0) == pytest.approx([5.5, 1, 1], abs=1e-5)
    assert trimesh.Trimesh(*mesh).volume == pytest.approx(1 + trimesh.creation.icosphere(2).volume, rel=1e-5)


def test_the_seams_of_a_texture_are_merged(tmp_path):
    """A cube as OBJ writes it, each face with texture coordinates of its own."""
    corners = [(x, y, z) for z in (0, 1) for y in (0, 1) for x in (0, 1)]
    quads = [(1, 3, 4, 2), (5, 6, 8, 7), (1, 2, 6, 5), (3, 7, 8, 4), (1, 5, 7, 3), (2, 4, 8, 6)]
    lines = [f"v {x} {y} {z}" for x, y, z in corners] + ["vt 0 0", "vt 1 0", "vt 1 1", "vt 0 1", "vt 0.5 0.5"]
    lines += ["f " + " ".join(f"{v}/{(i + k) % 5 + 1}" for k, v in enumerate(quad)) for i, quad in enumerate(quads)]
    (tmp_path / "a.obj").write_text("\n".join(lines) + "\n")
    mesh, _ = read_mesh(tmp_path / "a.obj")
    assert (len(mesh.vertices), len(mesh.faces), edges(mesh)) == (8, 12, (0, 0))


def test_reads_quads(tmp_path):
    (tmp_path / "a.off").write_text("OFF\n4 1 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n4 0 1 2 3\n")
    mesh, _ = read_mesh(tmp_path / "a.off")
    assert (len(mesh.vertices), len(mesh.faces)) == (4, 2)
    assert edges(mesh) == (4, 0)


def test_degenerate_faces_are_dropped_and_counted(tmp_path):
    box = trimesh.creation.box()
    vertices = np.concatenate([box.vertices, [[9, 9, 9], [10, 10, 10], [11, 11, 11]]])
    bad = [[0, 0, 1], [8, 9, 10]]  # two corners the same; three on a line
    trimesh.Trimesh(vertices, np.concatenate([box.faces, bad]), process=False).export(tmp_path / "a.off")
    mesh, dropped = read_mesh(tmp_path / "a.off")
    assert dropped == 2
    assert (len(mesh.faces), edges(mesh)) == (12, (0, 0))
    assert mesh.vertices.max() == 0.5  # the vertices of no face are gone too


@pytest.mark.parametrize("scale", [1e-12, 1.0, 1e12])
def test_cleaning_knows_no_unit(scale):
    mesh = ball()
    soup = Mesh(mesh.vertices[mesh.faces].reshape(-1, 3) * scale, np.arange(3 * len(mesh.faces)).reshape(-1, 3))
    merged = cleaned(soup)
    assert (len(merged.vertices), len(merged.faces)) == (len(mesh.vertices), len(mesh.faces))
    assert trimesh.Trimesh(*merged, process=False).volume == pytest.approx(
        trimesh.Trimesh(*mesh, process=False).volume * scale**3
    )


def test_open_and_non_manifold_edges_are_counted():
    mesh = torus()
    assert edges(Mesh(mesh.vertices, mesh.faces[1:])) == (3, 0)
    assert edges(Mesh(mesh.vertices, np.concatenate([mesh.faces, mesh.faces[:1]]))) == (0, 3)


BAD = {
    "text.obj": b"hello",
    "points.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\n",
    "range.obj": b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 9\n",
    "nan.obj": b"v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n",
    "infinite.off": b"OFF\n3 1 0\n0 0 inf\n1 0 0\n0 1 0\n3 0 1 2\n",
    "line.off": b"OFF\n3 1 0\n0 0 0\n1 1 1\n2 2 2\n3 0 1 2\n",
    "cut.ply": b"ply\nformat ascii 1.0\nelement vertex 3\nproperty float x\n",
    "cut.off": b"OFF\n3 1",
    "noise.glb": bytes(range(256)),
    "noise.stl": bytes(range(256)),
    "empty.obj": b"",
    "picture.png": b"\x89PNG\r\n",
}
MESSAGES = {
    "points.obj": "has no faces",
    "text.obj": "has no faces",
    "nan.obj": "has 1 vertices that are not finite",
    "infinite.off": "has 1 vertices that are not finite",
    "line.off": "all of its 1 faces are degenerate",
    "empty.obj": "is empty",
    "noise.stl": "damaged mesh|has no faces",  # by the version of trimesh
    "picture.png": "is not a mesh that trimesh can read",
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_mesh_is_refused(tmp_path, name):
    (tmp_path / name).write_bytes(BAD[name])
    with pytest.raises(ValueError, match=MESSAGES.get(name, "damaged mesh")) as error:
        read_mesh(tmp_path / name)
    assert name in str(error.value)


def test_missing_files_and_folders_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file; expected a mesh"):
        read_mesh(tmp_path / "a.obj")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        read_mesh(tmp_path)


@pytest.mark.parametrize("suffix", FORMATS)
def test_what_is_written_is_read_again(tmp_path, suffix):
    mesh = torus()
    write_mesh(mesh, tmp_path / f"a{suffix}")
    again, _ = read_mesh(tmp_path / f"a{suffix}")
    assert [p.name for p in tmp_path.iterdir()] == [f"a{suffix}"]
    assert edges(again) == (0, 0)
    assert trimesh.Trimesh(*again).volume == pytest.approx(trimesh.Trimesh(*mesh).volume, rel=1e-5)


def test_names_that_cannot_be_written_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"output: expected a mesh's name that ends in \.ply"):
        check_mesh_writable(tmp_path / "a.txt")
    with pytest.raises(FileNotFoundError, match="is not a directory"):
        check_mesh_writable(tmp_path / "nowhere" / "a.ply")
    check_mesh_writable(tmp_path / "a.PLY")


def test_the_reference_meshes_are_closed_where_they_are_known_to_be(shared):
    for path in sorted((shared / "data" / "meshes").glob("*")):
        if path.stat().st_size < 1_000_000:
            mesh, dropped = read_mesh(path)
            assert dropped == 0, path
            assert (edges(mesh) == (0, 0)) == (path.stem not in ("suzanne", "teapot")), path


def test_a_mesh_is_its_vertices_and_faces():
    box = mesh_of(trimesh.creation.box())
    assert (box.vertices.dtype, box.faces.dtype) == (np.float64, np.int64)


def test_a_polygon_that_was_triangulated_is_recognized(tmp_path):
    from ffnet.budget import Limits, limited

    corners = [(np.cos(a), np.sin(a), 0) for a in np.linspace(0, 2 * np.pi, 9, endpoint=False)]
    lines = [f"v {x} {y} {z}" for x, y, z in [*corners, (0, 0, 1)]]
    lines += ["f 1 2 3 4 5 6 7 8 9", *(f"f {i} {i % 9 + 1} 10" for i in range(1, 10))]
    (tmp_path / "pyramid.obj").write_text("\n".join(lines))
    with limited(Limits(corners=9)):
        assert len(read_mesh(tmp_path / "pyramid.obj")[0].faces) == 7 + 9
    with (
        limited(Limits(corners=8)),
        pytest.raises(ValueError, match=r"a face: expected at most 8 corners, got 9; limits\.c"),
    ):
        read_mesh(tmp_path / "pyramid.obj")
