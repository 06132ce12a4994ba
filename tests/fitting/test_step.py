"""A training step against what it stands for, written out."""

import pytest
import torch

from ffnet.datasets import Batch, Dataset, Source, Stream
from ffnet.encoders import AnnealedEncoder, PositionalEncoder
from ffnet.fitting import Engine, HalfMSELoss, Objective, Regularizer, Stepper
from ffnet.models import CoordinateMLP
from ffnet.operators import PointEvaluation
from ffnet.sampling import Draw, FullBatch, Sampler, UniformSampler
from tests.operators.blur import Blur
from tests.sampling.importance import Importance
from tests.training.helpers import image


def field(encoder=None):
    encoder = encoder or PositionalEncoder(2, 3)
    return CoordinateMLP(encoder, 3, 16, 1, activation=torch.nn.Tanh(), seed=0)


def stepper(dataset, engine=None, loss=None, regularizers=None, network=None, seed=1):
    objective = Objective(loss or torch.nn.MSELoss(), regularizers)
    generator = torch.Generator().manual_seed(seed)
    return Stepper(network or field(), dataset, objective, generator, 10, engine)


def gradients(made, number=0):
    outcome = made.gradients(number)
    return outcome.loss, torch.cat([parameter.grad.flatten() for parameter in made.field.parameters()])


class Weighted(Sampler):
    """A uniform sampler with weights, random or all ones."""

    def __init__(self, count, ones=False):
        self.count, self.ones = count, ones

    def batch_size(self, size):
        return self.count

    def draw(self, size, generator):
        index = torch.randint(size, (self.count,), generator=generator)
        drawn = torch.rand(self.count, generator=generator)
        return Draw(index, torch.ones(self.count) if self.ones else 2 * drawn)


ENGINES = [Engine(None, 0), Engine(7, 0), Engine(None), Engine(7)]


@pytest.mark.parametrize("engine", ENGINES, ids=str)
@pytest.mark.parametrize("loss", [torch.nn.MSELoss(), HalfMSELoss(), torch.nn.L1Loss(), torch.nn.BCEWithLogitsLoss()])
def test_a_batchs_weights_weigh_its_queries(engine, loss):
    dataset = image(sampler=Weighted(50))
    found, slopes = gradients(stepper(dataset, engine, loss))
    batch = dataset.sample(torch.Generator().manual_seed(1))
    network = field()
    each = [loss(network(x[None]), y[None]) for x, y in zip(batch.queries, batch.targets, strict=True)]
    expected = sum(w * one for w, one in zip(batch.weights, each, strict=True)) / 50
    expected.backward()
    torch.testing.assert_close(found, expected.detach())
    wanted = torch.cat([p.grad.flatten() for p in network.parameters()])
    torch.testing.assert_close(slopes, wanted, atol=1e-6, rtol=1e-4)
    assert loss.reduction == "mean"


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_weights_of_one_change_nothing(engine):
    class Unweighted(Weighted):
        def draw(self, size, generator):
            return super().draw(size, generator)._replace(weights=None)

    (one, slopes), (other, wanted) = (
        gradients(stepper(image(sampler=sampler(50, ones=True)), engine)) for sampler in (Weighted, Unweighted)
    )
    torch.testing.assert_close(one, other)
    torch.testing.assert_close(slopes, wanted)


def test_weights_need_a_loss_of_each_entry():
    with pytest.raises(ValueError, match="loss: expected one of torch's, with a reduction, to weigh queries; got f"):
        gradients(stepper(image(sampler=Weighted(50)), loss=lambda p, t: (p - t).square().mean()))


def test_a_loss_without_reduction_does_without_weights():
    loss, slopes = gradients(stepper(image(), loss=lambda p, t: (p - t).square().mean()))
    expected, wanted = gradients(stepper(image()))
    torch.testing.assert_close(loss, expected)
    torch.testing.assert_close(slopes, wanted)


@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_an_adaptive_sampler_is_told_each_querys_squared_error(engine):
    dataset = image(sampler=Importance(50))
    made = stepper(dataset, engine)
    optimizer = torch.optim.SGD(made.field.parameters(), lr=0.1)
    for number in range(3):
        made.step(number, optimizer)
    network = field()
    optimizer, generator = torch.optim.SGD(network.parameters(), lr=0.1), torch.Generator().manual_seed(1)
    twin = image(sampler=Importance(50))
    for index, errors in dataset.sampler.told:
        batch = twin.sample(generator)
        assert torch.equal(index, batch.index)
        each = (network(batch.queries) - batch.targets).square().mean(-1)
        torch.testing.assert_close(errors, each.detach(), atol=1e-6, rtol=1e-4)
        optimizer.zero_grad()
        (batch.weights * each).mean().backward()
        optimizer.step()
        twin.sampler.update(batch.index, each.detach())
    assert len(dataset.sampler.told) == 3


def test_importance_does_not_bias_the_gradient():
    """The mean of weighted gradients of many batches is the gradient of all queries."""
    errors = torch.rand(480, generator=torch.Generator().manual_seed(2)) + 0.2
    sampler = Importance(20_000)
    sampler.errors = errors.clone()
    _, slopes = gradients(stepper(image(sampler=sampler)))
    _, wanted = gradients(stepper(image(batch_size=None)))
    assert (slopes - wanted).norm() < 0.02 * wanted.norm()


class Note(Blur):
    """Notes the step, the generator's state and the field whenever it is prepared."""

    def __init__(self):
        super().__init__()
        self.steps, self.biases = [], []

    def prepare(self, field, step, generator):
        super().prepare(field, step, generator)
        self.steps.append(step)
        self.biases.append([p.detach().clone() for p in field.parameters()][-1])
        torch.rand(1, generator=generator)


def test_an_operator_is_prepared_before_each_step():
    dataset = image(operator=Note())
    made = stepper(dataset)
    optimizer, seen = torch.optim.SGD(made.field.parameters(), lr=0.1), []
    for number in range(4):
        seen.append([p.detach().clone() for p in made.field.parameters()][-1])
        made.step(number, optimizer)
    assert dataset.operator.steps == [0, 1, 2, 3]
    assert torch.equal(torch.stack(dataset.operator.biases), torch.stack(seen))
    assert not torch.equal(seen[0], seen[1])


@pytest.mark.parametrize("micro_batch", [1, 7, 64, 10**6])
def test_noise_does_not_depend_on_micro_batches(micro_batch):
    _, whole = gradients(stepper(image(operator=Blur()), Engine(None)))
    made = stepper(image(operator=Blur()), Engine(micro_batch))
    loss, slopes = gradients(made)
    torch.testing.assert_close(slopes, whole, atol=1e-6, rtol=1e-4)
    # And it is the noise of the whole batch, drawn after it.
    generator, dataset = torch.Generator().manual_seed(1), image(operator=Blur())
    batch = dataset.sample(generator)
    noise = dataset.operator.noise(64, generator)
    expected = (dataset.operator(field(), batch.queries, noise) - batch.targets).square().mean()
    torch.testing.assert_close(loss, expected.detach())
    without = (dataset.operator(field(), batch.queries) - batch.targets).square().mean()
    assert not torch.isclose(loss, without)


def test_micro_batches_count_field_evaluations():
    made = stepper(image(operator=Blur(points=5)), Engine(20))
    sizes = [len(observed.targets) for observed in made.gradients().observed]
    assert sizes == 16 * [4]


def test_features_are_not_cached_for_an_operator_that_needs_the_field():
    assert stepper(image()).cache is not None
    assert stepper(image(operator=Blur())).cache is None


class Look(Regularizer):
    """Keeps the batches that it gets."""

    def __init__(self):
        super().__init__(1.0)
        self.batches = []

    def forward(self, field, batch, generator):
        self.batches.append(batch)
        return field(batch.queries).mean()


@pytest.mark.parametrize("sampler", [UniformSampler(50), FullBatch(), Weighted(50)], ids=lambda s: type(s).__name__)
@pytest.mark.parametrize("engine", ENGINES, ids=str)
def test_regularizers_see_the_whole_batch_once_a_step(engine, sampler):
    dataset, look = image(sampler=sampler), Look()
    made = stepper(dataset, engine, regularizers={"look": look})
    loss = made.gradients().loss
    batch = dataset.sample(torch.Generator().manual_seed(1))
    assert len(look.batches) == 1
    for name, seen in look.batches[0]._asdict().items():
        wanted = getattr(batch, name)
        assert (seen is None and wanted is None) or torch.equal(seen, wanted)
    data = Objective(torch.nn.MSELoss()).data(field()(batch.queries), batch.targets, batch.weights)
    torch.testing.assert_close(loss, (data + field()(batch.queries).mean()).detach())


class Flow(Stream):
    """Random points whose value is their coordinates, and how far away they are."""

    def __init__(self, weighted=False):
        super().__init__()
        self.weighted = weighted
        self.hold("device", torch.zeros(()))

    def draw(self, count, generator):
        x = torch.rand(count, 2, generator=generator)
        weights = torch.rand(count, generator=generator) if self.weighted else None
        return Batch(x, torch.cat([x, x.norm(dim=-1, keepdim=True)], -1), weights)


class Flowing(Dataset):
    in_features, out_features = 2, 3

    def __init__(self, weighted=False):
        super().__init__()
        self.source, self.sampler, self.operator = Flow(weighted), UniformSampler(50), PointEvaluation()
        self.metrics = {}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("micro_batch", [None, 7])
def test_a_streams_batches_are_used_as_they_are(weighted, micro_batch):
    look = Look()
    loss = stepper(Flowing(weighted), Engine(micro_batch), regularizers={"look": look}).gradients().loss
    batch = Flow(weighted).draw(50, torch.Generator().manual_seed(1))
    assert torch.equal(look.batches[0].queries, batch.queries)
    data = Objective(torch.nn.MSELoss()).data(field()(batch.queries), batch.targets, batch.weights)
    torch.testing.assert_close(loss, (data + field()(batch.queries).mean()).detach())


class Fourier(Source):
    """Complex observations: Fourier coefficients of an image of one channel on a grid of 8 x 8."""

    grid = None

    def __init__(self):
        super().__init__()
        self.size = 16
        generator = torch.Generator().manual_seed(0)
        self.hold("k", torch.randint(-3, 4, (16, 2), generator=generator).float())
        self.hold("y", torch.randn(16, 1, dtype=torch.complex64, generator=generator))

    def batch(self, index):
        return Batch(self.k[index], self.y[index])


class Coefficients(Blur):
    def forward(self, field, queries, noise=None):
        line = (torch.arange(8) + 0.5) / 8
        x = torch.cartesian_prod(line, line)
        return torch.exp(-2j * torch.pi * (queries @ x.T)) @ field(x)[:, :1].to(torch.complex64) / 64

    def noise(self, count, generator):
        return None


class Resonance(Dataset):
    in_features, out_features = 2, 3

    def __init__(self, sampler):
        super().__init__()
        self.source, self.sampler, self.operator = Fourier(), sampler, Coefficients()
        self.metrics = {}


def squared(prediction, targets):
    return (prediction - targets).abs().square().mean()


def test_complex_observations_stay_complex():
    told = []

    class Told(FullBatch):
        adaptive = True

        def update(self, index, errors):
            told.append((index.tolist(), errors))

    made = stepper(Resonance(Told()), Engine(5), squared)
    outcome = made.gradients()
    loss, slopes = outcome.loss, torch.cat([p.grad.flatten() for p in made.field.parameters()])
    assert outcome.observed[0].prediction.is_complex()
    dataset = Resonance(FullBatch())
    network = field()
    expected = squared(dataset.operator(network, dataset.source.k), dataset.source.y)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    wanted = torch.cat([p.grad.flatten() for p in network.parameters()])
    torch.testing.assert_close(slopes, wanted, atol=1e-6, rtol=1e-4)
    index, errors = told[0]
    assert index == list(range(16))
    torch.testing.assert_close(errors.mean(), loss)


def test_annealed_encoders_are_told_after_each_step():
    encoder = AnnealedEncoder(PositionalEncoder(2, 3), share=0.5)
    made = stepper(image(), network=field(encoder))
    optimizer, seen = torch.optim.SGD(made.field.parameters(), lr=0.1), []
    for number in range(10):
        made.step(number, optimizer)
        seen.append(made.field.encoder.progress.item())
    assert seen == pytest.approx([0.2, 0.4, 0.6, 0.8, 1, 1, 1, 1, 1, 1])


def test_a_schedule_follows_the_optimizer():
    made = stepper(image())
    optimizer = torch.optim.SGD(made.field.parameters(), lr=1.0)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    for number in range(3):
        made.step(number, optimizer, schedule)
    assert optimizer.param_groups[0]["lr"] == 0.125


def test_any_module_is_fitted():
    """A module that is no ffnet.models.Field has neither features to cache nor encoders to anneal."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    made = stepper(image(batch_size=None), network=network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    losses = [made.step(number, optimizer).loss.item() for number in range(10)]
    assert losses[-1] < losses[0]
