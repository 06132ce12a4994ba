"""Points that stand for all training points."""

import pytest
import torch

from ffnet.datasets import ImageDataset, OccupancyDataset


def shape(pool):
    return OccupancyDataset(batch_size=100, surface_fraction=0.8, pool=pool, scored_points=200)


@pytest.mark.parametrize("make", [lambda: ImageDataset(size=[30, 40]), lambda: shape(None), lambda: shape(500)])
def test_a_seed_draws_the_same_points_of_the_asked_number(make):
    dataset = make()
    one, two, other = dataset.probe(130), dataset.probe(130), dataset.probe(130, seed=1)
    assert one.queries.shape == (130, dataset.in_features)
    assert one.targets.shape == (130, dataset.out_features)
    assert torch.equal(one.queries, two.queries)
    assert not torch.equal(one.queries, other.queries)


def test_points_of_an_image_are_distinct_and_spread():
    dataset = ImageDataset(size=[64, 64])
    x = dataset.probe(64).queries
    assert len(x.unique(dim=0)) == 64
    # One in each row; the columns are random.
    assert torch.equal(x[:, 1], (torch.arange(64) + 0.5) / 64)
    assert torch.corrcoef(x.T)[0, 1].abs() < 0.4
    every = dataset.probe(10_000)
    assert torch.equal(every.queries, dataset.source.batch(torch.arange(64 * 64)).queries)


def test_points_of_a_shape_are_near_the_surface_and_far_as_in_a_batch():
    dataset = shape(None)
    dataset.source.surface_fraction, dataset.source.sigma = 0.5, 1e-6
    found = dataset.probe(200).queries
    distance = torch.cdist(found, dataset.source.points(4000, 1.0, 0.0, torch.Generator().manual_seed(3))).amin(1)
    assert 0.35 < (distance < 0.03).double().mean() < 0.75
