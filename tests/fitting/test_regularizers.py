"""Regularizers against closed forms."""

import math

import pytest
import torch
from torch import nn

from ffnet.datasets import Batch
from ffnet.fitting import Eikonal, Normals, Objective, Regularizer, Smoothness, Sparsity, TotalVariation

NOTHING = Batch(torch.empty(0, 2), torch.empty(0, 1))


class Function(nn.Module):
    def __init__(self, function, in_features=2):
        super().__init__()
        self.function, self.in_features = function, in_features

    def forward(self, x):
        return self.function(x)


def value(term, function, in_features=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return term(Function(function, in_features), NOTHING, generator)


def test_sparsity_of_a_constant_is_its_size():
    assert value(Sparsity(1.0), lambda x: 0 * x[:, :1] - 0.7).item() == pytest.approx(0.7)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_sparsity_is_the_mean_over_the_unit_cube(dimensions):
    found = value(Sparsity(1.0, 200_000), lambda x: x.prod(-1, keepdim=True) - 1, dimensions)
    assert found.item() == pytest.approx(1 - 0.5**dimensions, abs=3e-3)


def test_sparsity_may_look_at_a_function_of_the_values():
    first = nn.Linear(2, 1, bias=False)
    nn.init.constant_(first.weight, 2.0)
    found = value(Sparsity(1.0, 100, first), lambda x: torch.ones(len(x), 2) * torch.tensor([0.5, -1.0]))
    assert found.item() == pytest.approx(1.0)


@pytest.mark.parametrize("step", [1 / 256, 0.1])
@pytest.mark.parametrize("slope", [[0.0, 0.0], [3.0, 0.0], [3.0, -4.0], [1.0, 2.0, 2.0]])
def test_total_variation_of_a_plane_is_its_slope(slope, step):
    term = TotalVariation(1.0, 100, step)
    found = value(term, lambda x: x @ torch.tensor(slope)[:, None] + 5, len(slope))
    assert found.item() == pytest.approx(math.hypot(*slope), abs=2e-3)


def test_total_variation_of_a_wave_is_that_of_its_slope():
    """The mean of |2 pi k cos(2 pi k x)| is 4 k."""
    found = value(TotalVariation(1.0, 100_000, 1e-3), lambda x: torch.sin(2 * torch.pi * 3 * x[:, :1]))
    assert found.item() == pytest.approx(12, rel=0.01)


def test_total_variation_of_several_channels_is_their_mean():
    slopes = torch.tensor([[3.0, 0.0], [4.0, 1.0]])
    found = value(TotalVariation(1.0, 100), lambda x: x @ slopes)
    assert found.item() == pytest.approx((5 + 1) / 2, rel=1e-3)


@pytest.mark.parametrize("slope", [[3.0, -4.0], [1.0, 2.0, 2.0]])
def test_smoothness_of_a_plane_is_its_squared_slope(slope):
    found = value(Smoothness(1.0, 100), lambda x: x @ torch.tensor(slope)[:, None] + 5, len(slope))
    assert found.item() == pytest.approx(math.hypot(*slope) ** 2, rel=2e-3)


def test_smoothness_of_a_wave_is_that_of_its_slope():
    """The mean of (2 pi k cos(2 pi k x))^2 is 2 (pi k)^2."""
    found = value(Smoothness(1.0, 100_000, 1e-3), lambda x: torch.sin(2 * torch.pi * 3 * x[:, :1]))
    assert found.item() == pytest.approx(2 * (3 * math.pi) ** 2, rel=0.01)


def test_the_gradient_of_a_flat_field_is_finite():
    scale = torch.zeros((), requires_grad=True)
    value(TotalVariation(1.0, 100), lambda x: scale * x[:, :1]).backward()
    assert scale.grad.isfinite()


@pytest.mark.parametrize("term", [Sparsity(1.0, 50), TotalVariation(1.0, 50), Smoothness(1.0, 50)])
def test_points_are_the_generators(term):
    def waves(x):
        return torch.sin(9 * x)

    assert value(term, waves) == value(term, waves)
    assert value(term, waves) != value(term, waves, seed=1)


def test_the_objective_is_the_data_term_and_the_weighted_sum():
    objective = Objective(nn.MSELoss(), {"a": Sparsity(0.5), "b": Sparsity(2.0), "c": Sparsity(0.0)})
    found = objective.regularization(Function(lambda x: 0 * x + 0.3), NOTHING, torch.Generator())
    assert found.item() == pytest.approx(0.3 * (0.5 + 2))
    a, b = torch.rand(5, 3), torch.rand(5, 3)
    assert torch.equal(objective.data(a, b), nn.functional.mse_loss(a, b))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("weight", ["much", None, math.inf, math.nan, -1])
def test_a_weight_is_a_finite_number_of_at_least_0(weight):
    with pytest.raises(ValueError, match="weight: expected a finite number of at least 0, got"):
        Sparsity(weight)


@pytest.mark.usefixtures("without_shape_checks")
def test_what_is_no_regularizer_is_refused():
    with pytest.raises(ValueError, match=r"regularizers\.l1: expected an ffnet\.fitting\.Regularizer, got L1Loss"):
        Objective(nn.MSELoss(), {"l1": nn.L1Loss()})
    assert issubclass(Sparsity, Regularizer)


class Sphere(nn.Module):
    """``scale`` times the signed distance of a sphere about the centre of the unit cube."""

    def __init__(self, scale=1.0):
        super().__init__()
        self.in_features, self.scale = 3, nn.Parameter(torch.tensor(scale))

    def forward(self, x):
        return self.scale * ((x - 0.5).norm(dim=-1, keepdim=True) - 0.3)


def oriented(count=500, turn=1.0):
    """Points with their directions from the centre, times ``turn``."""
    x = torch.rand(count, 3, generator=torch.Generator().manual_seed(1))
    return Batch(torch.cat([x, turn * nn.functional.normalize(x - 0.5, dim=-1)], dim=-1), torch.zeros(count, 1))


@pytest.mark.parametrize("scale", [1.0, 0.5, -2.0])
def test_the_eikonal_term_is_how_far_gradients_are_from_length_1(scale):
    """Mean ``(|s| - 1)^2``, whose derivative by s is ``2 (|s| - 1) sign(s)``."""
    field = Sphere(scale)
    found = Eikonal(1.0, 100)(field, NOTHING, torch.Generator().manual_seed(0))
    found.backward()
    assert found.item() == pytest.approx((abs(scale) - 1) ** 2, abs=1e-5)
    assert field.scale.grad.item() == pytest.approx(2 * (abs(scale) - 1) * math.copysign(1, scale), abs=1e-5)


@pytest.mark.parametrize("turn", [1.0, -1.0])
def test_the_normal_term_is_the_distance_between_gradient_and_normal(turn):
    """Mean ``|s n - turn n|^2``."""
    field = Sphere(0.5)
    found = Normals(1.0, 200)(field, oriented(turn=turn), torch.Generator().manual_seed(0))
    found.backward()
    assert found.item() == pytest.approx((0.5 - turn) ** 2, rel=1e-5)
    assert field.scale.grad.item() == pytest.approx(2 * (0.5 - turn), rel=1e-5)


def test_the_eikonal_term_of_a_flat_field_has_a_finite_gradient():
    field = Sphere(0.0)
    Eikonal(1.0, 50)(field, NOTHING, torch.Generator().manual_seed(0)).backward()
    assert field.scale.grad.isfinite()


@pytest.mark.usefixtures("without_shape_checks")
def test_a_normal_term_without_normals_is_refused():
    batch = Batch(torch.rand(4, 3), torch.rand(4, 1))
    with pytest.raises(ValueError, match="Normals: expected queries of 3 coordinates with normals, got 3 numbers"):
        Normals(1.0)(Sphere(), batch, torch.Generator())


@pytest.mark.parametrize("kind", [Eikonal, Normals, Smoothness, Sparsity, TotalVariation])
@pytest.mark.parametrize("points", [0, 2.5, "many"])
@pytest.mark.usefixtures("without_shape_checks")
def test_a_regularizer_has_points(kind, points):
    with pytest.raises(ValueError, match="points: expected an integer of at least 1"):
        kind(1.0, points)


@pytest.mark.parametrize("step", [0, -1.0, float("nan")])
def test_differences_have_a_step(step):
    with pytest.raises(ValueError, match="step: expected a number above 0"):
        TotalVariation(1.0, step=step)
