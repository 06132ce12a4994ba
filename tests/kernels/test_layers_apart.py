"""What each layer adds to the tangent kernel, of infinite and of finite networks, and the textbook network."""

import math

import pytest
import torch
from torch import nn

from ffnet.kernels import (
    InfiniteMLP,
    KernelDynamics,
    Linearized,
    TextbookNetwork,
    descent_weights,
    dual,
    empirical_ntk,
    empirical_ntk_by_parameter,
    finite_mlp,
    laziness,
)
from tests.kernels.models import LAYERED, OTHERS, built, points

EVERY = LAYERED | OTHERS
SETTINGS = {
    "unit_variance": {},
    "ntk": {"w_std": 1.3, "b_std": 0.4},
    "standard": {"w_std": 1.3, "b_std": 0.4},
}


@pytest.mark.parametrize("parameterization", SETTINGS)
@pytest.mark.parametrize("activation", ["relu", "erf", torch.tanh], ids=["relu", "erf", "tanh"])
def test_the_layers_kernels_sum_to_the_ntk(parameterization, activation):
    x, y = points(5), points(4, 1)
    mlp = InfiniteMLP(3, activation, parameterization, **SETTINGS[parameterization], width=7)
    parts = mlp.ntk_by_layer(x, y)
    assert len(parts) == 4
    torch.testing.assert_close(sum(part.weight + part.bias for part in parts), mlp.ntk(x, y), rtol=1e-13, atol=0)


def test_a_layers_kernel_is_its_covariance_times_the_slopes_after_it():
    x = points(5)
    parts = InfiniteMLP(3, "erf", "unit_variance").ntk_by_layer(x)
    nngps = [x @ x.T, *(InfiniteMLP(h, "erf", "unit_variance").nngp(x) for h in (1, 2, 3))]
    slopes = []
    for sigma in nngps[:3]:
        a, b = sigma.diagonal()[:, None], sigma.diagonal()
        slopes.append(dual("erf").slopes(a, b, a + b - 2 * sigma) / dual("erf").square(torch.ones(()).double()))
    for h, part in enumerate(parts):
        wanted = nngps[h]
        for slope in slopes[h:]:
            wanted = wanted * slope
        torch.testing.assert_close(part.weight, wanted, rtol=1e-12, atol=0)
        assert not part.bias.any()


@pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
def test_each_parameters_kernel_is_that_of_a_network_with_the_others_frozen(make):
    model, x, y = built(make), points(7), points(5, 1)
    apart = empirical_ntk_by_parameter(model, x, y)
    trained = {name: p for name, p in model.named_parameters() if p.requires_grad}
    assert list(apart) == list(trained)
    whole = empirical_ntk(model, x, y)
    assert (sum(apart.values()) - whole).abs().max() < 1e-12 * whole.abs().max()
    for name, kernel in apart.items():
        for other, p in trained.items():
            p.requires_grad_(other == name)
        torch.testing.assert_close(kernel, empirical_ntk(model, x, y), rtol=1e-9, atol=1e-12)
        assert not kernel.requires_grad


@pytest.mark.parametrize("parameterization", SETTINGS)
def test_finite_networks_have_the_limits_layers(parameterization):
    x, distances = points(8), []
    settings = SETTINGS[parameterization]
    for width in (64, 1024):
        mlp = InfiniteMLP(2, "relu", parameterization, **settings, width=width)
        limits = [kernel for layer in mlp.ntk_by_layer(x) for kernel in layer if kernel.any()]
        draws = [finite_mlp(2, width, 2, s, parameterization=parameterization, **settings) for s in range(6)]
        kernels = [[k[..., 0, 0] for k in empirical_ntk_by_parameter(draw, x).values()] for draw in draws]
        assert [len(row) for row in kernels] == [len(limits)] * 6
        errors = [[((k - t).norm() / t.norm()).item() for k, t in zip(row, limits, strict=True)] for row in kernels]
        distances.append(torch.tensor(errors).square().mean(0).sqrt())
    # A factor of 16 in width is one of 4 in distance; the last bias has the limit's kernel at any width.
    inexact = distances[0] > 1e-12
    assert inexact.sum() == (3 if parameterization == "unit_variance" else 5)
    ratio = (distances[0] / distances[1])[inexact]
    assert ratio.min() > 2
    assert ratio.log().mean().exp().item() == pytest.approx(4, rel=0.35)
    assert (distances[1] < 0.15).all()


@pytest.mark.parametrize("activation", [nn.ReLU(), nn.Tanh()], ids=str)
def test_unit_variance_keeps_the_variance_of_unit_inputs(activation):
    x = torch.tensor([[0.6, 0.8, 0.0]], dtype=torch.float64)
    with torch.no_grad():
        squares = torch.cat(
            [finite_mlp(3, 64, 3, s, activation, parameterization="unit_variance")(x) for s in range(150)]
        ).square()
    assert squares.mean().item() == pytest.approx(1, abs=3 * squares.std().item() / 150**0.5)
    assert squares.mean() > 3 * squares.std() / 150**0.5


def test_standard_networks_are_ntk_networks_with_other_variables():
    x = points(4)
    settings = SETTINGS["ntk"]
    one, other = (finite_mlp(2, 16, 2, 0, parameterization=p, **settings) for p in ("ntk", "standard"))
    torch.testing.assert_close(one(x), other(x))
    assert [type(m).__name__ for m in other[::2]] == ["Linear"] * 3


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameterization": "unit_variance", "w_std": 1.0}, "w_std, b_std: expected none with unit_variance"),
        ({"parameterization": "mup"}, "parameterization: expected one of"),
        ({"b_std": 0.0}, "b_std: expected a number above 0"),
    ],
)
def test_bad_arguments_of_finite_networks_say_what_was_expected(without_shape_checks, arguments, message):
    with pytest.raises(ValueError, match=message):
        finite_mlp(2, 4, 1, 0, **arguments)


@pytest.mark.parametrize("activation", [torch.relu, torch.tanh], ids=["relu", "tanh"])
def test_the_textbook_networks_kernels_are_its_two_sums(activation):
    x, y, width = points(6), points(4, 1), 50
    model = TextbookNetwork(2, width, seed=3, activation=activation)
    first, last = torch.zeros(6, 4, dtype=x.dtype), torch.zeros(6, 4, dtype=x.dtype)
    slope = {torch.relu: lambda z: (z > 0).double(), torch.tanh: lambda z: 1 - z.tanh() ** 2}[activation]
    for a, b in zip(model.a, model.b, strict=True):
        first += b**2 * slope(x @ a)[:, None] * slope(y @ a) * (x @ y.T) / width
        last += activation(x @ a)[:, None] * activation(y @ a) / width
    apart = empirical_ntk_by_parameter(model, x, y)
    torch.testing.assert_close(apart["a"][..., 0, 0], first.detach())
    torch.testing.assert_close(apart["b"][..., 0, 0], last.detach())


def test_the_textbook_kernels_converge_to_the_limits_layers():
    x, distances = points(6), []
    limits = [layer.weight / 2 for layer in InfiniteMLP(1, "relu", "unit_variance").ntk_by_layer(x)]
    for width in (256, 4096):
        draws = [empirical_ntk_by_parameter(TextbookNetwork(2, width, s), x) for s in range(8)]
        errors = [
            [(k[..., 0, 0] - t).norm() / t.norm() for k, t in zip(d.values(), limits, strict=True)] for d in draws
        ]
        distances.append(torch.tensor(errors).mean(0))
    ratio = distances[0] / distances[1]
    assert ((ratio > 2.5) & (ratio < 6.5)).all()


def test_a_layer_with_its_own_learning_rate_weighs_its_kernel():
    x, y = points(6), points(6, 1)[:, :1]
    model = finite_mlp(2, 32, 2, 0, nn.Tanh())
    apart = empirical_ntk_by_parameter(model, x)
    rates = dict(zip(apart, (1e-6, 3e-6, 0.0), strict=True))
    before = model(x).detach()
    optimizer = torch.optim.SGD([{"params": [p], "lr": rates[name]} for name, p in model.named_parameters()])
    (0.5 * (model(x) - y).square().sum()).backward()
    optimizer.step()
    wanted = -sum(rate * apart[name][..., 0, 0] for name, rate in rates.items()) @ (before - y)
    torch.testing.assert_close(model(x).detach() - before, wanted, rtol=1e-4, atol=0)


def test_laziness_is_what_second_derivatives_say():
    x, y = points(3), points(3, 1)[:, :1]
    model = TextbookNetwork(2, 4, 0, torch.tanh)
    shapes = {name: p.shape for name, p in model.named_parameters()}

    def values(theta):
        parts = theta.split([shape.numel() for shape in shapes.values()])
        named = {name: part.view(shape) for (name, shape), part in zip(shapes.items(), parts, strict=True)}
        return torch.func.functional_call(model, named, (x,))[:, 0]

    theta = torch.cat([p.detach().flatten() for p in model.parameters()])
    jacobian = torch.autograd.functional.jacobian(values, theta)
    step = torch.linalg.lstsq(jacobian, (y[:, 0] - values(theta)).detach(), driver="gelsd").solution
    bent = torch.stack([torch.autograd.functional.hessian(lambda t, i=i: values(t)[i], theta) @ step for i in range(3)])
    assert laziness(model, x, y) == pytest.approx((bent.norm() / jacobian.norm()).item(), rel=1e-8)


def test_a_larger_output_is_lazier_and_so_is_a_wider_network_but_not_in_the_mean_field():
    x = points(4, d=3)
    y = torch.ones(4, 1, dtype=torch.float64)

    def mean(width, scale):
        models = [TextbookNetwork(3, width, s, scale=scale) for s in range(6)]
        return sum(laziness(m, x, y + m(x).detach()) for m in models) / 6  # the initial output subtracted

    assert mean(64, 10.0) == pytest.approx(mean(64, 1.0) / 10, rel=1e-9)
    assert math.log(mean(4096, 4096**-0.5) / mean(256, 256**-0.5)) / math.log(16) == pytest.approx(-0.5, abs=0.1)
    assert mean(4096, 1 / 4096) == pytest.approx(mean(256, 1 / 256), rel=0.2)


def test_descent_on_squares_is_the_linear_dynamics():
    x = points(6)
    kernel = InfiniteMLP(1, "relu", "ntk", 1.5, 0.3).ntk(x)
    start, y = points(6, 1), points(6, 2)
    weights = descent_weights(kernel, start, lambda f: f - y, 0.3, 9)
    wanted = KernelDynamics(kernel).residual(start - y, 9, 0.3, discrete=True)
    torch.testing.assert_close(start + kernel @ weights - y, wanted)


def test_descent_on_another_loss_is_that_of_the_linearised_network():
    x, new = points(6), points(3, 4)
    model = finite_mlp(2, 8, 2, 0)
    signs = torch.tensor([[1.0], [-1.0], [1.0], [1.0], [-1.0], [-1.0]], dtype=torch.float64)
    linear = Linearized(model)
    optimizer = torch.optim.SGD(linear.parameters(), lr=0.5)
    for _ in range(10):
        optimizer.zero_grad()
        nn.functional.softplus(-signs * linear(x)).sum().backward()
        optimizer.step()
    kernel, cross = empirical_ntk(model, x)[..., 0, 0], empirical_ntk(model, new, x)[..., 0, 0]
    weights = descent_weights(kernel, model(x).detach(), lambda f: -signs * torch.sigmoid(-signs * f), 0.5, 10)
    torch.testing.assert_close(linear(new).detach(), model(new).detach() + cross @ weights)
