"""Where a shape lies in the unit cube."""

import numpy as np
import pytest

from ffnet.geometry import as_in_paper, in_box


@pytest.fixture
def points():
    return np.random.default_rng(0).normal(size=(500, 3)) * [1, 5, 2] + [100, -3, 7]


@pytest.mark.parametrize("margin", [0.0, 0.05, 0.2])
def test_in_box_centres_the_bounding_box_and_keeps_the_margin(points, margin):
    unit = in_box(points, margin).to_unit(points)
    assert unit.min() == pytest.approx(margin)
    assert unit.max() == pytest.approx(1 - margin)
    assert (unit.min(0) + unit.max(0)) / 2 == pytest.approx([0.5] * 3)


def test_the_papers_placement(points):
    unit = as_in_paper(points).to_unit(points)
    assert unit.mean(0) == pytest.approx([0.5] * 3)
    assert np.abs(2 * unit - 1).max() == pytest.approx(1)


@pytest.mark.parametrize("place", [as_in_paper, lambda points: in_box(points, 0.05)])
def test_angles_are_kept_and_the_way_back_is_exact(points, place):
    placement = place(points)
    unit = placement.to_unit(points)
    np.testing.assert_allclose(placement.to_own(unit), points, atol=1e-10)
    ratio = np.diff(unit, axis=0) / np.diff(points, axis=0)
    np.testing.assert_allclose(ratio, placement.scale, rtol=1e-9)
    assert placement.scale > 0  # the right way up


@pytest.mark.parametrize("size", [0.0, 1e308])
def test_sizes_beyond_numbers_are_refused(size):
    points = np.array([[-1.0, -1, -1], [1, 1, 1]]) * size
    with np.errstate(all="ignore"), pytest.raises(ValueError, match="too large or too small"):
        in_box(points, 0.05)
