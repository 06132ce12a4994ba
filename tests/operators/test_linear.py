"""Laws of linear operators."""

import pytest
import torch

from tests.operators.cases import LINEAR

CASES = pytest.mark.parametrize(("operator", "queries"), LINEAR.values(), ids=LINEAR)


def field_of(basis: torch.Tensor, weights: torch.Tensor):
    """A field of two values that is linear in its weights (k, 2)."""
    return lambda x: (x @ basis).sin() @ weights


def drawn(queries: torch.Tensor, seed: int = 0):
    """Frequencies for the coordinates of the field, and weights."""
    generator = torch.Generator().manual_seed(seed)
    return generator, torch.randn(40, 2, generator=generator, dtype=torch.float64, requires_grad=True)


def coordinates(operator, queries) -> int:
    return len(operator.size) if hasattr(operator, "size") else 2


@CASES
def test_the_transpose_is_the_adjoint(operator, queries):
    """``<A f, y> = <f, A* y>`` in float64, where A* comes from autograd."""
    generator, weights = drawn(queries)
    basis = torch.randn(coordinates(operator, queries), 40, generator=generator, dtype=torch.float64)
    observed = operator(field_of(basis, weights), queries)
    y = torch.randn(observed.shape, generator=generator, dtype=torch.float64)
    (transposed,) = torch.autograd.grad(observed, weights, y)
    assert observed.dtype == torch.float64
    assert ((observed * y).sum() - (weights * transposed).sum()).abs().item() < 1e-10


@CASES
def test_it_is_linear(operator, queries):
    generator, weights = drawn(queries)
    basis = torch.randn(coordinates(operator, queries), 40, generator=generator, dtype=torch.float64)
    other = torch.randn(40, 2, generator=generator, dtype=torch.float64)
    one, two, both = (operator(field_of(basis, w), queries) for w in (weights, other, 2 * weights - 3 * other))
    torch.testing.assert_close(both, 2 * one - 3 * two, atol=1e-11, rtol=0)


@CASES
def test_an_observation_depends_on_its_query_alone(operator, queries):
    generator, weights = drawn(queries)
    basis = torch.randn(coordinates(operator, queries), 40, generator=generator, dtype=torch.float64)
    field = field_of(basis, weights)
    whole, some = operator(field, queries), torch.tensor([5, 0, 7, 7])
    assert len(whole) == len(queries)
    torch.testing.assert_close(operator(field, queries[some]), whole[some], atol=1e-12, rtol=0)


@CASES
def test_it_costs_what_is_announced(operator, queries):
    generator, weights = drawn(queries)
    basis = torch.randn(coordinates(operator, queries), 40, generator=generator, dtype=torch.float64)
    field, sizes = field_of(basis, weights), []
    operator(lambda x: sizes.append(len(x)) or field(x), queries)
    assert sum(sizes) == operator.evaluations(len(queries))
