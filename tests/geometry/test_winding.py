"""Labels against exact winding numbers, ray parity and closed forms."""

import pickle

import igl
import numpy as np
import pytest
import trimesh

from ffnet.geometry import Mesh, Winding, read_mesh
from tests.geometry.shapes import ball, mesh_of, torus


def solid_angles(mesh, points):
    """Exact winding numbers by the formula of van Oosterom & Strackee 1983."""
    a, b, c = (mesh.vertices[mesh.faces[:, k]] - points[:, None] for k in range(3))
    la, lb, lc = (np.linalg.norm(v, axis=-1) for v in (a, b, c))
    numerator = (a * np.cross(b, c)).sum(-1)
    denominator = la * lb * lc + (a * b).sum(-1) * lc + (b * c).sum(-1) * la + (c * a).sum(-1) * lb
    return 2 * np.arctan2(numerator, denominator).sum(-1) / (4 * np.pi)


def parity(mesh, points):
    """Whether a ray, askew so that it grazes no face, crosses the surface an odd number of times."""
    askew = np.linalg.qr(np.random.default_rng(5).normal(size=(3, 3)))[0]
    a, b, c = ((mesh.vertices[mesh.faces[:, k]] - points[:, None]) @ askew for k in range(3))
    areas = [u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0] for u, v in ((b, c), (c, a), (a, b))]
    hit = np.logical_or(*[np.logical_and.reduce([sign * area > 0 for area in areas]) for sign in (1, -1)])
    height = sum(area * corner[..., 2] for area, corner in zip(areas, (a, b, c), strict=True)) / sum(areas)
    return (hit & (height > 0)).sum(-1) % 2 == 1


def test_a_ball_and_a_torus_have_the_inside_of_their_formulas():
    points = np.random.default_rng(0).uniform(-1.4, 1.4, (20_000, 3))
    radius = np.linalg.norm(points, axis=-1)
    clear = np.abs(radius - 1) > 0.01  # the faces lie within the sphere
    assert (Winding(ball()).inside(points) == (radius < 1))[clear].all()
    ring = np.hypot(np.linalg.norm(points[:, :2], axis=-1) - 1, points[:, 2])
    clear = np.abs(ring - 0.35) > 0.01
    assert (Winding(torus()).inside(points) == (ring < 0.35))[clear].all()


@pytest.mark.parametrize(
    "name", ["knot1.off", "bunny.obj", "cactus.off", "anchor_dense.off", "spot_low_resolution.obj"]
)
def test_labels_of_closed_meshes_are_those_of_exact_numbers_and_of_ray_parity(shared, name):
    mesh, _ = read_mesh(shared / "data" / "meshes" / name)
    generator = np.random.default_rng(1)
    points = generator.uniform(mesh.vertices.min(0), mesh.vertices.max(0), (200, 3))
    near = mesh.vertices[generator.integers(len(mesh.vertices), size=200)]
    points = np.concatenate([points, near + generator.normal(scale=0.01, size=near.shape)])
    labels = Winding(mesh).inside(points)
    assert (labels == (np.abs(solid_angles(mesh, points)) > 0.5)).all()
    assert (labels == parity(mesh, points)).all()


@pytest.mark.long
def test_every_closed_reference_mesh_agrees_with_exact_numbers(shared):
    for path in sorted((shared / "data" / "meshes").glob("*")):
        mesh, _ = read_mesh(path)
        points = np.random.default_rng(2).uniform(mesh.vertices.min(0), mesh.vertices.max(0), (1000, 3))
        exact = np.abs(igl.winding_number(mesh.vertices, mesh.faces, points)) > 0.5
        assert (Winding(mesh).inside(points) == exact).all(), path


def test_faces_turned_inwards_enclose_the_same():
    points = np.random.default_rng(0).uniform(-1.2, 1.2, (5000, 3))
    mesh = ball()
    turned = Mesh(mesh.vertices, mesh.faces[:, ::-1])
    assert (Winding(mesh).inside(points) == Winding(turned).inside(points)).all()


def test_a_hole_does_not_let_the_inside_out():
    mesh = ball()
    lid = mesh.vertices[mesh.faces].mean(1)[:, 2] > 0.9
    points = np.random.default_rng(0).uniform(-0.7, 0.7, (5000, 3))
    assert Winding(Mesh(mesh.vertices, mesh.faces[~lid])).inside(points[np.linalg.norm(points, axis=-1) < 0.7]).all()


def test_overlapping_bodies_are_one_and_a_cavity_is_outside():
    union = mesh_of(
        trimesh.util.concatenate([trimesh.creation.box(), trimesh.creation.box().apply_translation([0.5] * 3)])
    )
    assert Winding(union).inside(np.array([[0.25] * 3, [0.9] * 3, [-0.4] * 3, [1.2] * 3])).tolist() == [True] * 3 + [
        False
    ]
    outer, inner = ball(1.0), ball(0.5)
    hollow = Mesh(
        np.concatenate([outer.vertices, inner.vertices]),
        np.concatenate([outer.faces, inner.faces[:, ::-1] + len(outer.vertices)]),
    )
    assert Winding(hollow).inside(np.array([[0.0, 0, 0], [0.7, 0, 0], [1.1, 0, 0]])).tolist() == [False, True, False]


def test_can_be_pickled():
    winding = pickle.loads(pickle.dumps(Winding(ball())))
    assert winding.inside(np.array([[0.0, 0, 0], [2, 0, 0]])).tolist() == [True, False]


@pytest.mark.parametrize(
    "points", [np.zeros((0, 3)), np.full((3, 3), 0.2), np.random.default_rng(0).normal(size=(999, 3))]
)
def test_points_are_answered_in_their_own_order(points):
    labels = Winding(ball()).inside(points)
    assert (labels == (np.linalg.norm(points, axis=-1) < 1)).sum() >= 0.99 * len(points)
    assert labels.shape == (len(points),)
    for label, point in zip(labels[:20], points[:20], strict=True):
        assert Winding(ball()).inside(point[None]).item() == label
