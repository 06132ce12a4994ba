"""Several processes give what one gives: the arithmetic, without the processes."""

import pytest
import torch

from ffnet.datasets import ImageDataset, OccupancyDataset
from ffnet.training import evaluate
from ffnet.training.processes import share
from tests.training.helpers import fitting, picture, pooled_shape, shape


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [0, 3, 7, 8, 100])
def test_shares_are_all_things_once_and_of_nearly_one_size(count, processes):
    shares = [share(count, rank, processes) for rank in range(processes)]
    assert [i for part in shares for i in part] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("split", ["all", "half"])
def test_scores_pooled_over_processes_are_those_of_one(processes, split):
    dataset = ImageDataset(size=[37, 23], split=split)  # 851 pixels: nothing divides them
    field = fitting().field
    whole = evaluate(field, dataset, 100)
    totals = []
    for rank in range(processes):
        evaluate(field, dataset, 100, rank, processes, lambda mine: totals.append(mine) or mine + 1)
    assert dataset.scores(sum(totals)) == pytest.approx(whole, abs=1e-9)


def test_counts_pooled_over_processes_are_those_of_one():
    dataset = OccupancyDataset(scored_points=1001, batch_size=8)
    field = fitting(shape).field
    totals = []
    for rank in range(2):
        evaluate(field, dataset, 300, rank, 2, lambda mine: totals.append(mine) or mine)
    assert dataset.scores(sum(totals)) == evaluate(field, dataset)


class Place:
    """A trainer that says which of several processes this one is."""

    def __init__(self, rank, processes):
        self.global_rank, self.world_size = rank, processes


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("block", [None, 5])
@pytest.mark.parametrize("signal", [picture, shape, pooled_shape])
def test_the_shares_gradients_add_up_to_the_batchs(monkeypatch, signal, block, processes):
    def gradients(rank, of):
        from ffnet.training import Engine

        module = fitting(signal, batch_size=64)
        module.engine = Engine(block)
        monkeypatch.setattr(type(module), "trainer", Place(rank, of), raising=False)
        monkeypatch.setattr(torch.distributed, "all_reduce", lambda tensor: None)
        monkeypatch.setattr(module, "manual_backward", lambda loss: loss.backward())
        module.generator = torch.Generator().manual_seed(1)
        module.function = module.field
        loss, _ = module._gradients()
        return loss, torch.cat([parameter.grad.flatten() for parameter in module.field.parameters()])

    loss, whole = gradients(0, 1)
    shares = [gradients(rank, processes) for rank in range(processes)]
    torch.testing.assert_close(sum(gradient for _, gradient in shares), whole, atol=1e-7, rtol=1e-4)
    torch.testing.assert_close(sum(part for part, _ in shares), loss)
