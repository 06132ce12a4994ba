"""Samplers: what they draw, and that the generator alone decides."""

from functools import partial

import pytest
import torch

from ffnet.sampling import FullBatch, ImportanceSampler, StratifiedSampler, UniformSampler
from ffnet.sampling.samplers import sampler_of
from tests.sampling.importance import Importance

SAMPLERS = [
    FullBatch,
    lambda: UniformSampler(30),
    lambda: StratifiedSampler(30),
    lambda: Importance(30),
    lambda: ImportanceSampler(30, cells=7),
]


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


@pytest.mark.parametrize(("count", "size"), [(10, 10), (10, 100), (7, 100), (100, 7), (1, 5)])
def test_a_stratified_batch_has_one_query_from_each_interval(count, size):
    index, weights = StratifiedSampler(count).draw(size, torch.Generator().manual_seed(0))
    assert weights is None
    for number, drawn in enumerate(index.tolist()):
        assert number * size // count <= drawn <= -(-(number + 1) * size // count) - 1


def learned(size, cells=5):
    """A sampler that has seen errors, from 0.1 to 10."""
    sampler = ImportanceSampler(40_000, cells=cells, decay=0.0)
    index, _ = sampler.draw(size, torch.Generator().manual_seed(0))
    sampler.update(index, 10 ** (2 * torch.rand(len(index), generator=torch.Generator().manual_seed(1)) - 1))
    return sampler


@pytest.mark.parametrize("size", [3, 23])
@pytest.mark.parametrize("make", [lambda size: StratifiedSampler(40_000), learned])
def test_weighted_draws_count_every_query_equally(make, size):
    index, weights = make(size).draw(size, torch.Generator().manual_seed(2))
    weights = torch.ones(len(index)) if weights is None else weights
    counts = torch.zeros(size).index_add_(0, index, weights) / len(index)
    torch.testing.assert_close(counts, torch.full((size,), 1 / size), rtol=0.02, atol=0)


def test_draws_follow_the_root_of_the_mean_squared_error():
    sampler = ImportanceSampler(100_000, cells=2, decay=0.0, uniform=0.2)
    index, weights = sampler.draw(10, torch.Generator().manual_seed(0))
    torch.testing.assert_close(weights, torch.ones(100_000))  # at first all cells are alike
    sampler.update(index, torch.where(index < 5, 4.0, 1.0))
    index, weights = sampler.draw(10, torch.Generator().manual_seed(1))
    expected = 0.8 * 2 / 3 + 0.2 * 1 / 2  # errors of 2 and 1
    assert (index < 5).double().mean().item() == pytest.approx(expected, abs=1e-3)
    assert weights[0].item() == pytest.approx(0.5 / expected)


def test_a_cell_keeps_its_error_until_it_is_drawn_from():
    sampler = ImportanceSampler(4, cells=2, decay=0.75)
    sampler.draw(10, torch.Generator())
    sampler.update(torch.tensor([7, 9]), torch.tensor([2.0, 4.0]))
    assert sampler.state_dict()["squares"].tolist() == [1.0, 0.75 * 1 + 0.25 * 3]


def test_a_field_without_error_is_drawn_from_uniformly():
    sampler = ImportanceSampler(8, cells=4, decay=0.0)
    index, _ = sampler.draw(8, torch.Generator())
    sampler.update(index, torch.zeros(8))
    assert torch.equal(sampler.draw(8, torch.Generator()).weights, torch.ones(8))


@pytest.mark.parametrize(
    "squares",
    [None, [1.0, 2.0], torch.ones(2), torch.ones(2, 1).double(), torch.tensor([1.0, -1.0]).double()],
    ids=["missing", "list", "float32", "matrix", "negative"],
)
def test_a_stored_state_is_checked(squares):
    sampler = ImportanceSampler(4, cells=2)
    if squares is None:
        sampler.load_state_dict({})
        assert len(sampler.draw(10, torch.Generator()).index) == 4
    else:
        with pytest.raises(ValueError, match="sampler: expected the mean squared errors of its cells"):
            sampler.load_state_dict({"squares": squares})
    sampler.load_state_dict({"squares": torch.ones(3).double()})
    with pytest.raises(ValueError, match="sampler: expected errors of 2 cells, got 3"):
        sampler.draw(10, torch.Generator())


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("make", [UniformSampler, StratifiedSampler, ImportanceSampler])
@pytest.mark.parametrize("count", [0, -1, 2.0, "all", None, True])
def test_a_batch_has_at_least_one_query(make, count):
    with pytest.raises(ValueError, match="batch_size: expected an integer of at least 1, got"):
        make(count)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    "settings", [{"cells": 0}, {"cells": 2.0}, {"decay": 1}, {"decay": "x"}, {"uniform": 0}, {"uniform": 1.5}]
)
def test_importance_refuses_what_is_out_of_range(settings):
    with pytest.raises(ValueError, match=f"{next(iter(settings))}: expected"):
        ImportanceSampler(4, **settings)


def test_settings_of_a_sampler_take_the_batch_size():
    assert isinstance(sampler_of(None, None), FullBatch)
    assert type(sampler_of(None, 7)) is UniformSampler
    given = StratifiedSampler(3)
    assert sampler_of(given, 7) is given
    assert sampler_of(partial(ImportanceSampler, cells=3), 7).batch_size(100) == 7
