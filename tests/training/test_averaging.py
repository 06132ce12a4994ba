"""The average of the weights."""

import pytest
import torch
from lightning.pytorch import Callback

from ffnet.checkpoint import Checkpoint
from ffnet.encoders import AnnealedEncoder, PositionalEncoder
from ffnet.fitting import evaluate
from ffnet.training import Averaging, Checkpoints, Evaluation
from ffnet.training import module as module_file
from tests.training.helpers import STEPS, fitting, saved, trainer, weights

DECAY = 0.8


class Recorder(Callback):
    """The weights before the first step and after every step."""

    def __init__(self):
        self.seen = []

    def on_train_start(self, trainer, pl_module):
        self.seen.append(weights(pl_module).double())

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(weights(pl_module).double())


def recomputed(seen, first=0):
    """The average of weights that were seen at the steps ``first``, ``first + 1``, ...: a sum of all with their
    factors."""
    factors = [1.0]
    for step in range(first + 1, first + len(seen)):
        decay = min(DECAY, (1 + step) / (10 + step))
        factors = [factor * decay for factor in factors] + [1 - decay]
    assert sum(factors) == pytest.approx(1)
    return sum(factor * weight for factor, weight in zip(factors, seen, strict=True))


def average(module):
    return torch.cat([p.detach().flatten() for p in module.result.parameters()])


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A fit with an average, in spans, and where it is saved."""
    module, folder = fitting(), tmp_path_factory.mktemp("whole")
    trainer(folder, callbacks=[Averaging(DECAY), Evaluation(20), Checkpoints(31)]).fit(module)
    return module, saved(folder)


def test_the_average_is_that_of_the_weights_after_every_step_and_training_is_as_without(tmp_path, monkeypatch, whole):
    monkeypatch.setattr(module_file, "SPAN_SECONDS", 100)
    plain, spans, recorder = fitting(), fitting(), Recorder()
    trainer(tmp_path, callbacks=[recorder]).fit(plain)
    trainer(tmp_path, callbacks=[Averaging(DECAY)]).fit(spans)
    assert len(recorder.seen) == STEPS + 1
    assert (average(spans) - recomputed(recorder.seen)).abs().max() < 1e-6
    assert (average(spans) - weights(spans)).abs().max() > 1e-3
    assert torch.equal(average(spans), average(whole[0]))
    assert torch.equal(weights(spans), weights(plain))


def test_the_averaged_weights_are_scored_and_the_checkpoint_has_both(whole):
    module, path = whole
    assert module.scored == (STEPS, pytest.approx(evaluate(module.average, module.dataset)))
    assert module.scored[1] != evaluate(module.field, module.dataset)
    state = Checkpoint.read(path)
    for prefix, field in (("field", module.average), ("trained", module.field)):
        held = state.tensors(prefix)
        assert held.keys() == field.state_dict().keys()
        assert all(torch.equal(held[name], value) for name, value in field.state_dict().items())


def annealed():
    return AnnealedEncoder(PositionalEncoder(2, 4), share=1.0)


@pytest.mark.parametrize("encoder", [lambda: None, annealed])
def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, encoder):
    undisturbed, resumed = fitting(encoder=encoder()), fitting(encoder=encoder())
    trainer(tmp_path / "whole", callbacks=[Averaging(DECAY)]).fit(undisturbed)
    trainer(tmp_path, 31, [Averaging(DECAY), Checkpoints(31)]).fit(fitting(encoder=encoder()))
    trainer(tmp_path, callbacks=[Averaging(DECAY)]).fit(resumed, ckpt_path=saved(tmp_path))
    assert torch.equal(average(undisturbed), average(resumed))
    assert torch.equal(weights(undisturbed), weights(resumed))
    buffers = [dict(module.result.named_buffers()) for module in (undisturbed, resumed)]
    assert all(torch.equal(value, buffers[1][name]) for name, value in buffers[0].items())
    if encoder is annealed:
        assert buffers[0]["encoder.progress"] == 1


def test_a_resumed_run_may_end_or_begin_its_average(tmp_path):
    plain, recorder = fitting(), Recorder()
    trainer(tmp_path / "plain", callbacks=[recorder, Checkpoints(31)]).fit(plain)
    trainer(tmp_path / "averaged", 31, [Averaging(DECAY), Checkpoints(31)]).fit(fitting())
    ended = fitting()
    trainer(tmp_path, callbacks=[]).fit(ended, ckpt_path=saved(tmp_path / "averaged"))
    assert ended.result is ended.field
    assert torch.equal(weights(ended), weights(plain))
    trainer(tmp_path / "begun", 31, [Checkpoints(31)]).fit(fitting())
    begun = fitting()
    trainer(tmp_path, callbacks=[Averaging(DECAY)]).fit(begun, ckpt_path=saved(tmp_path / "begun"))
    assert torch.equal(weights(begun), weights(plain))
    assert (average(begun) - recomputed(recorder.seen[31:], 31)).abs().max() < 1e-6


@pytest.mark.parametrize("decay", [0, 1, -0.1, "much", float("nan"), True])
def test_the_decay_is_a_number_between_0_and_1(decay):
    with pytest.raises(ValueError, match="decay: expected a number in"):
        Averaging(decay)


def test_weights_in_half_precision_are_refused(tmp_path):
    with pytest.raises(ValueError, match="expected weights in float32, got bf16-true"):
        trainer(tmp_path, callbacks=[Averaging()], precision="bf16-true").fit(fitting())
