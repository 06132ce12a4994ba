"""What every dataset has in common, and what is found out before training."""

import pytest
import torch
from torch import nn
from torchmetrics import MeanSquaredError, Metric
from torchmetrics.image import StructuralSimilarityIndexMeasure

from ffnet.datasets import Batch, Dataset, Evaluation, Held, ImageDataset, Source, Stream, TensorSource
from ffnet.metrics import PSNR
from ffnet.operators import PointEvaluation
from ffnet.sampling import Draw, FullBatch, Sampler, UniformSampler
from tests.operators.blur import Blur
from tests.sampling.importance import Importance
from tests.training.helpers import field_of, image


class Formula(Source):
    """A source that holds nothing: numbers and their squares."""

    def __init__(self):
        super().__init__()
        self.size = 10

    def batch(self, index):
        x = index.float()[:, None] / 10
        return Batch(x, x**2)


class Flow(Stream):
    def draw(self, count, generator):
        x = torch.rand(count, 1, generator=generator)
        return Batch(x, x**2)


class Numbers(Dataset):
    in_features, out_features = 1, 1

    def __init__(self, source=None, sampler=None, operator=None):
        super().__init__()
        self.source = source or Formula()
        self.sampler = sampler or self.sampler
        self.operator = operator or self.operator


def network(inputs=1, outputs=1):
    return nn.Linear(inputs, outputs)


def test_a_dataset_needs_a_source_and_nothing_else():
    dataset = Numbers()
    assert isinstance(dataset.operator, PointEvaluation)
    assert dataset.whole
    assert dataset.batch_size == 10
    assert dataset.evaluations == []
    assert dataset.metrics == {}
    assert (dataset.record, dataset.mean(), dataset.image()) == (None, None, None)
    assert (dataset.baselines(), dataset.resolved(), dataset.views(network(), 8)) == ({}, {}, {})
    dataset.check(network())
    assert len(dataset.probe(4).queries) == 4


@pytest.mark.parametrize("sampler", [FullBatch(), UniformSampler(7), Importance(7)])
def test_a_batch_says_which_queries_it_has(sampler):
    dataset = Numbers(sampler=sampler)
    batch = dataset.sample(torch.Generator().manual_seed(0))
    queries, targets = dataset.source.batch(batch.index)[:2]
    assert torch.equal(batch.queries, queries)
    assert torch.equal(batch.targets, targets)
    drawn = dataset.draw(torch.Generator().manual_seed(0)) if not sampler.adaptive else Draw(batch.index, batch.weights)
    assert torch.equal(batch.index, torch.arange(10) if drawn.index is None else drawn.index)
    assert (batch.weights is None) == (drawn.weights is None)


def test_weights_reach_the_batch():
    class Heavy(UniformSampler):
        def draw(self, size, generator):
            index, _ = super().draw(size, generator)
            return Draw(index, 2.0 * index)

    batch = Numbers(sampler=Heavy(7)).sample(torch.Generator().manual_seed(0))
    assert torch.equal(batch.weights, 2.0 * batch.index)


def test_a_stream_gives_new_queries():
    dataset = Numbers(Flow(), UniformSampler(7))
    dataset.check(network())
    generator = torch.Generator().manual_seed(0)
    one, two = dataset.sample(generator), dataset.sample(generator)
    assert len(one.queries) == dataset.batch_size == 7
    assert not torch.equal(one.queries, two.queries)
    assert dataset.probe(20).queries.shape == (20, 1)


@pytest.mark.parametrize("sampler", [FullBatch(), Importance(7)])
def test_a_stream_is_told_how_many(sampler):
    with pytest.raises(ValueError, match="sampler: expected one that says how many new queries a step uses, got "):
        Numbers(Flow(), sampler).check(network())


def test_what_is_held_keeps_its_type_and_stays_out_of_checkpoints():
    held, inner = Held(), Held()
    held.inner = inner
    held.hold("a", torch.zeros(2, dtype=torch.float64))
    held.hold("nothing", None)
    inner.hold("b", torch.zeros(2, dtype=torch.uint8))
    held.to(torch.bfloat16).half().double()
    assert (held.a.dtype, inner.b.dtype) == (torch.float64, torch.uint8)
    assert held.state_dict() == {}
    held.to("meta")
    assert held.a.is_meta
    assert inner.b.is_meta
    assert next(Formula().to("meta").buffers()).is_meta  # also of a source that holds nothing


def test_two_tensors_are_a_source():
    source = TensorSource(torch.rand(6, 2), torch.arange(6, dtype=torch.uint8)[:, None], (2, 3))
    batch = source.batch(torch.tensor([4, 0]))
    assert batch.targets.tolist() == [[4.0], [0.0]]
    assert torch.equal(batch.queries, source.queries[[4, 0]])
    assert (source.size, source.grid) == (6, (2, 3))
    observed = torch.randn(6, 1, dtype=torch.complex64)
    assert torch.equal(TensorSource(torch.rand(6, 2), observed).batch(torch.arange(6)).targets, observed)
    with pytest.raises(ValueError, match="targets: expected 6 rows as of the queries, got 5"):
        TensorSource(torch.rand(6, 2), torch.rand(5, 1))


class Doubled(Blur):
    """Observes each value twice."""

    def forward(self, field, queries, noise=None):
        return super().forward(field, queries, noise).repeat(1, 2)


class Picky(Blur):
    def forward(self, field, queries, noise=None):
        raise RuntimeError("I want rays\nand nothing else")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"operator": Doubled()},
            "operator: Doubled observes 6 columns of this field of 3 values, expected 3 as the data have",
        ),
        ({"operator": Picky()}, r"operator: Picky cannot observe this field \(I want rays\)$"),
        ({"operator": network()}, "operator: expected an ffnet.operators.Operator, got Linear"),
        ({"sampler": network()}, "sampler: expected an ffnet.sampling.Sampler, got Linear"),
        ({"metrics": {"psnr": nn.MSELoss()}}, "metrics.psnr: expected a torchmetrics.Metric, got MSELoss"),
    ],
    ids=["columns", "raises", "no operator", "no sampler", "no metric"],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_parts_that_do_not_fit_are_found_before_training(change, message):
    dataset = image()
    for name, part in change.items():
        delattr(dataset, name)
        setattr(dataset, name, part)
    with pytest.raises(ValueError, match=message):
        dataset.check(field_of(image()))


@pytest.mark.parametrize("operator", [Doubled(), Picky()])
def test_an_evaluations_operator_must_fit_as_well(operator):
    dataset = image()
    dataset.add_evaluation(Evaluation("seen", dataset.source, {"psnr": PSNR()}, operator))
    with pytest.raises(ValueError, match=rf"operator: {type(operator).__name__} of evaluation 'seen' "):
        dataset.check(field_of(dataset))


def test_a_field_of_other_values_is_refused():
    with pytest.raises(ValueError, match="PointEvaluation observes 2 columns of this field of 3 values, expected 3"):
        image().check(nn.Linear(2, 2))
    with pytest.raises(ValueError, match="PointEvaluation cannot observe this field"):
        image().check(nn.Linear(5, 3))


def test_a_field_may_have_other_values_than_an_observation():
    """As a radiance field has four, and its camera sees three."""

    class Opaque(Blur):
        def forward(self, field, queries, noise=None):
            values = super().forward(field, queries, noise)
            return values[:, :3] * values[:, 3:].sigmoid()

    dataset = image(operator=Opaque())
    dataset.out_features = 4
    dataset._evaluations = nn.ModuleList([Evaluation("", dataset.source, {"psnr": PSNR()}, Opaque())])
    dataset.check(nn.Linear(2, 4))


class Broken(Metric):
    full_state_update = False

    def update(self, prediction, target):
        raise KeyError("no such thing")

    def compute(self):
        return torch.zeros(())


@pytest.mark.parametrize("where", ["metrics", "image_metrics"])
def test_a_metric_that_cannot_score_is_found_before_training(where):
    dataset = image()
    dataset.add_evaluation(Evaluation("own", dataset.source, {}, layout=dataset.source.grid))
    getattr(dataset.evaluations[-1], where)["broken"] = Broken()
    with pytest.raises(ValueError, match=r"metrics\.broken: Broken cannot score this signal .*no such thing"):
        dataset.check(field_of(dataset))


def test_trying_leaves_no_trace():
    ssim = StructuralSimilarityIndexMeasure(data_range=1.0)
    dataset = ImageDataset(size=[24, 20], batch_size=64, metrics={"ssim": ssim})
    field = field_of(dataset)
    generator = torch.Generator().manual_seed(0)
    before = dataset.sample(generator).queries
    dataset.check(field)
    assert torch.equal(dataset.sample(generator.manual_seed(0)).queries, before)
    assert all(parameter.grad is None for parameter in field.parameters())
    metrics = [*dataset.evaluations[0].metrics.values(), *dataset.evaluations[0].image_metrics.values()]
    assert not any(metric.update_called for metric in [*metrics, *dataset.metrics.values()])


def test_evaluations_take_copies_of_metrics():
    psnr = PSNR()
    one, two = (Evaluation(name, Formula(), {"psnr": psnr}) for name in ("a", "b"))
    one.metrics["psnr"].update(torch.ones(1), torch.zeros(1))
    assert not two.metrics["psnr"].update_called
    assert not psnr.update_called


@pytest.mark.usefixtures("without_shape_checks")
def test_metrics_are_torchmetrics():
    with pytest.raises(ValueError, match=r"metrics\.mse: expected a torchmetrics.Metric, got MSELoss"):
        Evaluation("", Formula(), {"mse": nn.MSELoss()})
    with pytest.raises(ValueError, match=r"metrics\.mse: expected a torchmetrics.Metric, got MSELoss"):
        ImageDataset(size=8, metrics={"mse": nn.MSELoss()})
    assert Evaluation("", Formula(), {"mse": MeanSquaredError()}).metrics.keys() == {"mse"}


def test_samplers_are_abstract():
    with pytest.raises(TypeError):
        Sampler()
