"""The kernel of a network in training, against dense computations and a run that the theory covers."""

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger
from lightning.pytorch.loggers.logger import DummyLogger

from ffnet.datasets import Batch, Dataset, ImageDataset
from ffnet.encoders import PositionalEncoder
from ffnet.kernels import (
    as_matrix,
    effective_rank,
    eigenvalues,
    empirical_ntk,
    empirical_ntk_trace,
    finite_mlp,
    grid_points,
)
from ffnet.models import CoordinateMLP, Field
from ffnet.training import Fitting, KernelWatch
from ffnet.training.bands import Bands, shared_out
from tests.training.helpers import SIGNALS, STEPS, checkpoints, fitting, picture, trainer, weights


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
    kernel = empirical_ntk_trace(module.field.double(), module.dataset.probe(40).coordinates.double())
    kernel = kernel / (40 * module.dataset.out_features)
    values = eigenvalues(kernel)
    for i in range(5):
        assert found[60][f"kernel/eigenvalue_{i + 1}"] == pytest.approx(values[i].item(), rel=1e-4)
    assert found[60]["kernel/effective_rank"] == pytest.approx(effective_rank(values), rel=1e-3)
    start = watch.start["kernel"]
    drift = (kernel - start).norm() / start.norm()
    assert found[60]["kernel/drift"] == pytest.approx(drift.item(), rel=1e-3)
    assert any(name.startswith("band_error/") for name in found[0]) == (signal is picture)


def test_watching_changes_no_bit_and_a_resumed_run_goes_on_watching(tmp_path):
    plain, seen = fitting(), fitting()
    trainer(tmp_path).fit(plain)
    whole, _ = watched(tmp_path / "whole", seen)
    assert torch.equal(weights(plain), weights(seen))
    half = fitting()
    half.stop_at(40)
    keeper = checkpoints(tmp_path, 40)
    watch = KernelWatch(20, points=40, band_points=400)
    trainer(tmp_path, 40, [watch, keeper], logger=Entries()).fit(half)
    entries = Entries()
    again = trainer(tmp_path, STEPS, [KernelWatch(20, points=40, band_points=400)], logger=entries)
    again.fit(fitting(), ckpt_path=keeper.path)
    assert list(entries.found) == [60]
    assert entries.found[60] == whole[60]


def grey(size, **arguments):
    """Every pixel of a small picture in every step, in grey."""
    dataset = ImageDataset(size=size, batch_size=None, **arguments)
    dataset.pixels, dataset.out_features = dataset.pixels[..., :1].contiguous(), 1
    return dataset


@pytest.mark.parametrize(("size", "most"), [([12, 16], 10_000), ([24, 20], 144)], ids=["whole", "window"])
def test_bands_hold_the_whole_error_and_its_rayleigh_quotients(size, most):
    dataset = ImageDataset(size=size)
    field = CoordinateMLP(PositionalEncoder(2, 3), 3, 16, 1, seed=0)
    bands = Bands(dataset, most)
    error = bands.error(field)
    assert bands.mean_squares(error).sum() == pytest.approx(error.square().mean().item(), rel=1e-5)
    parts = bands.parts(error)
    torch.testing.assert_close(parts.sum(0), error, atol=1e-5, rtol=0)
    torch.testing.assert_close(parts.square().mean((1, 2)), bands.mean_squares(error), atol=1e-7, rtol=1e-4)
    kernel = as_matrix(empirical_ntk(field, bands.x))
    flat = parts.flatten(1)
    wanted = torch.einsum("bi,ij,bj->b", flat, kernel, flat) / flat.square().sum(1)
    torch.testing.assert_close(bands.rates(field), wanted, rtol=1e-3, atol=0)


def test_a_wave_lies_in_the_band_of_its_frequency():
    dataset = grey([64, 64])
    bands = Bands(dataset, 64 * 64)
    assert bands.names == ["0-1", "1-2", "2-4", "4-8", "8-16", "16-32", "32-64"]
    for frequency, name in (((0, 0), "0-1"), ((3, 0), "2-4"), ((3, 4), "4-8"), ((0, 8), "8-16"), ((30, 30), "32-64")):
        phase = 2 * torch.pi * bands.x @ torch.tensor(frequency, dtype=torch.float32)
        squares = bands.mean_squares(phase.cos()[:, None])
        assert bands.names[squares.argmax()] == name
        assert squares.max() == pytest.approx(squares.sum().item(), rel=1e-5)


def test_a_window_knows_its_frequencies_in_cycles_per_unit():
    bands = Bands(grey([64, 64]), 16 * 16)
    assert bands.size == (16, 16)
    assert bands.names == ["0-1", "4-8", "8-16", "16-32", "32-64"]
    assert bands.x.mean().item() == pytest.approx(0.5)
    assert (bands.x.amax() - bands.x.amin()).item() == pytest.approx(15 / 64)


def test_the_run_s_own_error_is_the_clock():
    start, rates = torch.tensor([4.0, 1.0, 0.5]), torch.tensor([3.0, 1.0, 0.0])
    for time in (0.01, 0.7, 5.0):
        wanted = start * torch.exp(-2 * rates * time)
        torch.testing.assert_close(shared_out(start, rates, wanted.sum().item()), wanted, rtol=1e-3, atol=1e-6)
    assert torch.equal(shared_out(start, rates, 6.0), start)
    # Less than the bands that are never learnt leave.
    torch.testing.assert_close(shared_out(start, rates, 0.1), torch.tensor([0.0, 0.0, 0.5]))


class Wide(Field):
    def __init__(self, encoder):
        super().__init__(encoder, 1)
        self.network = finite_mlp(encoder.out_features, 1024, 2, seed=0, dtype=torch.float32)

    def decode(self, features):
        return self.network(features)


class Waves(Dataset):
    """One wave in each octave, on top of what a field is at the start: its error is these waves."""

    in_features, out_features, batch_points, training_points, training_grid = 2, 1, 256, 256, (16, 16)
    parts = ("psnr",)

    def __init__(self, field):
        super().__init__()
        x = grid_points([16, 16])
        waves = [torch.cos(2 * torch.pi * x @ torch.tensor(f, dtype=x.dtype)) for f in WAVES]
        self.register_buffer("x", x.float(), persistent=False)
        self.register_buffer("y", field(self.x).detach() + sum(waves).float()[:, None], persistent=False)

    def draw(self, generator):
        return None

    def training_batch(self, numbers):
        return Batch(self.x[numbers], self.y[numbers])

    def statistics(self, prediction, targets):
        return torch.ones(len(targets), 1)

    def scores(self, totals):
        return {"psnr": 0.0}

    def evaluation(self, points):
        yield Batch(self.x, self.y), torch.zeros(256, dtype=torch.int64)

    def description(self):
        return {}


WAVES = ([1.0, 0.0], [0.0, 3.0], [6.0, 0.0])


def test_waves_decay_as_the_kernel_of_a_wide_network_predicts(tmp_path):
    field = Wide(PositionalEncoder(2, 3))
    dataset = Waves(field)
    top = eigenvalues(empirical_ntk_trace(field, dataset.x))[0].item()
    # Half of the largest stable rate; the loss is a mean of squares.
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
    # And the bands do differ.
    assert found[60]["band_error/1-2"] < 0.7 * found[60]["band_error/4-8"]


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
