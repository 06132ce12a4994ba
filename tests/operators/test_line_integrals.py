"""Line integrals against closed forms, and the adjoint."""

import math

import numpy as np
import pytest
import torch

from ffnet.operators import LineIntegrals
from ffnet.operators.back_projection import filtered_back_projection
from ffnet.operators.line_integrals import chord, even_offsets, fan_lines, line_points, parallel_lines
from ffnet.signals.phantom import phantom, phantom_integrals, phantom_pixels


def beam(angles, detectors):
    return parallel_lines(math.pi * torch.arange(angles, dtype=torch.float64) / angles, even_offsets(detectors))


def test_points_of_a_line_have_its_offset_and_lie_along_it():
    lines = torch.tensor([[0.3, 0.1], [2.0, -0.2]])
    x = line_points(lines, torch.linspace(-0.5, 0.5, 5).expand(2, -1))
    normal = torch.stack([lines[:, 0].cos(), lines[:, 0].sin()], -1)
    torch.testing.assert_close(((x - 0.5) * normal[:, None]).sum(-1), lines[:, 1:].expand(-1, 5))
    torch.testing.assert_close((x[:, 1:] - x[:, :-1]).norm(dim=-1), torch.full((2, 4), 0.25))


def test_the_integral_of_one_is_the_length_of_the_line_in_the_square():
    lines = torch.tensor([[0.0, 0.0], [math.pi / 2, 0.3], [math.pi / 4, 0.0], [0.0, 0.6]])
    lengths = LineIntegrals(20_000)(lambda x: torch.ones(len(x), 1), lines)[:, 0]
    torch.testing.assert_close(lengths, torch.tensor([1.0, 1.0, math.sqrt(2), 0.0]), atol=2e-4, rtol=0)


@pytest.mark.parametrize("noise", [False, True])
def test_the_phantoms_integrals_are_those_of_its_ellipses(noise):
    operator, lines = LineIntegrals(2000), beam(7, 31).float()
    field = lambda x: torch.from_numpy(phantom(x.double().numpy())).float()[:, None]  # noqa: E731
    places = operator.noise(len(lines), torch.Generator().manual_seed(0)) if noise else None
    found = operator(field, lines, places)[:, 0].numpy()
    np.testing.assert_allclose(found, phantom_integrals(lines.double().numpy()), atol=2e-3)


def test_the_integrals_of_one_direction_add_up_to_the_area():
    lines = beam(5, 4000).numpy()
    sums = phantom_integrals(lines).reshape(5, 4000).mean(1)
    np.testing.assert_allclose(sums, phantom_pixels(256, 8).mean(), atol=2e-4)


def test_the_phantom_looks_as_it_does_in_the_literature():
    """Skull, brain, and the left of the two dark ventricles, which leans; y runs down."""
    values = phantom(np.array([[0.5, 0.05], [0.5, 0.5], [0.61, 0.5], [0.01, 0.01], [0.4, 0.4]]))
    np.testing.assert_allclose(values, [1.0, 0.2, 0.0, 0.0, 0.0], atol=1e-12)


def test_a_chord_is_where_the_line_is_in_the_square():
    """Against a fine walk along each line."""
    lines = beam(9, 13)
    enters, length = chord(lines)
    along = torch.linspace(-0.75, 0.75, 20_001, dtype=torch.float64)
    x = line_points(lines, along.expand(len(lines), -1))
    inside = ((x >= 0) & (x <= 1)).all(-1)
    first = along[inside.double().argmax(1)]
    torch.testing.assert_close(inside.sum(1) * (along[1] - along[0]), length[:, 0], atol=3e-4, rtol=0)
    torch.testing.assert_close(first, enters[:, 0], atol=1e-4, rtol=0)


def test_lines_beside_the_square_see_nothing_and_pass_finite_gradients_back():
    weight = torch.ones(1, requires_grad=True)
    found = LineIntegrals(16)(lambda x: weight * x[:, :1], torch.tensor([[0.3, 0.9], [0.0, 0.5001]]))
    found.sum().backward()
    assert found.tolist() == [[0], [0]]
    assert weight.grad.isfinite().all()


def test_all_lines_of_a_fan_pass_through_the_source():
    angles, fan = torch.tensor([0.4, 2.0], dtype=torch.float64), torch.linspace(-0.3, 0.3, 5, dtype=torch.float64)
    lines = fan_lines(angles, fan, 1.5)
    for b, part in zip(angles, lines.split(5), strict=True):
        source = 1.5 * torch.stack([-b.sin(), b.cos()])
        normal = torch.stack([part[:, 0].cos(), part[:, 0].sin()], dim=-1)
        torch.testing.assert_close(normal @ source, part[:, 1])


def test_back_projection_of_exact_integrals_is_the_phantom():
    """With enough angles, up to the blur of edges: away from them it is the phantom's values."""
    lines = beam(180, 128)
    image = filtered_back_projection(torch.from_numpy(phantom_integrals(lines.numpy())).view(180, 128), 128).numpy()
    expected = phantom_pixels(128)[..., 0]
    flat = np.abs(np.gradient(expected)).sum(0) < 1e-6
    assert np.abs(image - expected)[flat].mean() < 0.02
    assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.97


@pytest.mark.usefixtures("without_shape_checks")
def test_samples_are_checked():
    with pytest.raises(ValueError, match="samples: expected an integer of at least 1, got 0"):
        LineIntegrals(0)
