"""Lightning's own callbacks and loggers, and who is called when."""

import csv
import logging

import pytest
import torch
from lightning.pytorch import Callback
from lightning.pytorch.callbacks import EarlyStopping, LearningRateMonitor, ModelCheckpoint, Timer, TQDMProgressBar
from lightning.pytorch.loggers import CSVLogger

import ffnet
from ffnet.fitting import evaluate
from ffnet.training import Checkpoints, Evaluation, History, KnowsSpans, Progress, Scalars
from ffnet.training import module as module_file
from tests.training.helpers import STEPS, fitting, saved, trainer, weights

EVERY = list(range(1, STEPS + 1))


class Ends(Callback):
    """Listens to batches as any callback of Lightning's, and notes the steps."""

    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        assert trainer.global_step == batch_idx + 1
        self.seen.append(trainer.global_step)


class Starts(Callback):
    def __init__(self):
        self.seen = []

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        self.seen.append(trainer.global_step + 1)


class Epochs(Callback):
    """Listens to something else."""

    def on_train_epoch_end(self, trainer, pl_module):
        pass


class Spans(KnowsSpans):
    def __init__(self):
        self.seen = []

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(trainer.global_step)


@pytest.mark.parametrize("make", [Ends, Starts])
def test_a_callback_that_listens_to_batches_is_called_at_every_step_and_the_log_says_so(
    tmp_path, monkeypatch, caplog, make
):
    monkeypatch.setattr(module_file, "SPAN_SECONDS", 100)
    plain, module, spans, listener = fitting(), fitting(), Spans(), make()
    with caplog.at_level(logging.INFO):
        trainer(tmp_path, callbacks=[spans, Evaluation(20)]).fit(plain)
        assert "listens to batches" not in caplog.text
        assert spans.seen == [1, 20, 40, 60]
        trainer(tmp_path, callbacks=[spans, Epochs(), listener]).fit(module)
    assert f"steps   one per call of the training loop, since {make.__name__} listens to batches" in caplog.text
    assert listener.seen == EVERY
    assert torch.equal(weights(plain), weights(module))


def test_ffnets_own_callbacks_leave_spans_as_they_are(tmp_path, monkeypatch):
    monkeypatch.setattr(module_file, "SPAN_SECONDS", 100)
    spans = Spans()
    own = [Evaluation(30), Scalars(30), Checkpoints(30), Progress(), Epochs(), EarlyStopping("val/psnr", mode="max")]
    trainer(tmp_path, callbacks=[spans, *own], enable_progress_bar=True).fit(fitting())
    assert spans.seen == [1, 30, 60]


def scores_of(path):
    """``val/psnr`` by step."""
    with path.open() as file:
        return {int(row["step"]): float(row["val/psnr"]) for row in csv.DictReader(file) if row["val/psnr"]}


def test_early_stopping_the_best_checkpoint_and_csv_work_with_scores(tmp_path):
    # Wild steps: the score goes up and down.
    module, best = fitting(lr=0.5, schedule=False), ModelCheckpoint(tmp_path / "best", monitor="val/psnr", mode="max")
    logger = CSVLogger(tmp_path, name="", version="")
    patient = EarlyStopping("val/psnr", mode="max", patience=1000)
    callbacks = [Evaluation(4), patient, best, Checkpoints(25)]
    trainer(tmp_path, callbacks=callbacks, logger=logger, enable_checkpointing=True).fit(module)
    scores = scores_of(tmp_path / "metrics.csv")
    assert list(scores) == list(range(4, STEPS + 1, 4))
    top = max(scores, key=scores.get)
    assert best.best_model_score.item() == pytest.approx(scores[top], abs=1e-4)
    assert torch.load(best.best_model_path, weights_only=True)["global_step"] == top
    field = ffnet_field(best.best_model_path)
    assert evaluate(field, module.dataset)["psnr"] == pytest.approx(scores[top], abs=1e-4)
    assert patient.best_score.item() == pytest.approx(scores[top], abs=1e-4)


def ffnet_field(path):
    """The field of a checkpoint of ``fitting``, which has no description of it."""
    field = fitting().field
    state = ffnet.checkpoint.Checkpoint.read(path).tensors("field")
    field.load_state_dict(state)
    return field


@pytest.mark.parametrize("listening", [False, True])
def test_a_run_that_stops_early_is_saved_and_scored_at_its_last_step(tmp_path, monkeypatch, listening):
    monkeypatch.setattr(module_file, "SPAN_SECONDS", 100)
    module, history = fitting(), History()
    # No score is better by so much than the one before: the second one stops the run.
    early = EarlyStopping("val/psnr", mode="max", min_delta=1000, patience=1)
    callbacks = [Evaluation(7), early, Checkpoints(25), Scalars(50), *([Ends()] if listening else [])]
    fit = trainer(tmp_path, callbacks=callbacks, logger=history)
    fit.fit(module)
    assert (fit.global_step, module.step, early.wait_count) == (14, 14, 1)
    assert torch.load(saved(tmp_path), weights_only=True)["global_step"] == 14
    assert [row["step"] for row in history.rows if "val/psnr" in row] == [7, 14]
    assert [row["step"] for row in history.rows if "train/loss" in row] == [14]
    assert module.scored == (14, pytest.approx(evaluate(module.field, module.dataset)))


class StopAt(KnowsSpans):
    """Asks the trainer to stop, as a timer would, between two evaluations."""

    def setup(self, trainer, pl_module, stage):
        pl_module.stop_at(10)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        trainer.should_stop = trainer.global_step == 10


def test_whoever_stops_a_run_it_is_saved_and_scored_at_its_last_step(tmp_path):
    module, history = fitting(), History()
    trainer(tmp_path, callbacks=[Evaluation(7), Checkpoints(25), StopAt()], logger=history).fit(module)
    assert torch.load(saved(tmp_path), weights_only=True)["global_step"] == 10
    assert [row["step"] for row in history.rows if "val/psnr" in row] == [7, 10]


def test_a_resumed_run_remembers_how_long_a_score_has_not_improved(tmp_path):
    def callbacks():
        early = EarlyStopping("val/psnr", mode="max", min_delta=1000, patience=3)
        return early, [Evaluation(10), early, Checkpoints(10)]

    first, wanted = callbacks()
    trainer(tmp_path, 20, wanted).fit(fitting())
    assert first.wait_count == 1
    second, wanted = callbacks()
    module = fitting()
    trainer(tmp_path, callbacks=wanted).fit(module, ckpt_path=saved(tmp_path))
    assert (module.step, second.wait_count) == (40, 3)


@pytest.mark.parametrize("every", [None, 10])
def test_the_score_that_is_waited_for_must_be_one(tmp_path, every):
    with pytest.raises(RuntimeError, match="`val/ssim` which is not available"):
        trainer(tmp_path, callbacks=[Evaluation(every), EarlyStopping("val/ssim")]).fit(fitting())


@pytest.mark.filterwarnings("ignore:You're trying to log with no logger:UserWarning")
def test_other_callbacks_of_lightnings_work(tmp_path, capsys):
    logger = CSVLogger(tmp_path, name="", version="")
    others = [LearningRateMonitor("step"), Timer(), TQDMProgressBar(), Ends()]
    fit = trainer(tmp_path, callbacks=[Evaluation(20), *others], logger=logger, enable_progress_bar=True)
    fit.fit(fitting())
    assert others[-1].seen == EVERY


def test_history_has_a_row_for_each_step_at_which_something_was_logged(tmp_path):
    module, history = fitting(), History()
    trainer(tmp_path, callbacks=[Scalars(20), Evaluation(30)], logger=history).fit(module)
    assert [row["step"] for row in history.rows] == [20, 30, 40, 60]
    assert {"val/psnr", "train/loss", "train/psnr", "train/lr"} <= set(history.rows[-1])
    assert "train/loss" not in history.rows[1]
    assert history.rows[-1]["val/psnr"] == module.scored[1]["psnr"]
