"""Laws of operators whose queries stand for themselves."""

import pytest
import torch

from ffnet.encoders import PositionalEncoder
from ffnet.models import CoordinateMLP
from ffnet.operators import PointEvaluation
from tests.operators.blur import Blur

OPERATORS = pytest.mark.parametrize("operator", [PointEvaluation(), Blur(), Blur(1), Blur(6)])


def field():
    return CoordinateMLP(PositionalEncoder(2, 3), 3, 16, 1, seed=0)


def queries(count=12):
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0))


@OPERATORS
def test_an_observation_depends_on_its_query_alone(operator):
    network, noise = field(), operator.noise(12, torch.Generator().manual_seed(1))
    whole = operator(network, queries(), noise)
    assert whole.shape == (12, 3)
    parts = [slice(0, 5), slice(5, 6), slice(6, 12)]
    pieces = [operator(network, queries()[part], None if noise is None else noise[part]) for part in parts]
    torch.testing.assert_close(torch.cat(pieces), whole)


@OPERATORS
def test_an_observation_costs_what_is_announced(operator):
    network, sizes = field(), []
    operator(lambda x: sizes.append(len(x)) or network(x), queries())
    assert sum(sizes) == 12 * operator.points_per_query


@OPERATORS
def test_without_noise_an_observation_is_deterministic(operator):
    network = field()
    assert torch.equal(operator(network, queries()), operator(network, queries()))


@OPERATORS
def test_noise_is_the_generators_and_has_a_row_for_each_query(operator):
    one, two = (operator.noise(12, torch.Generator().manual_seed(3)) for _ in range(2))
    assert (one is None and two is None) or (torch.equal(one, two) and len(one) == 12)


@OPERATORS
def test_gradients_pass(operator):
    network = field()
    operator(network, queries()).square().sum().backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in network.parameters())


def test_pointwise_is_the_field_itself():
    network, operator = field(), PointEvaluation()
    assert operator.pointwise
    assert torch.equal(operator(network, queries()), network(queries()))
    assert not Blur().pointwise


def test_an_operator_that_keeps_nothing_is_prepared_for_nothing():
    operator = PointEvaluation()
    operator.prepare(field(), 0, torch.Generator())
    assert operator.state_dict() == {}
    assert Blur().state_dict()
