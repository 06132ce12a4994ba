"""The empirical kernel, three ways."""

import copy

import pytest
import torch
from torch import nn

from ffnet.kernels import (
    JacobianOperator,
    LayerwiseOperator,
    Linearized,
    as_matrix,
    empirical_ntk,
    empirical_ntk_per_output,
    empirical_ntk_trace,
    jacobian_ntk,
    layers,
    ntk_operator,
)
from ffnet.kernels.memory import CHUNK_POINTS, NUMBERS_PER_EVALUATION, chunk_points
from tests.kernels.models import LAYERED, OTHERS, built, mlp, points

FULL = "nip,mjp->nmij"
EVERY = LAYERED | OTHERS
every = pytest.mark.parametrize("make", EVERY.values(), ids=EVERY)
layered = pytest.mark.parametrize("make", LAYERED.values(), ids=LAYERED)


def gradients(model, x):
    """(n, c, p) by plain autograd, one output of one point at a time."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    rows = []
    for point in x:
        values = model(point[None])[0]
        grads = [torch.autograd.grad(v, parameters, retain_graph=True, materialize_grads=True) for v in values]
        rows.append(torch.stack([torch.cat([g.flatten() for g in row]) for row in grads]))
    return torch.stack(rows)


def close(found, wanted):
    return (found - wanted).abs().max() <= 1e-10 * wanted.abs().max()


@every
def test_the_kernel_is_the_product_of_gradients(make):
    model, x, y = built(make), points(9), points(7, 1)
    one, other = gradients(model, x), gradients(model, y)
    wanted = torch.einsum("nip,mjp->nmij", one, other)
    assert close(empirical_ntk(model, x, y), wanted)
    assert close(empirical_ntk(model, x), torch.einsum("nip,mjp->nmij", one, one))
    assert close(empirical_ntk_trace(model, x, y), wanted.diagonal(dim1=2, dim2=3).sum(-1))
    assert close(empirical_ntk_per_output(model, x, y), wanted.diagonal(dim1=2, dim2=3))


@layered
def test_three_implementations_agree(make):
    model, x = built(make), points(13)
    found = layers(model, x)
    assert found is not None
    by_layers = as_matrix(empirical_ntk(model, x))
    by_jacobians = as_matrix(jacobian_ntk(model, x, x, FULL, chunk=5))
    identity = torch.eye(len(by_layers), dtype=x.dtype)
    assert close(by_layers, by_jacobians)
    assert close(JacobianOperator(model, x, chunk=5)(identity), by_jacobians)
    assert close(LayerwiseOperator(model, x, chunk=5)(identity), by_jacobians)


@pytest.mark.parametrize("make", OTHERS.values(), ids=OTHERS)
def test_other_networks_are_not_taken_for_layered_ones(make):
    model, x = built(make), points(13)
    assert layers(model, x) is None
    with pytest.raises(ValueError, match="JacobianOperator"):
        LayerwiseOperator(model, x)
    operator = ntk_operator(model, x, chunk=5)
    assert isinstance(operator, JacobianOperator)
    assert close(
        operator(torch.eye(26 if operator.values == 2 else 39, dtype=x.dtype)), as_matrix(empirical_ntk(model, x))
    )


def test_a_chunk_of_one_row_changes_nothing():
    model, x = built(OTHERS["layer used twice"]), points(6)
    assert close(empirical_ntk(model, x, chunk=1), empirical_ntk(model, x))


def test_float32_is_close_to_float64():
    model, x = built(LAYERED["gaussian encoder, sigmoid"]), points(20)
    exact = empirical_ntk(model, x)
    single = empirical_ntk(copy.deepcopy(model).float(), x.float())
    assert (single - exact).abs().max() < 1e-5 * exact.abs().max()


def test_it_works_where_gradients_are_off():
    model, x = built(LAYERED["relu"]), points(4)
    with torch.no_grad():
        inside = empirical_ntk(model, x)
    assert torch.equal(inside, empirical_ntk(model, x))
    assert not inside.requires_grad


@every
def test_the_linearisation_has_the_model_s_value_slope_and_kernel(make):
    model, x = built(make), points(6)
    linear = Linearized(model)
    torch.testing.assert_close(linear(x), model(x))
    assert close(empirical_ntk(linear, x), empirical_ntk(model, x))
    # Along a direction, the model's central difference is the linear model's change.
    parameters = [p for p in model.parameters() if p.requires_grad]
    generator = torch.Generator().manual_seed(3)
    change = [torch.randn(p.shape, generator=generator, dtype=p.dtype) for p in parameters]
    step, ends = 1e-6, []
    with torch.no_grad():
        for sign in (1, -2):
            for p, c in zip(parameters, change, strict=True):
                p += sign * step * c
            ends.append(model(x))
        for p, c in zip(linear.delta, change, strict=True):
            p += c
    slope = (ends[0] - ends[1]) / (2 * step)
    assert (linear(x) - linear.start(x) - slope).abs().max() < 1e-5 * slope.abs().max().clamp(min=1)


def test_the_linearised_kernel_stays_while_it_trains():
    model, x = Linearized(built(LAYERED["relu"])), points(8)
    start = empirical_ntk(model, x)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        model(x).square().mean().backward()
        optimizer.step()
    assert close(empirical_ntk(model, x), start)


def test_one_point_that_uses_a_weight_elsewhere_is_found_among_a_thousand():
    model, x = built(OTHERS["weight used elsewhere at some points"]), 0.8 * points(1000)
    assert layers(model, x) is not None
    x[500, 0] = 0.9
    assert layers(model, x) is None


def test_what_has_no_parameters_to_train_has_no_layers():
    assert layers(mlp(2, 4, 1).requires_grad_(False).double(), points(3)) is None


def test_the_check_of_layers_can_fail():
    class Doubled(nn.Linear):
        def forward(self, x):
            return 2 * super().forward(x)

    model = nn.Sequential(Doubled(2, 3)).double()
    assert layers(model, points(3)) is None


def test_chunks_follow_from_one_budget():
    assert chunk_points(NUMBERS_PER_EVALUATION) == CHUNK_POINTS
    assert chunk_points(8 * NUMBERS_PER_EVALUATION) == CHUNK_POINTS // 8
    assert chunk_points(10**12) == 1  # a single point is never divided
