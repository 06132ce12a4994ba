"""Hydra through its public interface: what it leaves behind, and that its overrides mean what they mean to Hydra."""

import ast
import os
import sys
from pathlib import Path

import pytest
import yaml
from hydra import compose, initialize_config_dir
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import JobRuntime
from hydra.errors import ConfigCompositionException
from hydra.version import getbase
from omegaconf import OmegaConf

import ffnet.cli.fit
from ffnet.cli.compose import RESOLVERS, compose_config
from ffnet.cli.overrides import parsed, quoted
from ffnet.cli.sweep import jobs
from tests.conftest import SMALL
from tests.harness import forked


@pytest.fixture
def own(tmp_path):
    """A folder with configs of the user's own."""
    (tmp_path / "own" / "encoder").mkdir(parents=True)
    (tmp_path / "own" / "encoder" / "iris.yaml").write_text(
        "_target_: ffnet.encoders.IdentityEncoder\nin_features: 2\n"
    )
    return tmp_path / "own"


@pytest.fixture
def tasks(monkeypatch):
    """What ``ffnet fit`` is asked to do, instead of doing it: settings, Hydra's settings, environment, arguments."""
    seen = []

    def fit(config):
        seen.append((config, HydraConfig.get(), dict(os.environ), list(sys.argv)))

    monkeypatch.setattr(ffnet.cli.fit, "fit", fit)
    return seen


def test_the_hydra_of_another_program_is_as_it_was(command, tmp_path, tasks):
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "app.yaml").write_text("answer: 42\n")
    store = ConfigStore.instance()
    with initialize_config_dir(str(tmp_path / "theirs"), "theirs", "1.2"):
        hydra = GlobalHydra.instance().hydra
        HydraConfig.instance().set_config(compose("app", return_hydra_config=True))
        config, base = HydraConfig.get(), getbase()
        assert compose_config("fit").seed == 0
        assert command("fit", "hydra.run.dir=run")[0] == 0
        assert command("fit", "--cfg", "job")[0] == 0
        assert command("fit", "encodr=3")[0] == 2
        assert tasks[0][1].job.name == "fit"
        assert GlobalHydra.instance().hydra is hydra
        assert HydraConfig.get() is config
        assert ConfigStore.instance() is store
        assert getbase() == base
        assert JobRuntime.instance().get("name") == "theirs"
        assert compose("app").answer == 42
    HydraConfig.instance().cfg = None


def test_where_there_was_no_hydra_there_is_none_afterwards(command, tasks):
    for name in RESOLVERS:
        OmegaConf.clear_resolver(name)
    assert command("fit", "hydra.run.dir=run")[0] == 0
    assert not GlobalHydra.instance().is_initialized()
    assert not HydraConfig.initialized()
    assert not any(OmegaConf.has_resolver(name) for name in RESOLVERS)


@pytest.mark.parametrize("flags", [[], ["-m"], ["--help"]])
def test_environment_and_arguments_of_the_process_stay_what_they_are(command, tasks, flags):
    before = dict(os.environ), list(sys.argv)
    assert command("fit", *flags, "hydra.run.dir=run", "hydra.sweep.dir=sweep")[0] in (0, 1)  # a sweep without scores
    assert (dict(os.environ), list(sys.argv)) == before
    assert all((environment, argv) == before for _, _, environment, argv in tasks)


def test_the_settings_of_python_are_those_of_the_command_line(command, own):
    overrides = ["encoder=iris", "trainer.max_steps=7", "+callbacks.evaluation.points=100"]
    _, out, _ = command("fit", "--cfg", "job", "--config-dir", str(own), *overrides)
    config = compose_config("fit", overrides, [own])
    assert OmegaConf.to_container(config) == yaml.safe_load(out)
    config = compose_config("fit", [f"run_dir={quoted('my runs/1')}"])
    assert config.logger.tensorboard.save_dir == "my runs/1"
    assert "${hydra:" not in str(OmegaConf.to_container(config))


def test_settings_that_do_not_fit_are_refused_in_python_too(tmp_path):
    with pytest.raises(ConfigCompositionException):
        compose_config("fit", ["encodr=gaussian"])
    with pytest.raises(ValueError, match=r"expected a directory, got .*nowhere"):
        compose_config("fit", config_dirs=[tmp_path / "nowhere"])


@pytest.mark.untraced
def test_help_lists_configs_of_ones_own(command, own):
    _, out, _ = command("fit", "--config-dir", str(own), "--help")
    part = out[out.index("encoder=auto") : out.index("encoder.levels")]
    assert {"iris", "positional"} <= set(part.replace(",", "").split())
    assert "iris" not in command("fit", "--help")[1]


SWEEPS = {
    "lists and ranges": ["dataset.crop=[3,4],[5,6]", "model.hidden_layers=range(1,3)", "encoder.levels=choice(1,2)"],
    "words in quotes": ["dataset.path='a b.png','it\\'s.png',\"c,d=e.png\""],
    "given twice": ["seed=0,1", "trainer.max_steps=3", "seed=2,3", "trainer.max_steps=4"],
    "added and deleted": ["+callbacks.evaluation.points=1,2", "~callbacks.progress", "++seed=4"],
    "an experiment that sweeps": ["experiment=tancik2020/natural_sweep", "seed=0,1"],
    "options by their names": ["encoder=glob(i*)"],
}


@pytest.mark.untraced
@pytest.mark.few("lists and ranges", "options by their names")
@pytest.mark.parametrize("case", SWEEPS)
def test_the_jobs_of_a_sweep_are_those_that_hydra_launched(command, tmp_path, tasks, own, case):
    line = ["-m", "--config-dir", str(own), *SWEEPS[case], "hydra.sweep.dir=sweep"]
    out = command("fit", *line)
    found = jobs(tmp_path / "sweep", [str(own)])
    assert len(found) == len(tasks) > 1, out
    for number, job in enumerate(found):
        record = tmp_path / "sweep" / str(number) / ".hydra" / "overrides.yaml"
        assert yaml.safe_load(record.read_text()) == job
    if "glob" in str(line):
        assert {job[0] for job in found} >= {"encoder=iris", "encoder=identity"}


@pytest.mark.parametrize("text", ["a", "a b", "it's", 'say "a"', "a\\", 'a\\"b', "[a],{b}=c:d", "null", "3", ""])
def test_quoted_text_comes_back(text):
    (override,) = parsed([f"key={quoted(text)}"])
    assert override.value() == text


@pytest.mark.long
def test_configs_of_ones_own_reach_processes_and_a_resumed_sweep(command, tmp_path, own):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    small = [override for override in SMALL if not override.startswith("encoder")]
    line = ["--config-dir", "own", *small, "encoder=iris,identity", "logger=none", "hydra.sweep.dir=sweep"]
    # In a process of its own: joblib's threads, once started, do not survive the forks of later tests.
    done = forked.run(["fit", "-m", *line, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], tmp_path)
    assert (done.code, done.err) == (0, ""), done
    assert "2 runs: 2 complete" in done.out
    (tmp_path / "sweep" / "0" / "metrics.json").unlink()
    code, _, err = command("fit", "resume=sweep")
    assert (code, "was started with --config-dir" in err) == (2, True)  # which no record decides
    code, out, err = command("fit", "resume=sweep", "--config-dir", "own")
    assert (code, err) == (0, ""), (out, err)
    assert (tmp_path / "sweep" / "0" / "metrics.json").exists()


def imported(source: str) -> set[str]:
    nodes = list(ast.walk(ast.parse(source)))
    names = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return names | {
        f"{node.module}.{alias.name}" for node in nodes if isinstance(node, ast.ImportFrom) for alias in node.names
    }


def private(source: str) -> set[str]:
    """What ``source`` imports of unittest and of Hydra's inside."""
    return {name for name in imported(source) if name.startswith(("unittest", "hydra._internal"))}


def test_nothing_of_hydras_inside_is_imported_and_nothing_is_mocked():
    root = Path(ffnet.__file__).parents[1]
    for path in [*(root / "ffnet").rglob("*.py"), *(root / "hydra_plugins").rglob("*.py")]:
        assert not private(path.read_text()), path


def test_an_import_of_hydras_inside_would_be_seen():
    assert private("def f():\n    from hydra._internal import utils") == {"hydra._internal.utils"}
    assert private("from unittest import mock\nimport os") == {"unittest.mock"}
