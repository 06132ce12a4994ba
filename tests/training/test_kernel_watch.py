"""The kernel of a network in training, against dense computations and a run that the theory covers."""

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import DummyLogger

from ffnet.datasets import Batch, Dataset, Source
from ffnet.encoders import PositionalEncoder
from ffnet.kernels import (
    effective_rank,
    eigenvalues,
    empirical_ntk_trace,
    finite_mlp,
    grid_points,
)
from ffnet.models import CoordinateMLP, Field
from ffnet.operators import Operator, PointEvaluation
from ffnet.sampling import FullBatch
from ffnet.training import Checkpoints, Fitting, KernelWatch
from tests.training.helpers import SIGNALS, STEPS, fitting, image, saved, trainer, weights


class Entries(DummyLogger):
    """Keeps what is logged, by step."""

    def __init__(self):
        super().__init__()
        self.found = {}

    def log_metrics(self, metrics, step=None):
        self.found.setdefault(step, {}).update(metrics)


def watched(folder, module, every=20, callbacks=(), **options):
    entries = Entries()
    watch = KernelWatch(every, **({"points": 40, "band_points": 400} | options))
    trainer(folder, STEPS, [watch, *callbacks], logger=entries).fit(module)
    return entries.found, watch


@pytest.mark.parametrize("signal", SIGNALS)
def test_entries_are_those_of_the_dense_kernel(tmp_path, signal):
    module = fitting(signal)
    found, watch = watched(tmp_path, module)
    assert list(found) == [0, 20, 40, 60]
    assert found[0]["kernel/drift"] == 0
    kernel = empirical_ntk_trace(module.field.double(), module.dataset.probe(40).queries.double())
    kernel = kernel / (40 * module.dataset.out_features)
    values = eigenvalues(kernel)
    for i in range(5):
        assert found[60][f"kernel/eigenvalue_{i + 1}"] == pytest.approx(values[i].item(), rel=1e-4)
    assert found[60]["kernel/effective_rank"] == pytest.approx(effective_rank(values), rel=1e-3)
    start = watch.start["kernel"]
    drift = (kernel - start).norm() / start.norm()
    assert found[60]["kernel/drift"] == pytest.approx(drift.item(), rel=1e-3)
    assert any(name.startswith("band_error/") for name in found[0]) == (signal is image)


def test_watching_changes_no_bit_and_a_resumed_run_goes_on_watching(tmp_path):
    plain, seen = fitting(), fitting()
    trainer(tmp_path).fit(plain)
    whole, _ = watched(tmp_path / "whole", seen)
    assert torch.equal(weights(plain), weights(seen))
    half = fitting()
    half.stop_at(40)
    watch = KernelWatch(20, points=40, band_points=400)
    trainer(tmp_path, 40, [watch, Checkpoints(40)], logger=Entries()).fit(half)
    entries = Entries()
    again = trainer(tmp_path, STEPS, [KernelWatch(20, points=40, band_points=400)], logger=entries)
    again.fit(fitting(), ckpt_path=saved(tmp_path))
    assert list(entries.found) == [60]
    assert entries.found[60] == whole[60]


class Wide(Field):
    def __init__(self, encoder):
        super().__init__(encoder, 1)
        self.network = finite_mlp(encoder.out_features, 1024, 2, seed=0, dtype=torch.float32)

    def decode(self, features):
        return self.network(features)


class Waves(Dataset):
    """One wave in each octave, on top of what a field is at the start: its error is these waves."""

    in_features, out_features = 2, 1

    def __init__(self, field):
        super().__init__()
        signal = Signal(torch.zeros(16, 16, 1))
        x = signal.queries.double()
        waves = [torch.cos(2 * torch.pi * x @ torch.tensor(f, dtype=x.dtype)) for f in WAVES]
        signal.targets = field(signal.queries).detach() + sum(waves).float()[:, None]
        self.source, self.sampler, self.operator = signal, FullBatch(), PointEvaluation()
        self.metrics = {}


class Signal(Source):
    """Values on a grid of the unit square."""

    def __init__(self, values):
        super().__init__()
        self.grid = tuple(values.shape[:-1])
        self.hold("queries", grid_points(self.grid).float())
        self.hold("targets", values.flatten(0, -2))
        self.size = len(self.queries)

    def batch(self, index):
        return Batch(self.queries[index], self.targets[index])


class LineMeans(Operator):
    """Means of a field along vertical lines, whose queries do form a grid, of one axis."""

    points_per_query = 4

    def forward(self, field, queries, noise=None):
        y = (torch.arange(4, dtype=queries.dtype, device=queries.device) + 0.5) / 4
        points = torch.stack(torch.broadcast_tensors(queries, y), dim=-1)
        return field(points.flatten(0, 1)).unflatten(0, (len(queries), 4)).mean(1)


class Projection(Dataset):
    """An image of one row, which was observed as means along its columns."""

    in_features, out_features = 2, 1

    def __init__(self):
        super().__init__()
        self.source = Signal(torch.rand(32, 1, generator=torch.Generator().manual_seed(0)))
        self.sampler, self.operator, self.metrics = FullBatch(), LineMeans(), {}


WAVES = ([1.0, 0.0], [0.0, 3.0], [6.0, 0.0])


def test_waves_decay_as_the_kernel_of_a_wide_network_predicts(tmp_path):
    field = Wide(PositionalEncoder(2, 3))
    dataset = Waves(field)
    top = eigenvalues(empirical_ntk_trace(field, dataset.source.queries))[0].item()
    # Half of the largest stable learning rate; the loss is a mean of squares.
    descent = lambda named: torch.optim.SGD([p for _, p in named], lr=0.5 * 256 / top)  # noqa: E731
    module = Fitting(field, dataset, torch.nn.MSELoss(), descent, max_steps=STEPS)
    found, _ = watched(tmp_path, module, points=256, band_points=256)
    names = ("1-2", "2-4", "4-8")
    for name in names:
        assert found[0][f"band_error/{name}"] == pytest.approx(0.5**0.5, rel=1e-4)
    for step in (20, 40, 60):
        for name in names:
            error, predicted = found[step][f"band_error/{name}"], found[step][f"band_predicted/{name}"]
            assert error == pytest.approx(predicted, rel=0.1, abs=0.01), (step, name)
    # And the octaves do differ.
    assert found[60]["band_error/1-2"] < 0.7 * found[60]["band_error/4-8"]


def test_queries_that_are_no_points_have_a_kernel_and_no_octaves(tmp_path):
    field = CoordinateMLP(PositionalEncoder(2, 3), 1, 16, 1, seed=0)
    still = lambda named: torch.optim.SGD([p for _, p in named], lr=0.0)  # noqa: E731
    module = Fitting(field, Projection(), torch.nn.MSELoss(), still, max_steps=STEPS)
    found, watch = watched(tmp_path, module, points=32)
    assert not any(name.startswith("band_") for name in found[0])
    assert found[60]["kernel/drift"] == 0
    rows = []
    for value in module.dataset.operator(field, watch.x)[:, 0]:
        slopes = torch.autograd.grad(value, list(field.parameters()), retain_graph=True)
        rows.append(torch.cat([slope.flatten() for slope in slopes]))
    kernel = torch.stack(rows) @ torch.stack(rows).T / 32
    torch.testing.assert_close(watch.start["kernel"].float(), kernel, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("argument", ["every_n_steps", "points", "leading", "band_points"])
def test_bad_arguments_say_what_was_expected(argument):
    with pytest.raises(ValueError, match=f"{argument}: expected at least"):
        KernelWatch(**{argument: 0})


def test_tensorboard_and_other_loggers_get_the_names(tmp_path):
    logger = CSVLogger(tmp_path)
    trainer(tmp_path, STEPS, [KernelWatch(points=16)], logger=logger).fit(fitting())
    logger.save()
    header = (tmp_path / "lightning_logs" / "version_0" / "metrics.csv").read_text().splitlines()[0]
    assert "kernel/drift" in header
    assert "band_predicted/2-4" in header
