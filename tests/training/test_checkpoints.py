"""When a run is saved, and what a checkpoint file survives."""

import os
import signal
import subprocess
import sys

import pytest
import torch
from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

import ffnet
from ffnet.operators import PointEvaluation
from ffnet.training import Checkpoints, Evaluation, History, Interrupted, KnowsSpans
from tests.conftest import SMALL
from tests.training.helpers import fitting, saved, trainer, weights


class Signal(KnowsSpans):
    """Sends this process a signal at a step."""

    def __init__(self, number, step):
        self.number, self.step = number, step

    def setup(self, trainer, pl_module, stage):
        pl_module.stop_at(self.step)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.step == self.step:
            os.kill(os.getpid(), self.number)


SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_saves_between_steps_and_the_resumed_run_ends_with_the_same_bits(tmp_path, number):
    handlers = [signal.getsignal(s) for s in SIGNALS]
    whole = fitting()
    trainer(tmp_path / "whole").fit(whole)
    with pytest.raises(Interrupted) as stop:
        trainer(tmp_path, callbacks=[Signal(number, 31), Checkpoints(25)]).fit(fitting())
    assert stop.value.signal == number
    assert 31 < stop.value.step < 60
    path = saved(tmp_path)
    assert torch.load(path, weights_only=True)["global_step"] == stop.value.step
    module = fitting()
    trainer(tmp_path).fit(module, ckpt_path=path)
    assert torch.equal(weights(whole), weights(module))
    assert [signal.getsignal(s) for s in SIGNALS] == handlers


class SignalInChunk(PointEvaluation):
    """Counts the chunks of an evaluation and sends SIGTERM in one of them."""

    def __init__(self, last):
        super().__init__()
        self.last, self.chunks = last, 0

    def forward(self, field, queries, generator=None):
        self.chunks += 1
        if self.chunks == self.last:
            os.kill(os.getpid(), signal.SIGTERM)
        return super().forward(field, queries)


def scored(folder, checkpoint=None, chunk=None):
    """(module, log, operator, early stopping) of a fit that is scored at steps 30 and 60, in five chunks each."""
    module, history = fitting(), History()
    evaluation = module.dataset.evaluations[0]
    operator = evaluation.operator = SignalInChunk(chunk)
    early = EarlyStopping("val/psnr", mode="max", patience=10, min_delta=100)
    best = ModelCheckpoint(folder / "best", monitor="val/psnr", mode="max")
    callbacks = [Evaluation(30, points=100), early, best, Checkpoints(25)]
    fit = trainer(folder, callbacks=callbacks, logger=history, enable_checkpointing=True)
    stop = None
    try:
        fit.fit(module, ckpt_path=checkpoint)
    except Interrupted as interrupted:
        stop = interrupted
    return stop, module, [row for row in history.rows if "val/psnr" in row], operator, early, best


@pytest.mark.filterwarnings("ignore:Checkpoint directory .* exists and is not empty:UserWarning")  # Lightning's
@pytest.mark.parametrize(("chunk", "step"), [(2, 30), (5, 30), (7, 60)])
def test_a_signal_ends_an_evaluation_which_the_resumed_run_repeats(tmp_path, chunk, step):
    _, whole, rows, _, patient, best = scored(tmp_path / "whole")
    stop, _, before, operator, *_ = scored(tmp_path, chunk=chunk)
    assert (stop.signal, stop.step, operator.chunks) == (signal.SIGTERM, step, chunk)
    stop, module, after, operator, early, top = scored(tmp_path, saved(tmp_path))
    assert stop is None
    assert torch.equal(weights(whole), weights(module))
    assert module.scored == whole.scored
    assert before + after == rows
    assert [row["step"] for row in rows] == [30, 60]
    assert (early.wait_count, early.best_score) == (patient.wait_count, patient.best_score)
    assert (top.best_model_score, top.best_model_path.split("/")[-1]) == (
        best.best_model_score,
        best.best_model_path.split("/")[-1],
    )
    state = [torch.load(run.best_model_path, weights_only=True)["state_dict"] for run in (best, top)]
    assert all(torch.equal(value, state[1][name]) for name, value in state[0].items())


class Twice(Signal):
    """Sends this process a signal in two steps of a span, without an end of a span in between."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.step == self.step:
            os.kill(os.getpid(), self.number)
            os.kill(os.getpid(), self.number)


def test_a_second_signal_goes_to_the_handler_that_was_there_before(tmp_path):
    received = []

    class Ended(BaseException):
        pass

    def end(number, _):
        received.append(number)
        raise Ended

    before = signal.signal(signal.SIGTERM, end)
    try:
        with pytest.raises(Ended):
            trainer(tmp_path, callbacks=[Twice(signal.SIGTERM, 31), Checkpoints(25)]).fit(fitting())
    finally:
        signal.signal(signal.SIGTERM, before)
    assert received == [signal.SIGTERM]
    assert torch.load(saved(tmp_path), weights_only=True)["global_step"] == 25


def test_a_signal_in_the_last_step_is_not_lost(tmp_path):
    class AtTheEnd(KnowsSpans):
        def on_train_end(self, trainer, pl_module):
            os.kill(os.getpid(), signal.SIGHUP)

    with pytest.raises(Interrupted) as stop:
        trainer(tmp_path, callbacks=[AtTheEnd(), Checkpoints(25)]).fit(fitting())
    assert (stop.value.signal, stop.value.step) == (signal.SIGHUP, 60)


def test_a_hangup_that_is_ignored_stays_ignored(tmp_path):
    """As under nohup."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        module = fitting()
        trainer(tmp_path, callbacks=[Signal(signal.SIGHUP, 31), Checkpoints(25)]).fit(module)
    finally:
        signal.signal(signal.SIGHUP, before)
    assert torch.load(saved(tmp_path), weights_only=True)["global_step"] == 60


@pytest.mark.long
def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path):
    """A limit on the size of files stands for a full disk: the checkpoint grows once the optimizer has a state."""
    script = (
        "import resource, sys\n"
        "from ffnet.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [o for o in SMALL if "hidden_features" not in o] + ["model.hidden_features=100", "logger=none"]
    command = [sys.executable, "-c", script, "fit", *arguments, "model.hidden_layers=2", "hydra.run.dir=run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "File too large; the last checkpoint that was written is whole" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]
    assert ffnet.load(tmp_path / "run")(torch.rand(1, 2)).isfinite().all()
