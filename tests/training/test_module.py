"""The training loop against a plain one, and its spans."""

import csv
from pathlib import Path

import pytest
import torch
from lightning.pytorch.loggers import CSVLogger

from ffnet.checkpoint import Checkpoint
from ffnet.encoders import AnnealedEncoder, PositionalEncoder
from ffnet.fitting import Engine, HalfMSELoss, Sparsity, Stepper, TotalVariation, evaluate
from ffnet.sampling import ImportanceSampler
from ffnet.training import Checkpoints, Evaluation, Fitting, KnowsSpans, NonFiniteLoss, Scalars
from ffnet.training import module as module_file
from tests.operators.blur import Blur
from tests.training.helpers import SIGNALS, STEPS, fitting, image, loss_of, saved, trainer, weights


class Steps(KnowsSpans):
    """Writes down the step at the end of every span."""

    def __init__(self, interval=None):
        self.interval = interval
        self.seen = []

    def setup(self, trainer, pl_module, stage):
        if self.interval:
            pl_module.stop_at(self.interval)

    def on_train_batch_end(self, trainer, pl_module, outputs, batch, batch_idx):
        self.seen.append(pl_module.step)


@pytest.mark.parametrize(
    ("signal", "batch_size"),
    [*[(signal, 64) for signal in SIGNALS], (image, None)],
    ids=lambda value: getattr(value, "__name__", None),
)
@pytest.mark.sampled(2)
def test_is_the_plain_loop_bit_for_bit(tmp_path, signal, batch_size):
    module = fitting(signal, batch_size=batch_size)
    if batch_size is None:  # a cache would take mirror images together, which rounds otherwise
        module.engine = Engine(feature_megabytes=0)
    trainer(tmp_path).fit(module)

    plain = fitting(signal, batch_size=batch_size)
    optimizer = torch.optim.Adam(plain.field.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    generator = torch.Generator().manual_seed(5)
    for _ in range(STEPS):
        batch = plain.dataset.sample(generator)
        optimizer.zero_grad()
        loss_of(plain.dataset)(plain.field(batch.queries), batch.targets).backward()
        optimizer.step()
        schedule.step()
    assert torch.equal(weights(module), weights(plain))


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("engine", [None, Engine(7, 0)], ids=str)
@pytest.mark.sampled(3)
def test_is_the_steppers_loop_without_lightning_bit_for_bit(tmp_path, signal, engine):
    module = fitting(signal, engine=engine)
    trainer(tmp_path).fit(module)

    plain = fitting(signal)
    generator = torch.Generator().manual_seed(5)
    stepper = Stepper(plain.field, plain.dataset, plain.objective, generator, STEPS, engine)
    optimizer = torch.optim.Adam(plain.field.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=STEPS)
    for number in range(STEPS):
        outcome = stepper.step(number, optimizer, schedule)
    assert torch.equal(weights(module), weights(plain))
    assert module.last_loss == outcome.loss.item()
    assert torch.equal(module.generator.get_state(), generator.get_state())


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("seconds", [0.0, 1e-3, 10.0])
@pytest.mark.sampled(3)
def test_spans_change_no_bit_and_end_at_every_interval(tmp_path, monkeypatch, signal, seconds):
    module = fitting(signal)
    trainer(tmp_path).fit(module)
    monkeypatch.setattr(module_file, "SPAN_SECONDS", seconds)
    other, steps = fitting(signal), Steps(interval=7)
    other.stop_at(9)
    trainer(tmp_path, callbacks=[steps]).fit(other)
    assert torch.equal(weights(module), weights(other))
    assert {*range(7, STEPS, 7), *range(9, STEPS, 9), STEPS} <= set(steps.seen)
    if seconds == 0:
        assert steps.seen == list(range(1, STEPS + 1))
    if seconds == 10:  # one step to measure, then from interval to interval
        assert steps.seen == sorted({1, *range(7, STEPS, 7), *range(9, STEPS, 9), STEPS})


def test_global_step_counts_optimizer_steps(tmp_path):
    fit = trainer(tmp_path)
    fit.fit(fitting())
    assert fit.global_step == STEPS


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("stop", [1, 25, 37, 59])
@pytest.mark.sampled(3)
def test_a_resumed_run_ends_with_the_same_bits(tmp_path, signal, stop):
    whole = fitting(signal)
    trainer(tmp_path / "whole").fit(whole)

    first = fitting(signal)  # the schedule is made for all the steps
    first.max_steps = stop
    trainer(tmp_path, stop, [Checkpoints(25)]).fit(first)
    second = fitting(signal)
    fit = trainer(tmp_path, callbacks=[Checkpoints(25)])
    fit.fit(second, ckpt_path=saved(tmp_path))
    assert torch.equal(weights(whole), weights(second))
    assert fit.global_step == STEPS
    assert second.seconds > first.seconds


# What a run may keep besides weights, moments and the generator's state.
KEPT = {
    "annealed encoder": lambda: {"encoder": AnnealedEncoder(PositionalEncoder(2, 4), 0.7)},
    "adaptive sampler": lambda: {"sampler": ImportanceSampler(64, cells=50)},
    "operator with a state and noise": lambda: {"operator": Blur()},
    "regularizers": lambda: {"regularizers": {"tv": TotalVariation(0.01, 16), "sparse": Sparsity(0.01, 16)}},
}


@pytest.mark.parametrize("kind", KEPT)
@pytest.mark.parametrize("stop", [1, *(pytest.param(stop, marks=pytest.mark.long) for stop in (25, 59)), 37])
@pytest.mark.sampled(2)
def test_whatever_a_run_keeps_it_goes_on_to_the_same_bits(tmp_path, kind, stop):
    whole = fitting(**KEPT[kind]())
    trainer(tmp_path / "whole").fit(whole)
    first = fitting(**KEPT[kind]())
    first.max_steps = STEPS  # what an encoder is annealed over
    trainer(tmp_path, stop, [Checkpoints(1)]).fit(first)
    second = fitting(**KEPT[kind]())
    trainer(tmp_path).fit(second, ckpt_path=saved(tmp_path))
    assert torch.equal(weights(whole), weights(second))
    for (name, one), other in zip(whole.state_dict().items(), second.state_dict().values(), strict=True):
        assert torch.equal(one, other), name


def test_an_operators_state_is_in_the_checkpoint_and_the_datas_is_not(tmp_path):
    module = fitting(operator=Blur())
    trainer(tmp_path, callbacks=[Checkpoints(25)]).fit(module)
    saved_state = Checkpoint.read(saved(tmp_path)).tensors("dataset")
    assert {name: value.item() for name, value in saved_state.items()} == {"operator.prepared": STEPS}


def test_a_finished_run_can_be_resumed_and_does_nothing(tmp_path):
    module = fitting()
    trainer(tmp_path, callbacks=[Checkpoints(25)]).fit(module)
    again = fitting()
    trainer(tmp_path).fit(again, ckpt_path=saved(tmp_path))
    assert torch.equal(weights(module), weights(again))


def test_more_steps_can_follow_a_finished_run(tmp_path):
    trainer(tmp_path, callbacks=[Checkpoints(25)]).fit(fitting(schedule=False))
    longer = fitting(steps=80, schedule=False)
    trainer(tmp_path, 80).fit(longer, ckpt_path=saved(tmp_path))
    whole = fitting(steps=80, schedule=False)
    trainer(tmp_path, 80).fit(whole)
    assert torch.equal(weights(longer), weights(whole))


def test_the_state_of_another_kind_of_generator_is_not_used(tmp_path):
    first = fitting()
    first.max_steps = 25
    trainer(tmp_path, 25, [Checkpoints(25)]).fit(first)
    contents = torch.load(saved(tmp_path), weights_only=True)
    contents["ffnet"]["generator"] = torch.zeros(16, dtype=torch.uint8)  # as on CUDA
    torch.save(contents, saved(tmp_path))
    module = fitting()
    trainer(tmp_path).fit(module, ckpt_path=saved(tmp_path))
    assert module.step == STEPS
    drawn = torch.Generator().manual_seed(5 + 25)  # and not the first steps' batches once more
    for _ in range(STEPS - 25):
        module.dataset.sample(drawn)
    assert torch.equal(module.generator.get_state(), drawn.get_state())


class Stop(KnowsSpans):
    """Saves what the first step of training needs, as any callback may, and stops as a kill does."""

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        trainer.save_checkpoint(Path(trainer.default_root_dir) / "first.ckpt")
        raise RuntimeError("killed")


@pytest.mark.parametrize("device", ["this", "another"])
def test_what_is_saved_before_the_first_step_of_a_resumed_run_goes_on_to_the_same_bits(tmp_path, device):
    def annealed():
        return fitting(encoder=AnnealedEncoder(PositionalEncoder(2, 4), 0.7))

    first = annealed()
    trainer(tmp_path, 25, [Checkpoints(25)]).fit(first)
    contents = torch.load(saved(tmp_path), weights_only=True)
    if device == "another":
        contents["ffnet"]["generator"] = torch.zeros(16, dtype=torch.uint8)
    contents["state_dict"]["field.encoder.progress"].zero_()  # is a function of the step
    torch.save(contents, saved(tmp_path))
    whole = annealed()
    trainer(tmp_path / "whole").fit(whole, ckpt_path=saved(tmp_path))
    kept = saved(tmp_path).read_bytes()
    with pytest.raises(RuntimeError, match="killed"):
        trainer(tmp_path, callbacks=[Checkpoints(25), Stop()]).fit(annealed(), ckpt_path=saved(tmp_path))
    assert saved(tmp_path).read_bytes() == kept  # until the run has got further
    again = torch.load(tmp_path / "first.ckpt", weights_only=True)
    assert again["global_step"] == 25
    assert again["state_dict"]["field.encoder.progress"].item() == pytest.approx(25 / 60 / 0.7)
    second = annealed()
    trainer(tmp_path).fit(second, ckpt_path=tmp_path / "first.ckpt")
    assert torch.equal(weights(whole), weights(second))
    assert torch.equal(whole.generator.get_state(), second.generator.get_state())


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_last_good_checkpoint(tmp_path):
    module = fitting()
    loss = module.objective.loss

    class Breaks(torch.nn.Module):
        def forward(self, prediction, targets):
            return loss(prediction, targets) * (float("nan") if module.step >= 40 else 1)

    module.objective.loss = Breaks()
    with pytest.raises(NonFiniteLoss, match=r"the loss is nan at step (4.|50)"):
        trainer(tmp_path, callbacks=[Checkpoints(25)]).fit(module)
    kept = torch.load(saved(tmp_path), weights_only=True)
    assert kept["global_step"] == 25
    assert all(value.isfinite().all() for value in kept["state_dict"].values())


def test_weights_that_are_not_finite_are_never_saved(tmp_path):
    module = fitting()

    class Break(KnowsSpans):
        def on_train_batch_end(self, trainer, pl_module, *_):
            if pl_module.step == 50:
                next(pl_module.field.parameters()).data[0] = float("inf")

    with pytest.raises(NonFiniteLoss, match="a weight is not finite at step 50"):
        trainer(tmp_path, callbacks=[Break(), Checkpoints(25)]).fit(module)
    assert torch.load(saved(tmp_path), weights_only=True)["global_step"] == 25
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["last.ckpt"]


def rows_of(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def test_scalars_are_logged_at_exact_steps_and_say_what_they_are(tmp_path):
    logger = CSVLogger(tmp_path, name="", version="")
    module = fitting(batch_size=None)
    trainer(tmp_path, callbacks=[Scalars(20), Evaluation(30)], logger=logger).fit(module)
    rows = rows_of(tmp_path / "metrics.csv")
    steps = {name: [int(row["step"]) for row in rows if row[name]] for name in rows[0] if name != "step"}
    assert steps["train/loss"] == steps["train/lr"] == [20, 40, 60]
    assert steps["val/psnr"] == [30, 60]
    last = {name: float(row[name]) for row in rows for name in row if row[name]}
    scores = evaluate(module.field, module.dataset)
    assert last["val/psnr"] == pytest.approx(scores["psnr"], abs=1e-4)
    assert module.scored == (STEPS, pytest.approx(scores))
    assert last["train/psnr"] == pytest.approx(scores["psnr"], abs=0.5)  # the batch is the whole image
    assert last["train/samples_per_second"] == pytest.approx(480 * last["train/steps_per_second"])


def test_mean_loss_is_the_mean_over_the_steps_since_the_last_call(tmp_path):
    losses = []
    module = fitting()
    original = module.objective.loss

    class Note(torch.nn.Module):
        def forward(self, prediction, targets):
            value = original(prediction, targets)
            losses.append(value.item())
            return value

    module.objective.loss = Note()
    logger = CSVLogger(tmp_path, name="", version="")
    trainer(tmp_path, callbacks=[Scalars(20)], logger=logger).fit(module)
    logged = [float(row["train/loss"]) for row in rows_of(tmp_path / "metrics.csv")]
    assert logged == pytest.approx([sum(losses[i : i + 20]) / 20 for i in (0, 20, 40)], rel=1e-4)


def test_half_mse_is_half_of_it():
    a, b = torch.rand(5, 3), torch.rand(5, 3)
    assert HalfMSELoss()(a, b).item() == pytest.approx(0.5 * ((a - b) ** 2).mean().item())


def loss_on(dataset, field):
    """The loss over all points that are scored."""
    batches = [e.source.batch(torch.arange(e.source.size)) for e in dataset.evaluations]
    queries, targets = (torch.cat(parts) for parts in list(zip(*batches, strict=True))[:2])
    return loss_of(dataset)(field(queries), targets).item()


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "64-true"])
def test_fits_in_every_precision(tmp_path, signal, precision):
    module = fitting(signal)
    before = loss_on(module.dataset, module.field)
    trainer(tmp_path, precision=precision).fit(module)
    after = loss_on(module.dataset, module.field.float())
    assert after < before * (0.5 if signal is image else 0.95)


def test_is_a_lightning_module():
    assert isinstance(fitting(), Fitting)
