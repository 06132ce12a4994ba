"""Volume rendering against closed forms."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from ffnet.operators import Opacity, VolumeRendering
from ffnet.operators.volume_rendering import colour_and_density, composite


def logit_of(density: float) -> float:
    """The fourth value at which a field's density is ``density``."""
    return 2 + math.log(math.expm1(density / 10))


def medium(density: float, colour: float = 0.0):
    return lambda x: torch.tensor([colour, colour, colour, logit_of(density)]).expand(len(x), 4)


def along_axes(count: int = 3) -> torch.Tensor:
    """Rays along x, y and z through the middle of the cube, from far outside of it."""
    tiny = 1e-9  # a direction with a zero has no distance to a wall
    return torch.tensor([[-5.0, 0, 0, 1, tiny, tiny], [0, -5.0, 0, tiny, 1, tiny], [0, 0, -5.0, tiny, tiny, 1]])[:count]


@pytest.mark.parametrize("density", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("samples", [1, 16])
def test_a_constant_medium_lets_through_what_beer_and_lambert_say(density, samples):
    operator = VolumeRendering(half_side=1.5, samples=samples, cells=0)
    seen = operator(medium(density), along_axes())
    expected = 0.5 * (1 - math.exp(-density * 3.0))
    torch.testing.assert_close(seen, torch.full((3, 3), expected), atol=1e-5, rtol=1e-4)


def test_float64_stays_float64_as_kernels_need_it():
    value = torch.tensor([0.3, 0.3, 0.3, logit_of(1.0)], dtype=torch.float64)
    seen = VolumeRendering(half_side=1.5, samples=16, cells=0)(lambda x: value.expand(len(x), 4), along_axes().double())
    expected = torch.tensor(0.3).sigmoid().double() * (1 - math.exp(-3.0))
    torch.testing.assert_close(seen, expected.expand(3, 3), atol=1e-7, rtol=0)


def test_what_is_in_front_hides_what_is_behind():
    colour = torch.tensor([[[1.0, 0, 0], [0, 1.0, 0]]])
    opaque, clear = torch.tensor([[1e3, 1e3]]), torch.tensor([[0.0, 1e3]])
    assert composite(colour, opaque, torch.ones(1, 1)).tolist() == [[1, 0, 0]]
    assert composite(colour, clear, torch.ones(1, 1)).tolist() == [[0, 1, 0]]


def test_rays_beside_the_cube_see_black_and_pass_no_gradient_back():
    ray = torch.tensor([[-5.0, 3.0, 0.0, 1.0, 1e-9, 1e-9]])
    assert VolumeRendering(samples=8)(medium(5.0, 4.0), ray).tolist() == [[0, 0, 0]]


def test_noise_is_stratified_and_changes_no_constant_medium():
    operator = VolumeRendering(samples=16, cells=0)
    noise = operator.noise(3, torch.Generator().manual_seed(0))
    assert noise.shape == (3, 16)
    seen = []
    field = lambda x: seen.append(x) or medium(1.0)(x)  # noqa: E731
    torch.testing.assert_close(operator(field, along_axes(), noise), operator(medium(1.0), along_axes()))
    along = seen[0].view(3, 16, 3)[0, :, 0]
    assert torch.equal((along * 16).floor(), torch.arange(16.0))


def test_cells_that_the_field_finds_empty_are_left_out_and_change_nothing():
    """A ball in the middle: what lies outside of it and of the cells next to it is evaluated no more."""

    def ball(x):
        inside = (x - 0.5).norm(dim=-1) < 0.2
        density = torch.where(inside, logit_of(20.0), -30.0)
        return torch.cat([torch.ones(len(x), 3), density[:, None]], dim=-1)

    calls = []
    counted = lambda x: calls.append(len(x)) or ball(x)  # noqa: E731
    operator = VolumeRendering(samples=64, cells=16, every_n_steps=10, warmup_steps=20)
    generator = torch.Generator().manual_seed(0)
    whole = operator(counted, along_axes())
    for step in (0, 10, 15):
        operator.prepare(ball, step, generator)
        assert operator.occupied.all()
    operator.prepare(ball, 20, generator)
    assert 0.05 < operator.occupied.double().mean() < 0.3
    torch.testing.assert_close(operator(counted, along_axes()), whole)
    assert calls[1] < 0.7 * calls[0]
    assert set(operator.state_dict()) == {"occupied"}


def test_colour_and_density_are_what_they_say():
    values = torch.tensor([[0.0, 0.0, 0.0, 2.0]])
    colour, density = colour_and_density(values)
    assert colour.tolist() == [[0.5, 0.5, 0.5]]
    assert density.item() == pytest.approx(10 * math.log(2), rel=1e-6)
    assert softplus(torch.tensor(0.0)).item() == pytest.approx(math.log(2))
    assert Opacity(0.1)(values).item() == pytest.approx(1 - 2**-1.0, rel=1e-5)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("arguments", [{"samples": 0}, {"cells": -1}, {"half_side": 0.0}, {"half_side": float("inf")}])
def test_arguments_are_checked(arguments):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}: expected"):
        VolumeRendering(**arguments)
