"""Several processes give what one gives: the arithmetic, without the processes."""

import copy
import math
import threading

import pytest
import torch

from ffnet.datasets import ImageDataset
from ffnet.encoders import PositionalEncoder
from ffnet.fitting import Engine, Objective, Processes, Sparsity, Stepper, TotalVariation, evaluate, share
from ffnet.models import CoordinateMLP
from ffnet.sampling import ImportanceSampler
from tests.fitting.processes import together
from tests.operators.blur import Blur
from tests.training.helpers import fitting, image, loss_of, pooled_shape, shape

pytestmark = pytest.mark.untraced


@pytest.mark.parametrize("processes", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("count", [0, 3, 7, 8, 100])
def test_shares_are_all_things_once_and_of_nearly_one_size(count, processes):
    shares = [share(count, rank, processes) for rank in range(processes)]
    assert [i for part in shares for i in part] == list(range(count))
    assert max(map(len, shares)) - min(map(len, shares)) <= 1
    assert [Processes(rank, processes).share(count) for rank in range(processes)] == shares


# Of several real processes only the first would say so, and that one always has something to score.
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric:UserWarning")
@pytest.mark.parametrize("processes", [2, 3, 4])
@pytest.mark.parametrize("split", ["all", "half"])
def test_scores_pooled_over_processes_are_those_of_one(processes, split):
    dataset = ImageDataset(size=[37, 23], split=split)  # 851 pixels: nothing divides them
    field = fitting().field
    whole, calls = evaluate(field, dataset, 100), []

    def score(mine, group):
        part = copy.deepcopy(dataset)
        group.joins(part, mine.rank)
        return evaluate(lambda x: calls.append(len(x)) or field(x), part, 100, mine)

    for scores in together(processes, score):
        assert scores == pytest.approx(whole, abs=1e-9)
    assert sum(calls) == 37 * 23  # every pixel once


@pytest.mark.parametrize("processes", [1, 2, 3])
def test_all_processes_are_asked_before_a_chunk_equally_often(processes):
    dataset, field = ImageDataset(size=[20, 20]), fitting().field
    rounds = math.ceil(4 / processes)  # of four chunks

    def score(mine, group):
        part, asked = copy.deepcopy(dataset), []
        group.joins(part, mine.rank)
        evaluate(field, part, 100, mine, lambda: asked.append(1))
        return len(asked)

    assert together(processes, score) == [rounds] * processes


def test_counts_pooled_over_processes_are_those_of_one():
    dataset = shape(scored_points=1001, batch_size=8)
    field = fitting(shape).field
    whole = evaluate(field, dataset)

    def score(mine, group):
        part = copy.deepcopy(dataset)
        group.joins(part, mine.rank)
        return evaluate(field, part, 300, mine)

    assert together(2, score) == [whole, whole]


def stepper(make, micro_batch=None, processes=None, regularizers=None, sampler=None, cached=True, **options):
    dataset = make(**options)
    if sampler is not None:
        dataset.sampler = sampler
    # Two hidden layers, and no ReLU, which rounding turns on and off.
    encoder = PositionalEncoder(dataset.in_features, 3)
    field = CoordinateMLP(encoder, dataset.out_features, 16, 2, activation=torch.nn.Tanh(), seed=0)
    objective = Objective(loss_of(dataset), regularizers)
    engine = Engine(micro_batch, 512 if cached else 0)
    return Stepper(field, dataset, objective, torch.Generator().manual_seed(1), 10, engine, processes)


def gradients(stepper):
    outcome = stepper.gradients()
    return outcome.loss, torch.cat([parameter.grad.flatten() for parameter in stepper.field.parameters()])


def blurred(**options):
    return image(operator=Blur(), **options)


TERMS = {"sparse": Sparsity(0.5, 64), "smooth": TotalVariation(0.1, 64)}


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("micro_batch", [None, 5])
@pytest.mark.parametrize("cached", [True, False])
@pytest.mark.parametrize("terms", [None, TERMS], ids=["data", "regularized"])
@pytest.mark.parametrize("signal", [image, shape, pooled_shape, blurred])
@pytest.mark.sampled(4)
def test_the_shares_gradients_add_up_to_the_batchs(signal, terms, cached, micro_batch, processes):
    options = {"batch_size": 64, "regularizers": terms, "cached": cached}
    loss, whole = gradients(stepper(signal, **options))
    shares = [
        gradients(stepper(signal, micro_batch, Processes(rank, processes), **options)) for rank in range(processes)
    ]
    torch.testing.assert_close(sum(gradient for _, gradient in shares), whole, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(sum(part for part, _ in shares), loss)


@pytest.mark.parametrize("batch_size", [None, 64])
def test_mirrored_pairs_are_shared_as_pairs(batch_size):
    loss, whole = gradients(stepper(image, batch_size=batch_size))
    shares = [gradients(stepper(image, 7, Processes(rank, 3), batch_size=batch_size)) for rank in range(3)]
    torch.testing.assert_close(sum(gradient for _, gradient in shares), whole, atol=1e-6, rtol=1e-4)
    torch.testing.assert_close(sum(part for part, _ in shares), loss)


@pytest.mark.parametrize("adaptive", [False, True])
@pytest.mark.parametrize("count", [2, 3])
@pytest.mark.sampled(2)
def test_steps_of_several_processes_are_those_of_one(count, adaptive):
    one_at_a_time = threading.Lock()  # initial weights come from the one global generator

    def run(processes, group=None):
        with one_at_a_time:
            sampler = ImportanceSampler(50, cells=16) if adaptive else None
            made = stepper(blurred, 10, processes, TERMS, sampler, batch_size=50, cached=False)
        optimizer = torch.optim.SGD(made.field.parameters(), lr=0.1)
        for step in range(10):
            made.step(step, optimizer)
        errors = made.dataset.sampler.state_dict()["squares"] if adaptive else torch.zeros(1)
        return torch.cat([p.detach().flatten() for p in made.field.parameters()]), errors

    one, errors = run(None)
    every = together(count, run)
    for weights, told in every:
        assert torch.equal(weights, every[0][0])  # the processes do not drift apart
        torch.testing.assert_close(weights, one, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(told, errors, atol=1e-5, rtol=1e-3)
