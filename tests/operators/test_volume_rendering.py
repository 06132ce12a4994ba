"""Volume rendering against closed forms."""

import math

import pytest
import torch
from torch.nn.functional import softplus

from ffnet.operators import Opacity, VolumeRendering
from ffnet.operators.volume_rendering import colour_and_density, composite, inverse_cdf


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
@pytest.mark.parametrize("coarse", [0, 8])
@pytest.mark.parametrize("background", [0.0, 1.0])
def test_a_constant_medium_lets_through_what_beer_and_lambert_say(density, samples, coarse, background):
    operator = VolumeRendering(half_side=1.5, samples=samples, coarse=coarse, background=background, cells=0)
    seen = operator(medium(density), along_axes())
    through = math.exp(-density * 3.0)
    expected = 0.5 * (1 - through) + background * through
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


@pytest.mark.parametrize(
    ("near", "far", "length"), [(None, None, 3.0), (4.5, None, 2.0), (None, 5.0, 1.5), (4, 5.5, 1.5)]
)
def test_samples_lie_between_near_and_far_and_in_the_cube(near, far, length):
    operator = VolumeRendering(half_side=1.5, samples=8, near=near, far=far, cells=0)
    seen = operator(medium(0.5), along_axes())
    torch.testing.assert_close(seen, torch.full((3, 3), 0.5 * (1 - math.exp(-0.5 * length))), atol=1e-5, rtol=1e-4)


def test_the_distance_is_that_of_an_opaque_wall_and_the_mean_depth_of_a_thin_medium():
    wall = lambda x: torch.cat([0 * x, torch.where(x[:, :1] > 0.6, 50.0, -50.0)], dim=-1)  # noqa: E731
    traced = VolumeRendering(half_side=1.5, samples=500, cells=0).trace(wall, along_axes(1))
    assert traced.distance.item() == pytest.approx(3.5 + 0.6 * 3, abs=0.01)
    assert traced.opacity.item() == pytest.approx(1)
    traced = VolumeRendering(half_side=1.5, samples=500, cells=0).trace(medium(2.0), along_axes(1))
    # The mean of an exponential law on [0, 3].
    mean = 1 / 2 - 3 * math.exp(-6) / (1 - math.exp(-6))
    assert traced.distance.item() == pytest.approx(3.5 + mean, abs=1e-3)


def test_the_inverse_of_a_share_is_where_it_is_reached():
    weights = torch.tensor([[1.0, 3.0, 0.0, 4.0], [2.0, 2.0, 2.0, 2.0]])
    at = torch.tensor([[0.0, 1 / 16, 1 / 8, 0.5, 0.75, 1.0]]).expand(2, 6)
    expected = [[0.0, 1 / 8, 1 / 4, 3 / 4, 7 / 8, 1.0], [0.0, 1 / 16, 1 / 8, 0.5, 0.75, 1.0]]
    reached = inverse_cdf(weights, at)
    # Half of the first is reached anywhere in the part without weight.
    assert 0.5 - 1e-6 <= reached[0, 3] <= 0.75 + 1e-6
    reached[0, 3] = 0.75
    torch.testing.assert_close(reached, torch.tensor(expected))


def test_a_first_pass_puts_samples_where_a_thin_shell_is():
    """A wall of thickness 0.03 in a way of length 3: 16 even samples see it by chance, placed ones always do."""

    def wall(at):
        return lambda x: torch.cat(
            [torch.full_like(x, 9.0), torch.where((x[:, :1] - at).abs() < 0.005, logit_of(200.0), -30.0)], dim=-1
        )

    places = torch.linspace(0.2, 0.8, 40).tolist()
    seen = [
        [
            VolumeRendering(half_side=1.5, samples=16, coarse=coarse, cells=0)(wall(at), along_axes(1))[0, 0].item()
            for at in places
        ]
        for coarse in (0, 300)
    ]
    expected = torch.tensor(9.0).sigmoid().item() * (1 - math.exp(-200 * 0.03))
    errors = [sum(abs(value - expected) for value in values) / len(values) for values in seen]
    assert errors[1] < 0.15 * errors[0]


def test_a_field_of_directions_sees_those_of_the_rays():
    seen = []

    def field(x):
        seen.append(x)
        return medium(1.0)(x)

    operator = VolumeRendering(half_side=1.5, samples=4, directions=True, cells=4, warmup_steps=0, every_n_steps=1)
    operator(field, along_axes())
    assert seen[0].shape == (12, 6)
    torch.testing.assert_close(seen[0][:, 3:], along_axes()[:, 3:].repeat_interleave(4, dim=0))
    operator.prepare(field, 0, torch.Generator().manual_seed(0))
    torch.testing.assert_close(seen[1][:, 3:].norm(dim=-1), torch.ones(64))


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
@pytest.mark.parametrize(
    "arguments",
    [
        *({"samples": 0}, {"cells": -1}, {"half_side": 0.0}, {"half_side": float("inf")}, {"coarse": -1}),
        *({"near": -1.0}, {"far": 1.0, "near": 2.0}, {"background": 1.5}, {"background": True}),
    ],
)
def test_arguments_are_checked(arguments):
    with pytest.raises(ValueError, match=f"{next(iter(arguments))}: expected"):
        VolumeRendering(**arguments)
