"""The launchers and the sweeper of the extra, for real."""

import json
import math
import re

import pytest

from ffnet.runs import find_runs
from tests.conftest import SMALL

pytestmark = pytest.mark.untraced


@pytest.mark.long
@pytest.mark.parametrize(
    ("plugin", "launcher", "setting"),
    [
        ("hydra_submitit_launcher", "submitit_local", "hydra.launcher.timeout_min=5"),
        ("hydra_ray_launcher", "ray", "+hydra.launcher.ray.init.num_cpus=1"),
    ],
)
def test_on_this_machine(command, tmp_path, plugin, launcher, setting):
    pytest.importorskip(f"hydra_plugins.{plugin}")
    line = [*SMALL, "seed=3", "logger=none", "hydra.sweep.dir=sweep"]
    code, out, _ = command("fit", "-m", *line, f"hydra/launcher={launcher}", setting)
    assert code == 0, out
    assert [run.state for run in find_runs(tmp_path / "sweep")] == ["complete"]


@pytest.mark.long
def test_optuna_finds_the_best_of_a_known_score(command, tmp_path, monkeypatch):
    pytest.importorskip("optuna")
    from hydra.core.hydra_config import HydraConfig

    from ffnet.cli import fit

    def score(config):
        """A parabola over log(sigma), highest at 12; sigmas below 2 fail."""
        if config.encoder.sigma < 2:
            raise ValueError("too smooth")
        folder = HydraConfig.get().runtime.output_dir
        value = 30 - 10 * math.log(config.encoder.sigma / 12) ** 2
        with open(f"{folder}/metrics.json", "w") as file:
            json.dump({"psnr": value, "steps": 1}, file)

    monkeypatch.setattr(fit, "fit", score)
    line = ["hydra/sweeper=optuna", "hydra.sweeper.trials=10", "hydra.sweeper.at_once=2", "hydra.sweep.dir=sweep"]
    search = "encoder.sigma=tag(log,interval(1,100))"
    code, out, err = command("fit", "-m", *line, search, "optimizer=adam,muon", "trainer.max_steps=1")
    assert err.strip().splitlines() == ["ffnet fit: the run failed: ValueError: too smooth"] * err.count("\n")
    runs = find_runs(tmp_path / "sweep")
    assert len(runs) == 10
    assert {run.overrides["optimizer"] for run in runs} == {"adam", "muon"}
    best = max(runs, key=lambda run: run.metrics.get("psnr", -1))
    assert best.metrics["psnr"] > 29
    assert f"best    run {best.folder.name}, psnr {best.metrics['psnr']:.4g}: " in out
    assert code in (0, 1)
    before = [run.overrides for run in runs]
    command("fit", "-m", *line, search, "optimizer=adam,muon", "trainer.max_steps=1")
    assert [run.overrides for run in find_runs(tmp_path / "sweep")] == before  # the same seed, the same trials


def search(command, monkeypatch, metrics, *settings):
    """Six trials of an optuna sweep over ``encoder.sigma``; the metrics of a trial are ``metrics(sigma)``."""
    pytest.importorskip("optuna")
    from hydra.core.hydra_config import HydraConfig

    from ffnet.cli import fit

    def write(config):
        with open(f"{HydraConfig.get().runtime.output_dir}/metrics.json", "w") as file:
            json.dump(metrics(config.encoder.sigma), file)

    monkeypatch.setattr(fit, "fit", write)
    line = [
        "encoder=gaussian",
        "hydra/sweeper=optuna",
        "hydra.sweeper.trials=6",
        "hydra.sweep.dir=sweep",
        "trainer.max_steps=1",
    ]
    return command("fit", "-m", *line, "encoder.sigma=1,2,3,4", *settings)


@pytest.mark.parametrize(("settings", "best"), [([], min), (["hydra.sweeper.metric=psnr"], max)])
@pytest.mark.sampled(2)
def test_optuna_follows_the_direction_of_the_score(command, tmp_path, monkeypatch, settings, best):
    def metrics(sigma):
        return {"psnr": sigma, "lpips": sigma, "higher_is_better": {"lpips": False, "psnr": True}}

    code, out, _ = search(command, monkeypatch, metrics, *settings)
    assert code == 0
    sigmas = [int(run.overrides["encoder.sigma"]) for run in find_runs(tmp_path / "sweep")]
    assert len(set(sigmas)) > 1
    assert re.search(r"best    run \d+, \w+ (\d+): ", out)[1] == str(best(sigmas))
    kept = json.loads((tmp_path / "sweep" / "best.json").read_text())
    assert list(kept["score"].values()) == [best(sigmas)]
    assert sigmas[kept["run"]] == int(kept["settings"]["encoder.sigma"]) == best(sigmas)


def test_optuna_reads_the_study_of_a_sweep_and_of_one_that_goes_on(command, tmp_path, monkeypatch):
    def metrics(sigma):
        return {"psnr": 10 * sigma, "steps": 1, "higher_is_better": {"psnr": True}}

    for line in ([], ["resume=true"]):
        assert search(command, monkeypatch, metrics, *line)[0] == 0
        from optuna import load_study
        from optuna.storages import JournalStorage
        from optuna.storages.journal import JournalFileBackend

        storage = JournalStorage(JournalFileBackend(str(tmp_path / "sweep" / "optuna.journal")))
        trials = load_study(study_name="ffnet", storage=storage).trials
        runs = find_runs(tmp_path / "sweep")
        assert [trial.params["encoder.sigma"] for trial in trials] == [run.overrides["encoder.sigma"] for run in runs]
        assert [-trial.value for trial in trials] == [run.metrics["psnr"] for run in runs]


@pytest.mark.long
def test_optuna_takes_perfect_scores_and_skips_undefined_ones(command, monkeypatch):
    scores = {1: math.nan, 2: None, 3: 30.0, 4: "inf"}
    code, out, _ = search(
        command, monkeypatch, lambda sigma: {"psnr": scores[sigma], "higher_is_better": {"psnr": True}}
    )
    assert code == 0
    assert "best    run" in out
    assert ", psnr inf: encoder.sigma=4" in out


@pytest.mark.parametrize(
    ("metrics", "settings", "message"),
    [
        (
            {"psnr": 1, "steps": 5, "higher_is_better": {"psnr": True}},
            ["hydra.sweeper.metric=steps"],
            "hydra.sweeper.metric: expected one of the scores psnr, got steps",
        ),
        ({"steps": 5, "higher_is_better": {}}, [], "hydra.sweeper.metric: expected one of the scores (none), got None"),
    ],
)
def test_optuna_needs_a_score(command, monkeypatch, metrics, settings, message):
    code, _, err = search(command, monkeypatch, lambda sigma: metrics, *settings)
    assert code == 2
    assert message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["seed=0"], "optuna: expected something to search"),
        (["seed=0,1", "hydra.sweeper.trials=0"], "hydra.sweeper.trials: expected at least 1, got 0"),
    ],
)
def test_optuna_says_what_it_needs(command, arguments, message):
    pytest.importorskip("optuna")
    code, _, err = command("fit", "-m", "hydra/sweeper=optuna", *arguments)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_a_launcher_that_is_not_installed_is_named(command):
    code, _, err = command("fit", "-m", "hydra/launcher=rocket", "seed=0,1")
    assert code == 2
    assert "there is no hydra/launcher 'rocket'" in err
    assert "pip install 'ffnet[sweep]'" in err
