"""Samplers: what they draw, and that the generator alone decides."""

import pytest
import torch

from ffnet.sampling import FullBatch, UniformSampler
from tests.sampling.importance import Importance

SAMPLERS = [FullBatch, lambda: UniformSampler(30), lambda: Importance(30)]


@pytest.mark.parametrize("make", SAMPLERS)
def test_the_generator_alone_decides(make):
    one, two, other = (make().draw(500, torch.Generator().manual_seed(seed)) for seed in (3, 3, 4))
    for a, b in zip(one, two, strict=True):
        assert (a is None and b is None) or torch.equal(a, b)
    assert one.index is None or not torch.equal(one.index, other.index)


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_batch_has_the_size_that_is_announced(make):
    draw = make().draw(500, torch.Generator())
    assert make().batch_size(500) == (500 if draw.index is None else len(draw.index))
    if draw.index is not None:
        assert 0 <= draw.index.min() <= draw.index.max() < 500


@pytest.mark.parametrize("make", SAMPLERS)
def test_a_state_goes_on_to_the_same_draws(make):
    sampler, again = make(), make()
    generator = torch.Generator().manual_seed(0)
    for _ in range(3):
        index, _ = sampler.draw(50, generator)
        if index is not None:
            sampler.update(index, torch.rand(len(index), generator=generator))
    again.load_state_dict(sampler.state_dict())
    twin = torch.Generator()
    twin.set_state(generator.get_state())
    for a, b in zip(sampler.draw(50, generator), again.draw(50, twin), strict=True):
        assert (a is None and b is None) or torch.equal(a, b)


@pytest.mark.parametrize("size", [1, 7, 30])
def test_uniform_draws_are_uniform_and_independent(size):
    count = 1000 * size
    index, weights = UniformSampler(count).draw(size, torch.Generator().manual_seed(0))
    assert weights is None
    counts = torch.bincount(index, minlength=size).double()
    assert ((counts - 1000).square() / 1000).sum() < 66  # 99.99 % of chi-square with 29 degrees of freedom
    if size > 1:
        pairs = torch.bincount(index[:-1] * size + index[1:], minlength=size**2).double()
        expected = (count - 1) / size**2
        chi = ((pairs - expected).square() / expected).sum()
        assert chi < size**2 + 6 * (2 * size**2) ** 0.5


def test_a_full_batch_is_all_queries():
    assert FullBatch().draw(5, torch.Generator()) == (None, None)
    generator = torch.Generator()
    before = generator.get_state()
    FullBatch().draw(5, generator)
    assert torch.equal(generator.get_state(), before)


def test_weights_of_importance_have_mean_one():
    sampler = Importance(200_000)
    sampler.errors = torch.rand(50, generator=torch.Generator().manual_seed(1)) + 0.1
    assert sampler.draw(50, torch.Generator().manual_seed(2)).weights.mean().item() == pytest.approx(1, abs=0.02)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("count", [0, -1, 2.0, "all", None, True])
def test_a_batch_has_at_least_one_query(count):
    with pytest.raises(ValueError, match="batch_size: expected an integer of at least 1, got"):
        UniformSampler(count)
