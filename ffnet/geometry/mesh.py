"""Reads, checks and writes triangle meshes."""

import logging
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ffnet.atomic import check_replaceable, replacing
from ffnet.budget import check

FORMATS = (".ply", ".obj", ".stl", ".glb")
# Bytes of a vertex, at least.
BYTES = 12
# Threshold of twice the area over the longest edge squared, below which a triangle is degenerate.
FLAT = 1e-12
# Largest coordinate whose squares, products and sums are finite.
LARGEST = 1e100


class Mesh(NamedTuple):
    """Triangles, counter-clockwise when seen from outside."""

    vertices: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]


class Edges(NamedTuple):
    """Edges that prevent a mesh from being watertight: those with one face, and those with more than two."""

    open: int
    non_manifold: int


def read_mesh(path: Path) -> tuple[Mesh, int]:
    """The mesh at ``path`` in its own coordinates, with all bodies merged, and the number of degenerate faces removed.

    Duplicate vertices (texture seams, STL corners) are merged, so that closed surfaces are closed meshes. Reads all
    formats of trimesh and applies the transforms of GLTF scenes.

    Raises:
        FileNotFoundError, IsADirectoryError, PermissionError: as ``open`` does.
        ValueError: if the file is not a mesh, is damaged, has no faces, or has vertices that are not finite.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected a mesh")
    if path.is_dir():
        raise IsADirectoryError(f"{path}: is a directory; expected a mesh")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: is empty; expected a mesh")
    with path.open("rb"):  # open, not a parser, raises PermissionError
        pass
    import trimesh

    check_unpacked(path)
    try:
        trimesh.util.log.setLevel(logging.CRITICAL)  # what it tries in vain is no news
        loaded = trimesh.load_scene(path, process=False).to_mesh()
        vertices, faces = np.asarray(loaded.vertices, np.float64), np.asarray(loaded.faces, np.int64)
    except NotImplementedError as error:
        known = ", ".join(sorted(trimesh.available_formats()))
        raise ValueError(f"{path}: is not a mesh that trimesh can read; expected one of {known}") from error
    except Exception as error:  # parsers of many formats, each with its own errors
        raise ValueError(f"{path}: damaged mesh, or none ({type(error).__name__}: {error})") from error
    return checked_mesh(vertices, faces, path)


def check_unpacked(path: Path) -> None:
    """Raises ValueError if ``path`` is an archive of meshes, or holds more than ``limits.points`` when unpacked."""
    if path.suffix.lower() in (".zip", ".gz", ".bz2"):
        raise ValueError(f"{path}: is an archive; unpack it first")
    if zipfile.is_zipfile(path):  # .3mf and the like
        with zipfile.ZipFile(path) as archive:
            check("points", sum(member.file_size for member in archive.infolist()) // BYTES, f"{path}: unpacked")


def checked_mesh(
    vertices: Float[np.ndarray, "v 3"], faces: Int[np.ndarray, "f 3"], path: Path | str
) -> tuple[Mesh, int]:
    """A mesh without degenerate faces and unused vertices, and the number of faces removed.

    Errors name ``path``.

    Raises:
        ValueError: if there are no faces, one has too many corners, or vertices are missing, not finite or too large.
    """
    check("corners", longest_fan(faces), f"{path}: a face")
    if len(faces) == 0:
        raise ValueError(f"{path}: has no faces; expected a mesh of triangles, since points alone have no inside")
    if faces.min() < 0 or faces.max() >= len(vertices):
        raise ValueError(f"{path}: damaged mesh (a face names a vertex that is not there)")
    if broken := len(np.unique(faces[~np.isfinite(vertices[faces]).all(-1)])):
        raise ValueError(f"{path}: has {broken} vertices that are not finite numbers")
    if (farthest := np.abs(vertices[faces]).max()) > LARGEST:
        raise ValueError(f"{path}: has coordinates of {farthest:.1g}; expected at most {LARGEST:.0g}")
    mesh = cleaned(Mesh(vertices, faces))
    if len(mesh.faces) == 0:
        raise ValueError(f"{path}: all of its {len(faces)} faces are degenerate; expected triangles with an area")
    return mesh, len(faces) - len(mesh.faces)


def longest_fan(faces: Int[np.ndarray, "f 3"]) -> int:
    """The most corners of a polygon that was read as consecutive triangles (a, b, c), (a, c, d), ..."""
    goes_on = (faces[1:, 0] == faces[:-1, 0]) & (faces[1:, 1] == faces[:-1, 2])
    ends = np.flatnonzero(np.concatenate([[True], ~goes_on, [True]]))
    return int(np.diff(ends).max(initial=0)) + 2


def cleaned(mesh: Mesh) -> Mesh:
    """``mesh`` with duplicate vertices merged, without degenerate faces and without unused vertices."""
    used, faces = np.unique(mesh.faces, return_inverse=True)
    # Sorted lexicographically; np.unique over rows compares them as bytes, which is slow.
    vertices = mesh.vertices[used] + 0.0  # -0.0 is 0.0
    order = np.lexsort(vertices.T)
    first = np.ones(len(order), bool)
    first[1:] = (vertices[order[1:]] != vertices[order[:-1]]).any(-1)
    place = np.empty(len(order), np.int64)
    place[order] = np.cumsum(first) - 1
    vertices, faces = vertices[order[first]], place[faces.reshape(-1, 3)]
    corners = vertices[faces]
    edges = corners - np.roll(corners, 1, axis=1)
    longest = np.square(edges).sum(-1).max(-1)
    faces = faces[np.linalg.norm(np.cross(edges[:, 0], edges[:, 1]), axis=-1) > FLAT * longest]
    used, faces = np.unique(faces, return_inverse=True)
    return Mesh(vertices[used], faces.reshape(-1, 3))


def edges(mesh: Mesh) -> Edges:
    """Counts the edges that prevent ``mesh`` from being a closed surface."""
    ends = np.sort(np.concatenate([mesh.faces[:, [0, 1]], mesh.faces[:, [1, 2]], mesh.faces[:, [2, 0]]]), axis=-1)
    count = np.unique(ends[:, 0] * len(mesh.vertices) + ends[:, 1], return_counts=True)[1]
    return Edges(int((count == 1).sum()), int((count > 2).sum()))


def largest_component(mesh: Mesh) -> Mesh:
    """The part of ``mesh`` with the largest area of those that no edge connects."""
    import igl

    vertices, faces = np.ascontiguousarray(mesh.vertices, np.float64), np.ascontiguousarray(mesh.faces, np.int64)
    _, part = igl.facet_components(faces)
    kept = faces[part == np.bincount(part, igl.doublearea(vertices, faces)).argmax()]
    used, faces = np.unique(kept, return_inverse=True)
    return Mesh(mesh.vertices[used], faces.reshape(-1, 3))


def check_mesh_writable(path: Path, normals: bool = False) -> None:
    """Checks whether a mesh can be written, with ``normals`` if asked for, before it is computed.

    Raises:
        ValueError: if the suffix is not one of ``FORMATS``, or the format has no normals of vertices.
        OSError: if the directory is missing or not writable.
    """
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"output: expected a mesh's name that ends in {', '.join(FORMATS)}, got {path.name!r}")
    if normals and path.suffix.lower() == ".stl":
        raise ValueError(f"normals: expected null for .stl, which has none of vertices, got smooth for {path.name!r}")
    check_replaceable(path)


def write_mesh(mesh: Mesh, path: Path, normals: Float[np.ndarray, "v 3"] | None = None) -> None:
    """Writes ``mesh`` in the format of the suffix, atomically, with unit ``normals`` of its vertices if given."""
    import trimesh

    suffix = path.suffix[1:].lower()
    named = {} if normals is None else {"vertex_normal" if suffix == "ply" else "include_normals": True}
    with replacing(path) as temporary:
        whole = trimesh.Trimesh(mesh.vertices, mesh.faces, vertex_normals=normals, process=False)
        whole.export(temporary, suffix, **named)
