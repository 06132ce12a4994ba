"""Derivatives of fields against closed forms, and as linear operators."""

import math

import pytest
import torch
from torch import nn

from ffnet.datasets import Batch, Dataset, GradientDataset
from ffnet.encoders import GaussianEncoder, GridEncoder, IdentityEncoder
from ffnet.fitting import Engine, Objective, Stepper
from ffnet.models import CoordinateMLP, Siren
from ffnet.operators import Divergence, Gradient, Laplacian
from ffnet.operators.derivatives import divergence, gradient, laplacian


def points(count=20, dimensions=2, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(count, dimensions, generator=generator, dtype=torch.float64)


class Waves(nn.Module):
    """Sines and cosines of 12 random frequencies, times trainable amplitudes: linear in these, with two values."""

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.frequencies = 2 * math.pi * torch.randn(2, 12, generator=generator, dtype=torch.float64)
        self.amplitudes = nn.Parameter(torch.randn(24, 2, generator=generator, dtype=torch.float64))

    def forward(self, x):
        phase = x @ self.frequencies
        return torch.cat([phase.sin(), phase.cos()], dim=-1) @ self.amplitudes

    def slopes(self, x):
        """d/dx of the 24 functions at points, as (n, 2, 24)."""
        phase = (x @ self.frequencies)[:, None]
        return torch.cat([phase.cos() * self.frequencies, -phase.sin() * self.frequencies], dim=-1)

    def curvatures(self, x):
        phase, square = x @ self.frequencies, self.frequencies.square().sum(0)
        return torch.cat([-phase.sin() * square, -phase.cos() * square], dim=-1)


def exact(operator, waves, x):
    """The operator as a matrix on the amplitudes (24, 2), by closed forms."""
    slopes = torch.einsum("ndk,kc->ncd", waves.slopes(x), waves.amplitudes)
    if isinstance(operator, Gradient):
        return slopes.flatten(1) * (1 if operator.unit is None else x.new_tensor(operator.unit).repeat(2))
    if isinstance(operator, Divergence):
        return slopes.diagonal(dim1=1, dim2=2).sum(-1, keepdim=True)
    return waves.curvatures(x) @ waves.amplitudes * operator.unit**2


OPERATORS = pytest.mark.parametrize(
    "operator", [Gradient(), Gradient([1 / 320, 1 / 200]), Divergence(), Laplacian(), Laplacian(0.1)], ids=repr
)


@OPERATORS
def test_derivatives_are_those_of_calculus(operator):
    waves, x = Waves(), points()
    torch.testing.assert_close(operator(waves, x), exact(operator, waves, x), rtol=1e-10, atol=1e-10)


@OPERATORS
def test_the_adjoint_is_the_operators(operator):
    """``<A f, y> = <f, A* y>``: A* through autograd at other amplitudes, A f in closed form."""
    waves, other, x = Waves(), Waves(), points()
    with torch.no_grad():
        other.amplitudes.mul_(-3).add_(1)
    observed = operator(other, x)
    y = torch.randn(observed.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    (adjoint,) = torch.autograd.grad((observed * y).sum(), other.amplitudes)
    one, two = (exact(operator, waves, x) * y).sum().item(), (waves.amplitudes * adjoint).sum().item()
    assert one == pytest.approx(two, rel=1e-10)


@pytest.mark.parametrize("dimensions", [1, 2, 3])
def test_the_divergence_of_the_gradient_is_the_laplacian(dimensions):
    field = Siren(IdentityEncoder(dimensions, centred=True), 1, 16, 2, 3.0, 3.0, seed=0).double()
    x = points(dimensions=dimensions)
    twice = divergence(lambda x: gradient(field, x)[:, 0], x)
    torch.testing.assert_close(twice, laplacian(field, x), rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("derivative", [gradient, laplacian])
def test_gradients_with_respect_to_parameters_are_right(derivative):
    field = Siren(GaussianEncoder(2, 3, 1.0), 2, 4, 1, 2.0, 2.0, seed=0).double()
    names = list(dict(field.named_parameters()))

    def observed(*values):
        named = dict(zip(names, values, strict=True))
        return derivative(lambda x: torch.func.functional_call(field, named, (x,)), points(3))

    assert torch.autograd.gradcheck(observed, tuple(field.parameters()))


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_grids_gradient_is_the_slope_within_a_cell(dimensions):
    """It is multilinear there, so that differences are exact. The first level is dense, the second hashed."""
    grid = GridEncoder(dimensions, 2, 1, 256, 4, 40).double()
    x = points(200, dimensions)
    reach = 1e-3
    clear = ((x * 4 % 1 - 0.5).abs() < 0.5 - 4 * reach) & ((x * 40 % 1 - 0.5).abs() < 0.5 - 40 * reach)
    x = x[clear.all(-1)]
    found = gradient(grid, x)
    for axis, step in enumerate(reach * torch.eye(dimensions, dtype=torch.float64)):
        slope = (grid(x + step) - grid(x - step)) / (2 * reach)
        torch.testing.assert_close(found[..., axis], slope, rtol=1e-10, atol=1e-10)


def test_a_grids_table_learns_from_gradients():
    """Features are linear in the table, so the gradient's adjoint can be told from differences of the table."""
    grid, x = GridEncoder(2, 2, 1, 256, 4, 40).double(), points(50)
    (found,) = torch.autograd.grad(gradient(grid, x).square().sum(), grid.table)
    direction = torch.randn(grid.table.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def energy(step):
        table = {"table": grid.table + step * direction}
        return gradient(lambda x: torch.func.functional_call(grid, table, (x,)), x).square().sum().item()

    assert (found * direction).sum().item() == pytest.approx((energy(1.0) - energy(-1.0)) / 2, rel=1e-9)


@OPERATORS
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_values_without_gradients_are_the_same(operator, mode):
    waves, x = Waves(), points()
    with mode():
        found = operator(waves, x.clone())
    assert not found.requires_grad
    assert torch.equal(found, operator(waves, x).detach())


def test_autocast_does_not_round_derivatives():
    field, x = CoordinateMLP(GaussianEncoder(2, 8, 2.0), 3, 16, 1, nn.Tanh(), seed=0), points().float()
    with torch.autocast("cpu", torch.bfloat16):
        rounded = [operator(field, x) for operator in (Gradient(), Laplacian())]
    for found, operator in zip(rounded, (Gradient(), Laplacian()), strict=True):
        assert found.dtype == torch.float32
        assert torch.equal(found, operator(field, x))


def test_derivatives_of_points_in_bfloat16_are_float32():
    field = CoordinateMLP(GaussianEncoder(2, 8, 2.0), 3, 16, 1, nn.Tanh(), seed=0).bfloat16()
    assert gradient(field, points().bfloat16()).dtype == torch.float32


def test_a_constant_has_no_slope_and_relus_no_curvature():
    assert not gradient(lambda x: torch.ones(len(x), 2), points()).any()
    assert not laplacian(lambda x: torch.ones(len(x), 2), points()).any()
    assert not laplacian(CoordinateMLP(IdentityEncoder(2), 1, 8, 2, seed=0).double(), points()).any()


@pytest.mark.usefixtures("without_shape_checks")
def test_a_divergence_needs_as_many_values_as_coordinates():
    with pytest.raises(ValueError, match="divergence: expected 2 values as of the coordinates, got 3"):
        divergence(lambda x: torch.ones(len(x), 3), points())


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("unit", [0, -1.0, math.nan, math.inf, "x", None])
def test_a_unit_is_a_finite_number_above_0(unit):
    for make in (lambda: Gradient([1.0, unit]), lambda: Laplacian(unit)):
        with pytest.raises(ValueError, match="unit: expected a finite number above 0, got"):
            make()


def test_every_axis_has_a_unit():
    with pytest.raises(ValueError, match="unit: expected 2 lengths, one for each axis, got 3"):
        Gradient([1, 2, 3])(Waves(), points())


def test_a_field_whose_derivatives_are_observed_is_not_compiled():
    dataset: Dataset = GradientDataset(size=[6, 8], batch_size=8)
    field, generator = CoordinateMLP(IdentityEncoder(2), 3, 8, 1, seed=0), torch.Generator().manual_seed(0)
    stepper = Stepper(field, dataset, Objective(nn.MSELoss()), generator, 1, Engine(compile="default"))
    assert stepper.function == field.__call__
    assert isinstance(dataset.sample(generator), Batch)
