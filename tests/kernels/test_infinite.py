"""Infinite networks: reference values, quadrature, and where precision ends."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss
from torch import nn

from ffnet.encoders import GaussianEncoder, GridEncoder, IdentityEncoder, PositionalEncoder
from ffnet.kernels import (
    Erf,
    InfiniteMLP,
    Quadrature,
    ReLU,
    Sin,
    circulant_eigenvalues,
    dual,
    empirical_ntk_trace,
    grid_points,
    is_periodic,
    is_stationary,
    stationary_row,
)

FLOAT32 = {"relu": 5e-4, "erf": 1e-5, "sin": 1e-5}
PARAMETERS = ("hidden_layers", "activation", "parameterization", "w_std", "b_std", "width")


@pytest.fixture
def golden(shared):
    return json.loads((shared / "golden" / "ntk.json").read_text())


def built(case):
    return InfiniteMLP(**{key: case[key] for key in PARAMETERS if case.get(key) is not None})


def test_float64_agrees_with_the_reference_to_1e_9_and_1e_7_on_relu_diagonals(golden):
    x = torch.tensor(golden["inputs"], dtype=torch.float64)
    assert len(golden["kernels"]) == 16
    for case in golden["kernels"]:
        for name in ("nngp", "ntk"):
            found, wanted = getattr(built(case), name)(x), torch.tensor(case[name], dtype=torch.float64)
            error = (found - wanted).abs() / wanted.abs().clamp(min=1)
            if case["activation"] == "relu":
                assert error.diagonal().max() < 1e-7
                error.fill_diagonal_(0)
            assert error.max() < 1e-9, (case["activation"], case["hidden_layers"], name)


def test_float32_agrees_with_the_reference(golden):
    x = torch.tensor(golden["inputs"])
    for case in golden["kernels"]:
        for name in ("nngp", "ntk"):
            found, wanted = getattr(built(case), name)(x), torch.tensor(case[name], dtype=torch.float64)
            error = (found.double() - wanted).abs() / wanted.abs().clamp(min=1)
            assert error.max() < FLOAT32[case["activation"]]


def torch_network(width, seed):
    torch.manual_seed(seed)
    sizes = (3, width, width, 1)
    linear = [nn.Linear(a, b, dtype=torch.float64) for a, b in itertools.pairwise(sizes)]
    return nn.Sequential(linear[0], nn.ReLU(), linear[1], nn.ReLU(), linear[2])


def test_networks_of_torch_s_own_initialisation_have_the_kernels_named_torch():
    x = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    mlp = InfiniteMLP(2, "relu", "torch", width=256)
    with torch.random.fork_rng():
        kernels = torch.stack([empirical_ntk_trace(torch_network(256, seed), x) for seed in range(60)])
        outputs = torch.stack([torch_network(256, seed)(x)[:, 0].detach() for seed in range(1500)])
    in_standard_errors = (kernels.mean(0) - mlp.ntk(x)) / (kernels.std(0) / 60**0.5)
    assert in_standard_errors.abs().max() < 4
    products = outputs[:, :, None] * outputs[:, None]
    assert ((products.mean(0) - mlp.nngp(x)) / (products.std(0) / 1500**0.5)).abs().max() < 4
    assert kernels.std(0).max() < 0.2 * mlp.ntk(x).max()  # so that the test can fail


def test_constants_of_unit_variance(golden):
    for name, c in golden["c_sigma"].items():
        assert 1 / dual(name).square(torch.ones((), dtype=torch.float64)).item() == pytest.approx(c, abs=1e-12)


def features_of(golden):
    """Integer frequencies with features of unit norm, as in the reference."""
    frequencies = torch.tensor(golden["composed_grid"]["frequencies"], dtype=torch.float64)

    def features(x):
        phase = 2 * math.pi * x * frequencies
        return torch.cat([phase.sin(), phase.cos()], dim=-1) / len(frequencies) ** 0.5

    return features


def test_composed_kernel_on_a_grid_agrees_with_the_reference(golden):
    case = golden["composed_grid"]
    mlp = InfiniteMLP(case["hidden_layers"], "relu", "unit_variance", encoder=features_of(golden))
    wanted = torch.tensor(case["ntk_first_row"], dtype=torch.float64)
    row = stationary_row(mlp.ntk, [case["n"]])
    torch.testing.assert_close(row, wanted, atol=1e-9, rtol=0)
    # The reference's matrix is circulant to 3e-8 only, which is where its eigenvalues come from.
    eigenvalues = torch.tensor(case["eigenvalues_by_frequency"], dtype=torch.float64)
    torch.testing.assert_close(circulant_eigenvalues(row), eigenvalues, atol=1e-7, rtol=0)


@pytest.mark.parametrize("activation", ["relu", "erf", "sin", torch.tanh])
@pytest.mark.parametrize(
    ("encoder", "size"), [(PositionalEncoder(1, 4), [64]), (PositionalEncoder(2, 3), [12, 10])], ids=["1D", "2D"]
)
def test_composed_kernel_on_a_regular_grid_is_circulant(activation, encoder, size):
    ntk = InfiniteMLP(3, activation, "ntk", 1.4, 0.1, encoder=encoder).ntk
    matrix = ntk(grid_points(size)).reshape(*size, *size)
    row = stationary_row(ntk, size)
    for index in np.ndindex(*size):
        shifted = row.roll(index, tuple(range(len(size))))
        assert (matrix[index] - shifted).abs().max() < 1e-12 * row.max()
    dense = torch.linalg.eigvalsh(matrix.reshape(math.prod(size), -1))
    fast = circulant_eigenvalues(row).flatten().sort().values
    torch.testing.assert_close(fast, dense, atol=1e-10, rtol=0)


@pytest.mark.parametrize(
    ("encoder", "stationary", "periodic"),
    [
        (PositionalEncoder(2, 4), True, True),
        (PositionalEncoder(2, 4, min_frequency=0.5), True, False),
        (GaussianEncoder(2, 32), True, False),
        (PositionalEncoder(2, 4, include_input=True), False, False),
        (IdentityEncoder(2), False, False),
        (GridEncoder(2), False, False),
    ],
    ids=["octaves", "half octaves", "gaussian", "with input", "identity", "grid"],
)
def test_stationary_kernels_are_known_as_such(encoder, stationary, periodic):
    mlp = InfiniteMLP(2, "relu", "ntk", encoder=encoder)
    with torch.no_grad():
        assert is_stationary(mlp.ntk, 2) == stationary
        assert is_periodic(mlp.ntk, 2) == periodic


def test_features_without_end_make_the_gaussian_kernel_the_base():
    sigma, shifts = 3.0, torch.linspace(0, 0.3, 7, dtype=torch.float64)
    encoder = GaussianEncoder(1, 200_000, sigma, dtype=torch.float64)
    mlp = InfiniteMLP(2, "relu", "ntk", 1.5, encoder=encoder)
    sampled = mlp.ntk(torch.zeros(1, 1, dtype=torch.float64), shifts[:, None])[0]
    one = torch.ones_like(shifts)
    gap = -2 * torch.expm1(-2 * (math.pi * sigma * shifts).square())
    # The encoder's 2m features have squared norm m, so a fan-in of 2 makes unit norms equivalent.
    expected = mlp.propagate(one, one, gap, fan_in=2)[1]
    torch.testing.assert_close(sampled, expected, atol=0.01, rtol=0)


@pytest.mark.parametrize(("a", "b", "c"), [(1.0, 1.0, 0.5), (0.3, 2.0, -0.7), (1.5, 1.5, 1.5)])
def test_quadrature_of_closed_forms(a, b, c):
    a, b, gap = (torch.tensor(v, dtype=torch.float64) for v in (a, b, a + b - 2 * c))
    for closed, function in ((Erf(), torch.erf), (Sin(), torch.sin)):
        numeric = Quadrature(function)
        for name in ("gap", "slopes"):
            error = getattr(numeric, name)(a, b, gap) - getattr(closed, name)(a, b, gap)
            assert error.abs() < 1e-9, (function, name)
        assert (numeric.square(a) - closed.square(a)).abs() < 1e-9
    # Kinks are what quadrature is slow at: this is where its precision ends.
    assert (Quadrature(torch.relu).slopes(a, b, gap) - ReLU().slopes(a, b, gap)).abs() < 0.05
    assert (Quadrature(torch.relu).gap(a, b, gap) - ReLU().gap(a, b, gap)).abs() < 5e-3


@pytest.mark.parametrize(("a", "b", "c"), [(1.0, 1.0, 0.5), (0.3, 2.0, -0.7)])
def test_quadrature_of_tanh_agrees_with_a_product_rule_in_two_dimensions(a, b, c):
    nodes, weights = hermegauss(180)
    weights = weights / weights.sum()
    u = np.sqrt(a) * nodes[:, None]
    v = c / np.sqrt(a) * nodes[:, None] + np.sqrt(b - c**2 / a) * nodes

    def expectation(f):
        return weights @ (f(u) * f(v)) @ weights

    variances = [torch.tensor(value, dtype=torch.float64) for value in (a, b, a + b - 2 * c)]
    found = Quadrature(torch.tanh)
    product = (found.square(variances[0]) + found.square(variances[1]) - found.gap(*variances)) / 2
    assert product.item() == pytest.approx(expectation(np.tanh), abs=1e-9)
    assert found.slopes(*variances).item() == pytest.approx(expectation(lambda z: 1 / np.cosh(z) ** 2), abs=1e-9)


def test_the_relu_diagonal_keeps_its_digits_in_float32():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(200, 3, generator=generator)
    near = x + 1e-4 * torch.randn(200, 3, generator=generator)
    mlp = InfiniteMLP(4, "relu", "ntk", 1.4, 0.1)
    for y in (x, near):
        exact = mlp.ntk(x.double(), y.double()).diagonal()
        assert ((mlp.ntk(x, y).diagonal().double() - exact) / exact).abs().max() < 3e-6


def test_opposite_and_zero_points_are_finite():
    x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    for activation in ("relu", "erf", "sin", torch.tanh):
        for parameterization in ("unit_variance", "ntk"):
            mlp = InfiniteMLP(2, activation, parameterization)
            assert mlp.ntk(x).isfinite().all()
            assert mlp.nngp(x).isfinite().all()
    # Unit-variance ReLU: opposite points share no active unit.
    assert InfiniteMLP(1, "relu", "unit_variance").ntk(x)[0, 1].abs() < 1e-12


def test_a_large_variance_does_not_overflow_sin():
    x = torch.tensor([[40.0], [41.0]])
    assert InfiniteMLP(2, "sin", "ntk").ntk(x).isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_layers": -1}, "hidden_layers"),
        ({"activation": "swish"}, "activation"),
        ({"parameterization": "mup"}, "parameterization"),
        ({"parameterization": "unit_variance", "w_std": 1.0}, "unit_variance"),
        ({"parameterization": "standard"}, "width"),
        ({"parameterization": "torch"}, "width"),
        ({"parameterization": "torch", "width": 8, "w_std": 1.0}, "expected none with torch"),
    ],
)
def test_bad_arguments_say_what_was_expected(without_shape_checks, arguments, message):
    with pytest.raises(ValueError, match=message):
        InfiniteMLP(**({"hidden_layers": 1, "activation": "relu", "parameterization": "ntk"} | arguments))
