"""Views: what is in front hides what is behind, light comes from above, and nothing is upside down."""

import numpy as np
import pytest

from ffnet.geometry import Mesh, Winding, views
from ffnet.geometry.shading import DIRECTIONS, FRAME, camera, vertex_normals, view, visible
from tests.geometry.shapes import ball

UNIT_BALL = Mesh(ball(0.3, 5).vertices + 0.5, ball(0.3, 5).faces)


def test_a_ball_looks_like_a_disc_from_everywhere():
    for direction in DIRECTIONS:
        shown = view(UNIT_BALL, 120, *direction).mean(-1) < 1
        assert shown.mean() == pytest.approx(np.pi * (0.3 / FRAME) ** 2, rel=0.03)


def test_three_views_stand_side_by_side():
    picture = views(UNIT_BALL, 40)
    assert picture.shape == (40, 120, 3)
    assert picture.min() >= 0
    assert picture.max() == 1


def test_the_camera_is_a_rotation_with_y_up():
    for direction in DIRECTIONS:
        turn = camera(*direction)
        np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
        assert np.linalg.det(turn) == pytest.approx(1)
        assert turn[1, 1] > 0
    np.testing.assert_allclose(camera(0, 0), np.eye(3), atol=1e-12)


def test_light_comes_from_above_and_up_is_up():
    picture = view(UNIT_BALL, 100, 0, 0).mean(-1)
    assert picture[35, 50] > picture[65, 50] + 0.1
    high = Mesh(UNIT_BALL.vertices * 0.3 + [0.35, 0.65, 0.35], UNIT_BALL.faces)
    rows, columns = np.nonzero(view(high, 100, 0, 0).mean(-1) < 1)
    assert rows.max() < 50
    right = Mesh(UNIT_BALL.vertices * 0.3 + [0.65, 0.35, 0.35], UNIT_BALL.faces)
    rows, columns = np.nonzero(view(right, 100, 0, 0).mean(-1) < 1)
    assert columns.min() > 50


def test_the_nearest_of_many_triangles_is_seen_pixel_by_pixel():
    """Against a loop over pixels and triangles."""
    generator = np.random.default_rng(0)
    screen = generator.uniform(-4, 20, (30, 3, 3))
    pixels, face, weights = visible(screen, 16)
    expected = {}
    for number in range(256):
        point = np.array([number % 16 + 0.5, number // 16 + 0.5])
        for f, corners in enumerate(screen):
            system = np.vstack([corners[:, :2].T, np.ones(3)])
            w = np.linalg.solve(system, [*point, 1])
            if (w >= 0).all() and w @ corners[:, 2] > expected.get(number, (-np.inf, 0))[0]:
                expected[number] = (w @ corners[:, 2], f)
    assert dict(zip(pixels.tolist(), face.tolist(), strict=True)) == {n: f for n, (_, f) in expected.items()}
    depths = (weights * screen[face, :, 2]).sum(-1)
    np.testing.assert_allclose(depths, [expected[n][0] for n in pixels.tolist()], atol=1e-9)


def test_the_normals_of_a_ball_point_away_from_its_centre():
    normal = vertex_normals(UNIT_BALL)
    outwards = (UNIT_BALL.vertices - 0.5) / 0.3
    cosine = (normal * outwards).sum(-1) / np.linalg.norm(normal, axis=-1)
    assert cosine.min() > 0.999
    assert Winding(UNIT_BALL).inside(np.full((1, 3), 0.5)).all()


def test_nothing_is_white():
    assert (views(Mesh(np.empty((0, 3)), np.empty((0, 3), np.int64)), 8) == 1).all()
