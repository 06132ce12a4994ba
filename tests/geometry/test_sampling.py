"""Points on triangles, against areas and closed forms."""

import numpy as np
import pytest
import torch
from igl import point_mesh_squared_distance

from ffnet.geometry import area_cdf, compare, surface_points, triangles
from tests.geometry.shapes import ball, mesh_of, torus


def draw(mesh, count, seed=0):
    corners = triangles(mesh)
    generator = torch.Generator().manual_seed(seed)
    points, face = surface_points(torch.tensor(corners), torch.tensor(area_cdf(corners)), count, generator)
    return points.numpy(), face.numpy()


def test_points_lie_on_their_faces():
    mesh = torus()
    points, face = draw(mesh, 5000)
    squared, _, _ = point_mesh_squared_distance(points, mesh.vertices, mesh.faces)
    assert squared.max() < 1e-28
    for point, f in zip(points[:50], face[:50], strict=True):
        assert point_mesh_squared_distance(point[None], mesh.vertices, mesh.faces[f : f + 1])[0] < 1e-28


def test_points_are_uniform_over_the_area():
    points, _ = draw(ball(subdivisions=5), 200_000)
    # On a sphere each coordinate is uniform on [-1, 1] (Archimedes).
    for axis in range(3):
        counts = np.histogram(points[:, axis], 20, (-1, 1))[0]
        assert np.square(counts - 10_000).sum() / 10_000 < 60  # chi-square, 19 degrees: 99.9999 % below
    flat = mesh_of(type("Body", (), {"vertices": [[0, 0, 0], [1, 0, 0], [0, 1, 0]], "faces": [[0, 1, 2]]}))
    points, _ = draw(flat, 100_000)
    assert points.mean(0) == pytest.approx([1 / 3, 1 / 3, 0], abs=0.005)
    assert np.var(points[:, 0]) == pytest.approx(1 / 18, rel=0.02)


def test_the_seed_gives_the_points():
    assert np.array_equal(draw(ball(), 100, 3)[0], draw(ball(), 100, 3)[0])
    assert not np.array_equal(draw(ball(), 100, 3)[0], draw(ball(), 100, 4)[0])


def test_two_spheres_are_as_far_apart_as_their_radii():
    figures = compare(ball(1.0, 5), ball(1.1, 5), points=20_000)
    for name in ("chamfer", "accuracy", "completeness"):
        assert figures[name] == pytest.approx(0.1, abs=1e-3)
    assert figures["normal_consistency"] > 0.999


def test_a_surface_is_not_far_from_itself():
    figures = compare(torus(), torus(), points=5000)
    assert figures["chamfer"] < 1e-12
    assert figures["normal_consistency"] == pytest.approx(1)


def test_half_of_a_surface_is_accurate_and_incomplete():
    whole = ball(1.0, 4)
    upper = whole.vertices[whole.faces][..., 2].min(1) >= 0
    figures = compare(type(whole)(whole.vertices, whole.faces[upper]), whole, points=20_000)
    assert figures["accuracy"] < 1e-12
    assert figures["completeness"] > 0.1
