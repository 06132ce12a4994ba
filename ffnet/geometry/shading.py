"""Renders shaded views of a mesh on the CPU with a depth buffer; needs no display."""

import math
from collections.abc import Iterator

import numpy as np
from jaxtyping import Float, Int

from ffnet.geometry.mesh import Mesh
from ffnet.geometry.sampling import triangles

# (azimuth, elevation) in degrees, y up: from the front right, the left, the back.
DIRECTIONS = ((30.0, 20.0), (150.0, 20.0), (270.0, 20.0))
# Width of a view in sides of the unit cube; a shape that fills the cube up to a margin fits in.
FRAME = 1.3
# Radius of a shape on the turntable, which stays within the view.
REACH = 0.6
SAMPLES = 2  # along each side of a pixel
CLAY = np.array([0.86, 0.80, 0.72])
LIGHT = np.array([-0.45, 0.65, 0.61])  # from above, the left and the eye


def views(mesh: Mesh, side: int) -> Float[np.ndarray, "side width 3"]:
    """``mesh`` in the unit cube from three directions, side by side: RGB in [0, 1] on white."""
    return np.concatenate([view(mesh, side, *direction) for direction in DIRECTIONS], axis=1)


def turntable(mesh: Mesh, side: int, frames: int) -> Iterator[Float[np.ndarray, "side side 3"]]:
    """Views of ``mesh``, of any place and size, from all around: ``frames`` equal steps make one turn."""
    centre = (mesh.vertices.min(0) + mesh.vertices.max(0)) / 2
    radius = np.linalg.norm(mesh.vertices - centre, axis=-1).max()
    placed = Mesh((mesh.vertices - centre) * (REACH / radius) + 0.5, mesh.faces)
    for frame in range(frames):
        yield view(placed, side, DIRECTIONS[0][0] + 360 * frame / frames, DIRECTIONS[0][1])


def unit_normals(mesh: Mesh) -> Float[np.ndarray, "v 3"]:
    """``vertex_normals`` of length 1; zero where the faces around a vertex cancel."""
    normals = vertex_normals(mesh)
    length = np.linalg.norm(normals, axis=-1, keepdims=True)
    return np.divide(normals, length, out=np.zeros_like(normals), where=length > 0)


def view(mesh: Mesh, side: int, azimuth: float, elevation: float) -> Float[np.ndarray, "side side 3"]:
    """``mesh`` in parallel projection from a direction in degrees (0, 0: along -z, with y up), smoothly shaded."""
    size = side * SAMPLES
    turn = camera(azimuth, elevation)
    vertices = (mesh.vertices - 0.5) @ turn.T
    screen = (vertices * [1, -1, 1] / FRAME + [0.5, 0.5, 0]) * [size, size, 1]  # in pixels, y down
    pixels, face, weights = visible(screen[mesh.faces], size)
    normal = (vertex_normals(mesh)[mesh.faces[face]] * weights[..., None]).sum(1) @ turn.T
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True).clip(1e-12)
    normal *= np.where(normal[:, 2:] < 0, -1, 1)  # an open mesh shows its inside too
    image = np.ones((size * size, 3))
    image[pixels] = colour(normal)
    return image.reshape(side, SAMPLES, side, SAMPLES, 3).mean((1, 3)) ** (1 / 2.2)


def camera(azimuth: float, elevation: float) -> Float[np.ndarray, "3 3"]:
    """The rotation to right, up and towards the eye."""
    a, e = math.radians(azimuth), math.radians(elevation)
    eye = [math.sin(a) * math.cos(e), math.sin(e), math.cos(a) * math.cos(e)]
    right = [math.cos(a), 0.0, -math.sin(a)]
    return np.array([right, np.cross(eye, right), eye])


def colour(normal: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """The colour of clay lit by a lamp and a sky, linear RGB."""
    lamp = (normal @ LIGHT / np.linalg.norm(LIGHT)).clip(0)
    half = LIGHT / np.linalg.norm(LIGHT) + [0, 0, 1]
    shine = (normal @ half / np.linalg.norm(half)).clip(0) ** 40
    sky = 0.5 + 0.5 * normal[:, 1]
    return (CLAY**2.2 * (0.12 + 0.2 * sky + 0.75 * lamp)[:, None] + 0.06 * shine[:, None]).clip(0, 1)


def vertex_normals(mesh: Mesh) -> Float[np.ndarray, "v 3"]:
    """The sum of the normals of the faces around each vertex, weighted by their area."""
    a, b, c = np.moveaxis(triangles(mesh), 1, 0)
    across = np.cross(b - a, c - a)
    normal = np.zeros_like(mesh.vertices)
    for axis in range(3):
        for corner in range(3):
            normal[:, axis] += np.bincount(mesh.faces[:, corner], across[:, axis], len(normal))
    return normal


def visible(
    screen: Float[np.ndarray, "f 3 3"], size: int
) -> tuple[Int[np.ndarray, "n"], Int[np.ndarray, "n"], Float[np.ndarray, "n 3"]]:
    """The covered pixels of a square image: their indices, the nearest faces, and the weights of the corners.

    ``screen`` contains the corners of the triangles: x to the right and y down in pixels, z towards the eye.
    """
    low = np.floor(screen[..., :2].min(1)).clip(0, size).astype(np.int64)
    high = np.ceil(screen[..., :2].max(1)).clip(0, size).astype(np.int64)
    width, height = (high - low).T
    depth, owner = np.full(size * size, -np.inf), np.full(size * size, -1)
    corner_weights = np.zeros((size * size, 3))
    covered = np.cumsum(width * height)
    chunks = np.searchsorted(covered, np.arange(0, covered[-1] if len(covered) else 0, 2**20), side="right")
    for faces in np.split(np.arange(len(screen)), np.unique(chunks)[1:]):
        # Every pixel of every face's bounding box.
        repeats = width[faces] * height[faces]
        face = np.repeat(faces, repeats)
        number = np.arange(len(face)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
        x, y = low[face, 0] + number % width[face], low[face, 1] + number // width[face]
        weights = barycentric(screen[face, :, :2], np.stack([x, y], -1) + 0.5)
        z = (weights * screen[face, :, 2]).sum(-1)
        pixel = y * size + x
        seen = (weights >= 0).all(-1) & (z > depth[pixel])
        order = np.flatnonzero(seen)[np.argsort(z[seen])]  # of several writes to a pixel the last, nearest, stays
        depth[pixel[order]], owner[pixel[order]] = z[order], face[order]
        corner_weights[pixel[order]] = weights[order]
    pixels = np.flatnonzero(owner >= 0)
    return pixels, owner[pixels], corner_weights[pixels]


def barycentric(triangle: Float[np.ndarray, "n 3 2"], point: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n 3"]:
    """Barycentric coordinates of ``point``; negative outside and for triangles seen edge-on."""
    a, b, c = np.moveaxis(triangle, 1, 0)
    (ux, uy), (vx, vy), (px, py) = (b - a).T, (c - a).T, (point - a).T
    area = ux * vy - uy * vx
    area = np.where(area == 0, np.nan, area)
    second, third = (px * vy - py * vx) / area, (ux * py - uy * px) / area
    return np.nan_to_num(np.stack([1 - second - third, second, third], -1), nan=-1.0)
