"""Every argument of Lightning's trainer is followed or refused, as docs/lightning.md says."""

import inspect
import json
import math
import re
from pathlib import Path

import pytest
import torch
from lightning.pytorch import Trainer
from omegaconf import OmegaConf

import ffnet
from ffnet.cli.trainer import ADDED, CALLBACKS, INSTEAD, check_settings
from ffnet.resources import resource
from ffnet.training import Fitting
from tests.conftest import SMALL

pytestmark = pytest.mark.untraced
PAGE = (Path(__file__).parents[2] / "docs" / "lightning.md").read_text()
LIGHTNINGS = "lightning.pytorch.callbacks"
EVERY_5 = "callbacks.evaluation.every_n_steps=5"


def rows(heading):
    """The settings in the first column of the table below ``heading``."""
    table = PAGE.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    first = "".join(line.split(" | ")[0] for line in table.splitlines() if line.startswith("|"))
    return re.findall(r"(\+?)trainer\.(\w+)", first)


FOLLOWED, REFUSED = rows("Settings that are followed"), [name for _, name in rows("Settings that are refused")]


def test_the_page_has_every_argument_of_the_trainer_once():
    named = [name for _, name in FOLLOWED] + REFUSED
    assert sorted(named) == sorted(inspect.signature(Trainer).parameters)


def test_settings_without_a_plus_have_a_value_and_those_with_one_have_none():
    held = OmegaConf.load(resource("conf") / "trainer/default.yaml")
    for plus, name in FOLLOWED:
        assert (name in held) == (not plus), name
    assert {name for plus, name in FOLLOWED if plus} >= set(ADDED)


def test_what_the_page_refuses_is_refused_and_nothing_else():
    known = inspect.signature(Trainer).parameters
    assert set(INSTEAD) - {"resume_from_checkpoint", "log_every_n_steps"} == set(REFUSED)
    for name in REFUSED:
        with pytest.raises(ValueError, match=f"trainer.{name}: is not for ffnet: "):
            check_settings({"max_steps": 1, name: 2}, known)
    usual = OmegaConf.to_container(OmegaConf.load(resource("conf") / "trainer/default.yaml"), resolve=False)
    check_settings(usual | {"log_every_n_steps": 5, "strategy": "ddp"}, known)


@pytest.mark.parametrize(
    ("overrides", "answer"),
    [
        ("trainer.limit_train_batches=3", "say trainer.max_steps="),
        ("+trainer.limit_train_batches=3", "say trainer.max_steps="),
        ("trainer.val_check_interval=0.5", "say callbacks.evaluation.every_n_steps="),
        ("trainer.log_every_n_steps=1", "say callbacks.scalars.every_n_steps="),
        ("+trainer.log_every_n_steps=1", "say callbacks.scalars.every_n_steps="),
        ("trainer.min_steps=21", "trainer.min_steps: expected an integer of at most trainer.max_steps, 20, got 21"),
        *((f"+callbacks.x._target_={LIGHTNINGS}.{name}", CALLBACKS[name]) for name in ("WeightAveraging",)),
        (f"+callbacks.x._target_={LIGHTNINGS}.BatchSizeFinder", CALLBACKS["BatchSizeFinder"]),
        (f"+callbacks.x._target_={LIGHTNINGS}.ModelSummary", "trainer.enable_model_summary=true"),
    ],
)
def test_they_are_refused_in_one_line_before_anything_is_written(command, tmp_path, overrides, answer):
    code, out, err = command("fit", *SMALL, *overrides.split(" "))
    assert (code, out, len(err.splitlines())) == (2, "", 1), err
    assert answer in err
    assert not list(tmp_path.iterdir())


def test_followed_settings_do_what_the_page_says(command, tmp_path):
    followed = ("trainer.profiler=simple", "trainer.detect_anomaly=true", "trainer.enable_model_summary=true")
    monitor = (f"+callbacks.x._target_={LIGHTNINGS}.LearningRateMonitor", "+trainer.log_every_n_steps=4", "logger=csv")
    code, out, err = command("fit", *SMALL, "hydra.run.dir=run", *followed, *monitor)
    assert (code, err) == (0, "")
    assert re.search(r"\| field +\| CoordinateMLP", out)
    assert "training_step" in (tmp_path / "run" / "fit-profile.txt").read_text()
    (file,) = (tmp_path / "run").rglob("metrics.csv")
    header, *lines = (line.split(",") for line in file.read_text().splitlines())
    rates = {int(row[header.index("step")]): row[header.index("lr-Adam")] for row in lines}
    rates = {step: float(rate) for step, rate in rates.items() if rate}
    assert list(rates) == [3, 7, 11, 15, 19]  # Lightning counts from 0
    assert list(rates.values()) == pytest.approx([0.002 * (1 + math.cos(math.pi * step / 20)) for step in rates])


def test_in_python_nothing_of_them_is_left_and_a_profile_needs_a_directory(monkeypatch):
    seen, step = [], Fitting.training_step

    def training_step(module, batch):
        seen.append((torch.are_deterministic_algorithms_enabled(), torch.is_anomaly_enabled()))
        return step(module, batch)

    monkeypatch.setattr(Fitting, "training_step", training_step)
    trainer = {"deterministic": True, "detect_anomaly": True, "benchmark": True}
    ffnet.fit(overrides=SMALL, trainer=trainer, progress=False)
    assert set(seen) == {(True, True)}
    assert not torch.are_deterministic_algorithms_enabled()
    assert not torch.backends.cudnn.benchmark
    with pytest.raises(ValueError, match=r"trainer.profiler: writes to the run directory; give one, directory="):
        ffnet.fit(overrides=SMALL, trainer={"profiler": "simple"}, progress=False)


def test_a_run_of_limited_time_is_scored_saved_and_goes_on(command, tmp_path):
    steps = "trainer.max_steps=1000000"
    code, out, err = command("fit", *SMALL, steps, "trainer.max_time=00:00:00:01", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert f"stopped at step {found['steps']} of 1000000: its time of 1 s is up" in out
    state = torch.load(tmp_path / "run" / "checkpoints" / "last.ckpt", weights_only=True)
    assert state["global_step"] == found["steps"]
    more = found["steps"] + 5
    assert command("fit", "resume=run", f"trainer.max_steps={more}")[0] == 0
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["steps"] == more


STOPPER = (
    f"+callbacks.x._target_={LIGHTNINGS}.EarlyStopping",
    "+callbacks.x.monitor=val/psnr",
    "+callbacks.x.mode=max",
)


@pytest.mark.parametrize(
    ("overrides", "why"),
    [
        (("callbacks=target", "callbacks.target.score=12"), "12 was to be reached"),
        ((*STOPPER, "+callbacks.x.stopping_threshold=12"), "Stopping threshold reached"),
        ((*STOPPER, "+callbacks.x.patience=1", "+callbacks.x.min_delta=100"), "did not improve in the last 1"),
    ],
)
def test_the_log_says_why_a_run_stopped_and_at_which_score(command, tmp_path, overrides, why):
    small = [override for override in SMALL if "max_steps" not in override]
    least = () if "min_delta" in overrides[-1] else ("trainer.min_steps=10",)
    code, out, err = command("fit", *small, *overrides, *least, EVERY_5, "hydra.run.dir=run")
    assert (code, err) == (0, "")
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["steps"] == 10  # the first score reaches it, and the run goes on to the least number of steps
    (line,) = (line for line in out.splitlines() if line.startswith("stopped"))
    assert line.startswith("stopped at step 10 of 1000: ")
    assert why in line
    if "reach" in why:
        assert float(re.search(r"val/psnr (?:is|=) ([\d.]+)", line)[1]) == pytest.approx(found["psnr"], abs=0.01)


@pytest.mark.parametrize("name", ["x", "target"])
def test_what_is_watched_is_checked_when_a_run_goes_on(command, fitted, name):
    added = (
        STOPPER if name == "x" else ("+callbacks.target._target_=ffnet.training.Target", "+callbacks.target.score=9")
    )
    code, _, err = command("fit", "resume=run", "trainer.max_steps=30", *added, f"++callbacks.{name}.monitor=val/ssim")
    assert (code, len(err.splitlines())) == (2, 1)
    assert "expected monitor to be one of val/psnr, got 'val/ssim'" in err


def test_an_averaged_run_is_the_same_on_disk_and_in_python(command, tmp_path):
    code, out, err = command("fit", *SMALL, "callbacks=ema", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    assert "average of the weights with a decay of 0.99" in out
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    scored = json.loads(command("evaluate", "checkpoint=run")[1])
    assert scored["psnr"] == pytest.approx(metrics["psnr"], abs=1e-6)
    run = ffnet.fit(overrides=SMALL, callbacks="ema", progress=False)
    x = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(ffnet.load("run")(x), run.field(x))
    assert torch.equal(ffnet.load(run.save(tmp_path / "a.ckpt"))(x), run.field(x))
    assert not torch.equal(ffnet.fit(overrides=SMALL, progress=False).field(x), run.field(x))


def test_the_log_says_whether_the_recipe_or_the_experiment_wins(command):
    both = ("recipe=fast", "experiment=tancik2020/natural", "trainer.max_steps=1", "dataset.size=8", "logger=none")
    code, out, _ = command("fit", *both, "trainer.accelerator=cpu", "hydra.run.dir=run")
    assert code == 0
    assert "experiment=tancik2020/natural wins over recipe=fast for the settings that both set" in out
    code, out, _ = command("fit", *both, "--cfg", "job")
    shown = OmegaConf.create(out)
    alone = OmegaConf.load(resource("conf") / "experiment" / "tancik2020" / "natural.yaml")
    assert shown.model.hidden_features == alone.model.hidden_features == 256  # and not 64, as the recipe says
