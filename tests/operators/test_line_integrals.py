"""Line integrals against closed forms, and the adjoint."""

import math

import numpy as np
import pytest
import torch

from ffnet.datasets.ct import parallel_lines
from ffnet.operators import ParallelBeam
from ffnet.operators.line_integrals import line_points
from ffnet.signals.phantom import phantom, phantom_integrals, phantom_pixels


def test_points_of_a_line_have_its_offset_and_lie_along_it():
    lines = torch.tensor([[0.3, 0.1], [2.0, -0.2]])
    x = line_points(lines, torch.linspace(-0.5, 0.5, 5).expand(2, -1))
    normal = torch.stack([lines[:, 0].cos(), lines[:, 0].sin()], -1)
    torch.testing.assert_close(((x - 0.5) * normal[:, None]).sum(-1), lines[:, 1:].expand(-1, 5))
    torch.testing.assert_close((x[:, 1:] - x[:, :-1]).norm(dim=-1), torch.full((2, 4), 0.25))


def test_the_integral_of_one_is_the_length_of_the_line_in_the_square():
    lines = torch.tensor([[0.0, 0.0], [math.pi / 2, 0.3], [math.pi / 4, 0.0], [0.0, 0.6]])
    lengths = ParallelBeam(20_000)(lambda x: torch.ones(len(x), 1), lines)[:, 0]
    torch.testing.assert_close(lengths, torch.tensor([1.0, 1.0, math.sqrt(2), 0.0]), atol=2e-4, rtol=0)


@pytest.mark.parametrize("noise", [False, True])
def test_the_phantoms_integrals_are_those_of_its_ellipses(noise):
    operator, lines = ParallelBeam(2000), parallel_lines(7, 31)
    field = lambda x: torch.from_numpy(phantom(x.double().numpy())).float()[:, None]  # noqa: E731
    places = operator.noise(len(lines), torch.Generator().manual_seed(0)) if noise else None
    found = operator(field, lines, places)[:, 0].numpy()
    np.testing.assert_allclose(found, phantom_integrals(lines.double().numpy()), atol=2e-3)


def test_the_integrals_of_one_direction_add_up_to_the_area():
    lines = parallel_lines(5, 4000).double().numpy()
    sums = phantom_integrals(lines).reshape(5, 4000).mean(1)
    np.testing.assert_allclose(sums, phantom_pixels(256, 8).mean(), atol=2e-4)


def test_the_phantom_looks_as_it_does_in_the_literature():
    """Skull, brain, and the left of the two dark ventricles, which leans; y runs down."""
    values = phantom(np.array([[0.5, 0.05], [0.5, 0.5], [0.61, 0.5], [0.01, 0.01], [0.4, 0.4]]))
    np.testing.assert_allclose(values, [1.0, 0.2, 0.0, 0.0, 0.0], atol=1e-12)


def test_its_transpose_is_its_adjoint():
    """``<A f, y> = <f, A* y>`` in float64, where A* comes from autograd: the operator is linear in the field."""
    generator = torch.Generator().manual_seed(0)
    basis = torch.randn(2, 40, generator=generator, dtype=torch.float64)
    weights = torch.randn(40, generator=generator, dtype=torch.float64, requires_grad=True)
    field = lambda x: (x @ basis).sin() @ weights[:, None]  # noqa: E731
    lines = parallel_lines(6, 16).double()
    observed = ParallelBeam(64)(field, lines)
    y = torch.randn(observed.shape, generator=generator, dtype=torch.float64)
    (transposed,) = torch.autograd.grad(observed, weights, y, retain_graph=True)
    assert ((observed * y).sum() - weights @ transposed).abs().item() < 1e-10


@pytest.mark.usefixtures("without_shape_checks")
def test_samples_are_checked():
    with pytest.raises(ValueError, match="samples: expected an integer of at least 1, got 0"):
        ParallelBeam(0)
