"""The engine changes the speed and not the result: against a plain loop, step by step."""

import logging
from functools import partial

import pytest
import torch

from ffnet.datasets import ImageDataset
from ffnet.encoders import GaussianEncoder, GridEncoder, IdentityEncoder, PositionalEncoder
from ffnet.fitting import Engine, automatic_precision
from ffnet.models import CoordinateMLP
from ffnet.operators import LineIntegrals, OnGrid, PointEvaluation
from ffnet.training import Fitting
from tests.training.helpers import trainer, weights

STEPS = 50
# Rounding grows where it turns a ReLU on or off: from seed 0 the plain loop in float32 is 8e-6 off the same in float64
# after 100 steps (the engine 5e-9), from this one 3e-9.
SEED = 1


class Losses(torch.nn.Module):
    """Mean squared error that notes its values, weighted by their share of a batch."""

    def __init__(self, batch):
        super().__init__()
        self.batch, self.values = batch, []

    def forward(self, prediction, targets):
        loss = torch.nn.functional.mse_loss(prediction, targets)
        self.values.append(loss.item() * len(targets) / self.batch)
        return loss


def fitted(folder, engine, batch_size, encoder=None, **options):
    dataset = ImageDataset(size=[30, 34], batch_size=batch_size)
    encoder = encoder or GaussianEncoder(2, 32, sigma=4.0, seed=SEED)
    field = CoordinateMLP(encoder, 3, 32, 2, output_activation=torch.nn.Sigmoid(), seed=SEED)
    loss = Losses(dataset.batch_size)
    module = Fitting(field, dataset, loss, partial(torch.optim.Adam, lr=2e-3), max_steps=STEPS, seed=3, engine=engine)
    trainer(folder, STEPS, **options).fit(module)
    parts = len(loss.values) // STEPS
    return module, torch.tensor(loss.values).view(STEPS, parts).sum(-1)


def plain(batch_size):
    """The same fit in a loop that shares nothing with the engine but the order of the random pixels."""
    dataset = ImageDataset(size=[30, 34])
    encoder = GaussianEncoder(2, 32, sigma=4.0, seed=SEED)
    field = CoordinateMLP(encoder, 3, 32, 2, output_activation=torch.nn.Sigmoid(), seed=SEED)
    rows, columns = torch.meshgrid(torch.arange(30), torch.arange(34), indexing="ij")
    x = torch.stack([(columns + 0.5) / 34, (rows + 0.5) / 30], -1).reshape(-1, 2)
    y = dataset.pixels.reshape(-1, 3) / 255
    optimizer = torch.optim.Adam(field.parameters(), lr=2e-3)
    generator, losses = torch.Generator().manual_seed(3), []
    for _ in range(STEPS):
        chosen = slice(None) if batch_size is None else torch.randint(len(x), (batch_size,), generator=generator)
        optimizer.zero_grad()
        loss = (field(x[chosen]) - y[chosen]).square().mean()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return torch.tensor(losses)


@pytest.mark.usefixtures("without_shape_checks")  # 15,000 micro-batches; test_step.py has the same with checks
@pytest.mark.parametrize("micro_batch", [None, 100, 1020, pytest.param(7, marks=pytest.mark.long)], ids=str)
@pytest.mark.parametrize("megabytes", [0, 512])
@pytest.mark.parametrize("batch_size", [None, 200], ids=["whole", "random"])
def test_losses_agree_with_the_plain_loop_step_by_step(tmp_path, micro_batch, megabytes, batch_size):
    _, losses = fitted(tmp_path, Engine(micro_batch, megabytes), batch_size)
    torch.testing.assert_close(losses, plain(batch_size), atol=1e-5, rtol=1e-5)


def test_features_are_computed_once_only_if_they_cannot_change_and_fit(tmp_path):
    dataset, cpu = ImageDataset(size=64, batch_size=100), torch.device("cpu")
    fixed = CoordinateMLP(GaussianEncoder(2, 128), 3)
    cache = Engine().cache(fixed, dataset, cpu)
    everything = dataset.source.batch(torch.arange(64 * 64))
    batch = cache.batch(slice(None))
    torch.testing.assert_close(batch.queries, fixed.encoder(everything.queries))
    assert torch.equal(batch.targets, everything.targets)
    assert Engine(feature_megabytes=4).cache(fixed, dataset, cpu) is not None  # 64 * 64 * 256 * 4 bytes, exactly
    assert Engine(feature_megabytes=3).cache(fixed, dataset, cpu) is None
    assert Engine().cache(CoordinateMLP(GridEncoder(2), 3), dataset, cpu) is None
    with torch.autocast("cpu", torch.bfloat16):
        assert Engine().cache(fixed, dataset, cpu).features.dtype == torch.bfloat16


@pytest.mark.parametrize("size", [(8, 6), (5, 6), (5, 7)])
@pytest.mark.parametrize("offset", [0.0, 0.5])
@pytest.mark.parametrize(
    ("encoder", "count"),
    [
        (GaussianEncoder(2, 16, sigma=3.0, normalize=True), 2),
        (PositionalEncoder(2, 3), 2),
        (PositionalEncoder(2, 3, include_input=True), 1),
        (IdentityEncoder(2), 1),
    ],
)
def test_mirror_points_share_the_first_layer(size, offset, encoder, count):
    """In float64 against the field at the points themselves; a grid with a point at its centre has no pairs."""
    dataset = ImageDataset(size=size, offset=offset)
    field = CoordinateMLP(encoder, 3, 8, 2, seed=0).double()
    cache = Engine().cache(field, dataset, torch.device("cpu"))
    assert cache.points_per_row == (1 if size == (5, 7) else count)
    features, targets = cache.batch(slice(3, 9))[:2]
    numbers = torch.arange(3, 9)
    if cache.points_per_row == 2:
        numbers = torch.cat([numbers, size[0] * size[1] - 1 - numbers])
    queries, expected = dataset.source.batch(numbers)[:2]
    assert torch.equal(targets, expected)
    torch.testing.assert_close(cache.decode(features), field(queries.double()), atol=1e-5, rtol=1e-5)
    field.bfloat16()
    values = Engine().cache(field, dataset, torch.device("cpu")).decode(features.bfloat16())
    torch.testing.assert_close(values, field(queries).bfloat16(), atol=0.02, rtol=0.02)


def test_bfloat16_stays_near_float32(tmp_path):
    _, exact = fitted(tmp_path, Engine(), None)
    _, rounded = fitted(tmp_path, Engine(), None, precision="bf16-mixed")
    difference = 10 * torch.log10(exact / rounded)
    assert difference[-20:].abs().max() < 0.1  # dB


def test_a_trainable_encoder_is_trained(tmp_path):
    encoder = GridEncoder(2, 4, 2, 1024, max_resolution=32)
    before = encoder.table.detach().clone()
    module, losses = fitted(tmp_path, Engine(), 200, encoder)
    assert {name.split(".")[0] for name in module.state_dict()} == {"field"}
    assert not torch.equal(before, module.field.encoder.table)
    assert losses[-1] < losses[0]


@pytest.mark.usefixtures("without_shape_checks")
def test_compilation_that_fails_is_announced_and_the_run_goes_on(tmp_path, monkeypatch, caplog):
    def broken(function, mode):
        def call(inputs):
            raise RuntimeError("no compiler here")

        return call

    monkeypatch.setattr(torch, "compile", broken)
    with caplog.at_level(logging.WARNING):
        _module, losses = fitted(tmp_path, Engine(compile="default"), None)
    assert caplog.messages == ["torch.compile failed, going on without it: no compiler here"]
    torch.testing.assert_close(losses, plain(None), atol=1e-5, rtol=1e-5)


def test_an_error_of_the_users_own_is_not_taken_for_one_of_the_compiler(tmp_path, monkeypatch):
    monkeypatch.setattr(torch, "compile", lambda function, mode: function)

    def wrong(inputs):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        Engine(compile="default").compiled(wrong)(torch.zeros(1))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"micro_batch": 0}, "micro_batch: expected at least 1, auto or null, got 0"),
        ({"micro_batch": "some"}, "micro_batch: expected"),
        ({"feature_megabytes": -1}, "feature_megabytes: expected at least 0"),
        ({"compile": "quickly"}, "compile: expected null, default, reduce-overhead or max-autotune, got 'quickly'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        Engine(**arguments)


def test_micro_batches_are_for_the_cpu_and_count_field_evaluations():
    cpu, cuda = torch.device("cpu"), torch.device("cuda")
    point, ray, long = PointEvaluation(), LineIntegrals(64), LineIntegrals(10**6)
    assert Engine().micro_batch_size(65_536, point, cpu) == 8192
    assert Engine().micro_batch_size(65_536, ray, cpu) == 128
    assert Engine().micro_batch_size(65_536, long, cpu) == 1
    assert Engine().micro_batch_size(65_536, ray, cuda) == 65_536
    assert Engine(micro_batch=100).micro_batch_size(65_536, point, cuda) == 100
    assert Engine(micro_batch=100).micro_batch_size(65_536, LineIntegrals(25), cuda) == 4
    assert Engine(micro_batch=None).micro_batch_size(65_536, ray, cpu) == 65_536


def test_queries_that_share_a_grid_are_not_split():
    operator = OnGrid(torch.nn.Identity(), (300, 200))
    assert Engine().micro_batch_size(77, operator, torch.device("cpu")) == 77
    assert operator.evaluations(77) == 60_000


@pytest.mark.parametrize(("native", "expected"), [(True, "bf16-mixed"), (False, "32-true")])
def test_precision_follows_the_device(monkeypatch, native, expected):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: native)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: native)
    assert automatic_precision("cpu") == expected
    assert automatic_precision("cuda") == expected
    assert automatic_precision("mps") == "32-true"


def test_a_run_of_micro_batches_and_caches_repeats_to_the_bit(tmp_path):
    one, _ = fitted(tmp_path, Engine(100), None)
    two, _ = fitted(tmp_path, Engine(100), None)
    assert torch.equal(weights(one), weights(two))
