"""Sweeps: over files, with failures, resumed, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from PIL import Image

from ffnet.runs import find_runs
from tests.conftest import SMALL

pytestmark = pytest.mark.untraced


@pytest.fixture
def pictures(tmp_path):
    """Two pictures in a folder with a space in its name."""
    folder = tmp_path / "my pictures"
    folder.mkdir()
    for name in "ba":
        noise = np.random.default_rng(ord(name)).integers(0, 255, (24, 20, 3), dtype=np.uint8)
        Image.fromarray(noise).save(folder / f"{name}.png")
    return folder


def states(folder):
    return {run.folder.name: run.state for run in find_runs(folder)}


def stamps(folder):
    return {path.parent.name: path.stat().st_mtime_ns for path in folder.glob("*/metrics.json")}


def test_files_are_swept_over_and_averaged(command, tmp_path, pictures):
    code, out, err = command("fit", "-m", *SMALL, "dataset.path=glob:my pictures/*.png", "hydra.sweep.dir=sweep")
    assert (code, err) == (0, ""), (out, err)
    assert "2 runs: 2 complete" in out
    paths = [run.overrides["dataset.path"] for run in find_runs(tmp_path / "sweep")]
    assert paths == ["my pictures/a.png", "my pictures/b.png"]
    _, out, _ = command("table", "run=sweep", "format=json")
    (group,) = json.loads(out)["groups"]
    errors = []
    for path, run in zip(paths, "01", strict=True):
        with Image.open(path) as target, Image.open(tmp_path / "sweep" / run / "reconstruction.png") as found:
            errors.append(np.mean((np.asarray(target) / 255 - np.asarray(found) / 255) ** 2))
    assert group["psnr"] == pytest.approx(np.mean(-10 * np.log10(errors)), abs=0.01)
    assert group["psnr_std"] == pytest.approx(np.std(-10 * np.log10(errors), ddof=1), abs=0.01)


def test_no_file_is_an_error(command):
    code, _, err = command("fit", "-m", "dataset.path=glob:nowhere/*.png")
    assert (code, err) == (2, "ffnet fit: dataset.path: no file matches nowhere/*.png\n")


@pytest.mark.long
def test_a_resumed_sweep_runs_only_what_is_missing_or_unfinished(command, tmp_path):
    sweep = tmp_path / "sweep"
    line = [*SMALL, "encoder.num_frequencies=3,0,4,5", "hydra.sweep.dir=sweep", "logger=none"]
    code, out, _ = command("fit", "-m", *line)
    assert code == 2
    assert "4 runs: 3 complete, 1 failed" in out
    assert "num_frequencies: expected an integer" in json.loads((sweep / "1" / "failed.json").read_text())["reason"]

    # As a kill leaves it: run 2 in the middle, run 3 not begun.
    (sweep / "2" / "metrics.json").unlink()
    for path in sorted((sweep / "3").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    (sweep / "3").rmdir()
    _, out, _ = command("table", "run=sweep", "format=json")
    assert [run["state"] for run in json.loads(out)["runs"]] == ["complete", "failed", "unfinished", "missing"]

    before = stamps(sweep)
    code, out, err = command("fit", "-m", *line, "resume=true")
    assert code == 2  # the misconfigured one
    assert len(err.strip().splitlines()) == 1
    assert f"{sweep / '0'} is complete" in out
    assert states(sweep) == {"0": "complete", "1": "failed", "2": "complete", "3": "complete"}
    assert stamps(sweep)["0"] == before["0"]
    assert [run.overrides["encoder.num_frequencies"] for run in find_runs(sweep)] == ["3", "0", "4", "5"]

    before = stamps(sweep)
    code, out, _ = command("fit", "resume=sweep")  # the line is read from the folder
    assert code == 2
    assert stamps(sweep) == before
    code, _, err = command("fit", "-m", *SMALL, "encoder.num_frequencies=7,8", "resume=true", "hydra.sweep.dir=sweep")
    assert code == 2
    assert "holds another sweep" in err

    assert command("fit", "resume=sweep", "trainer.max_steps=25")[0] == 2
    assert {run.metrics.get("steps") for run in find_runs(sweep)} == {25, None}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["resume=true"], "resume: expected a run or sweep directory, got true"),
        (["-m", "resume=true", "seed=0,1"], "resume=true: expected hydra.sweep.dir=DIRECTORY as well"),
    ],
)
def test_resume_true_needs_a_sweep_and_its_folder(command, arguments, message):
    code, _, err = command("fit", *arguments)
    assert code == 2
    assert message in err


@pytest.mark.long
def test_a_sweep_that_has_not_begun_can_be_resumed_as_well(command, tmp_path):
    line = ["-m", *SMALL, "seed=0,1", "resume=true", "hydra.sweep.dir=sweep", "logger=none"]
    assert command("fit", *line)[0] == 0
    before = stamps(tmp_path / "sweep")
    assert command("fit", *line)[0] == 0
    assert stamps(tmp_path / "sweep") == before


@pytest.mark.long
def test_several_runs_at_a_time_and_one_that_is_killed(tmp_path):
    pytest.importorskip("hydra_plugins.hydra_joblib_launcher")
    sweep = tmp_path / "sweep"
    line = [*SMALL, "seed=0,1", "trainer.max_steps=30", "hydra.sweep.dir=sweep", "logger=none"]
    endless = ["encoder.num_frequencies=4,0", "callbacks.checkpoints.every_n_steps=10"]
    command = [sys.executable, "-m", "ffnet", "fit", "-m", *line, *endless, "hydra/launcher=joblib"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        victim, deadline = None, time.monotonic() + 120
        while victim is None and process.poll() is None and time.monotonic() < deadline:
            victim = next((pid for pid, words in commands() if f'hydra.run.dir="{sweep / "1"}"' in words), None)
            time.sleep(0.01)
        os.kill(victim, signal.SIGKILL)
        out, err = process.communicate(timeout=250)
    assert process.returncode == 2
    assert [line.split(":")[0] for line in err.splitlines()] == ["ffnet fit"] * 3  # one line each, no traceback
    assert states(sweep) == {"0": "complete", "1": "failed", "2": "failed", "3": "failed"}
    assert "4 runs: 1 complete, 3 failed" in out
    assert find_runs(sweep)[1].reason == "process 0 was killed by SIGKILL"


def commands():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline") as file:
                yield int(pid), file.read().split("\0")
        except OSError:
            pass


def test_a_refused_request_does_not_mark_a_complete_run_as_failed(command, tmp_path):
    assert command("fit", *SMALL, "hydra.run.dir=run", "logger=none")[0] == 0
    assert command("fit", "resume=run", "encoder=identity")[0] == 2
    assert states(tmp_path) == {"run": "complete"}
