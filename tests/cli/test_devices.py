"""Two processes on the CPU give what one gives: weights, figures, folders.

A fit that two processes begin is in tests/docs/test_own_dataset.py: starting a process takes several seconds.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
import torch

from ffnet.cli.launch import check_nodes
from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

# 23 x 17 pixels in chunks of 100, and batches of 63: nothing divides by two.
ODD = (
    *(override for override in SMALL if not override.startswith(("dataset.", "model.hidden_layers"))),
    "dataset.size=[23,17]",
    "dataset.batch_size=63",
    "model.hidden_layers=2",
    "precision=32-true",
    "+callbacks.evaluation.points=100",
)
TWO = "trainer.devices=2"


def weights(run):
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    return torch.cat([state[key].flatten() for key in sorted(state)])


def names(run):
    return {path.name.split(".tfevents")[0] for path in run.rglob("*")}


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


@pytest.mark.long
def test_two_processes_go_on_as_one_does_and_one_goes_on_from_there(command, tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    assert command("fit", *ODD, "callbacks=ema", "hydra.run.dir=one")[0] == 0
    shutil.copytree(one, two)
    assert command("fit", "resume=one", "trainer.max_steps=40")[0] == 0
    code, out, err = command("fit", "resume=two", TWO, "trainer.max_steps=40")
    assert (code, err) == (0, ""), (out, err)
    assert (metrics(one)["world_size"], metrics(two)["world_size"]) == (1, 2)
    assert (metrics(one)["steps"], metrics(two)["steps"]) == (40, 40)
    assert (weights(one) - weights(two)).abs().max() < 1e-5
    _, out, _ = command("evaluate", "checkpoint=two")
    assert metrics(two)["psnr"] == pytest.approx(json.loads(out)["psnr"], abs=1e-6)  # the same weights, one process
    assert names(two) == names(one)

    for run in ("one", "two"):
        assert command("fit", f"resume={run}", "trainer.devices=1", "trainer.max_steps=46")[0] == 0
    assert (metrics(two)["steps"], metrics(two)["world_size"]) == (46, 1)
    assert (weights(one) - weights(two)).abs().max() < 1e-5


@pytest.mark.long
def test_each_job_of_a_sweep_has_one_folder_and_its_own_processes(command, tmp_path):
    code, out, err = command("fit", "-m", *ODD, TWO, "seed=0,1", "hydra.sweep.dir=sweep")
    assert (code, err) == (0, ""), (out, err)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["sweep"]
    folders = sorted((tmp_path / "sweep").iterdir())
    assert [folder.name for folder in folders] == ["0", "1", "multirun.yaml"]
    for seed, run in enumerate(folders[:2]):
        assert len(list(run.glob("events*"))) == 1
        assert [path.name for path in run.rglob("*.ckpt")] == ["last.ckpt"]
        assert (metrics(run)["seed"], metrics(run)["world_size"]) == (seed, 2)
    assert "2 runs: 2 complete" in out


@pytest.mark.long
def test_a_process_that_fails_ends_the_others_and_is_named(command, tmp_path):
    code, _, err = command("fit", *ODD, TWO, "optimizer.lr=1e30", "model.output_activation=null", "hydra.run.dir=run")
    assert (code, len(err.splitlines())) == (1, 1), err
    assert "lower optimizer.lr" in err
    assert "lower optimizer.lr" in json.loads((tmp_path / "run" / "failed.json").read_text())["reason"]
    code, _, err = command("fit", *ODD, "trainer.devices=64", "hydra.run.dir=many")
    assert (code, err) == (2, "ffnet fit: trainer.devices: expected at most the batch's 63 points, got more\n")


def test_a_run_on_two_machines_does_not_wait_for_one_that_nobody_named(command, tmp_path, monkeypatch):
    for name in ("MASTER_ADDR", "LOCAL_RANK", "SLURM_NTASKS"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = command("fit", *ODD, "+trainer.num_nodes=2", "hydra.run.dir=run")
    assert (code, len(err.splitlines())) == (2, 1), err
    assert err.startswith("ffnet fit: trainer.num_nodes: expected 1, since this command was started on one machine")
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize("variable", ["MASTER_ADDR", "LOCAL_RANK"])
def test_a_run_on_two_machines_goes_on_where_the_first_one_is_known(monkeypatch, variable):
    monkeypatch.setenv(variable, "0")
    check_nodes(2)


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_stopping_the_one_that_was_started_stops_all_with_the_state_saved(tmp_path, number):
    arguments = [*ODD, TWO, "trainer.max_steps=1000000", "hydra.run.dir=run", "callbacks.checkpoints.every_n_steps=50"]
    with subprocess.Popen([sys.executable, "-m", "ffnet", "fit", *arguments], cwd=tmp_path) as process:
        path, deadline = tmp_path / "run" / "checkpoints" / "last.ckpt", time.monotonic() + 120
        while not path.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(1)
        others = children(process.pid)
        process.send_signal(number)
        process.wait(60)
    assert len(others) == 2
    assert process.returncode == (143 if number == signal.SIGTERM else -number)
    deadline = time.monotonic() + 60
    while any(alive(pid) for pid in others) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(alive(pid) for pid in others)
    assert torch.load(path, weights_only=True)["global_step"] > 0
    assert not (tmp_path / "run" / "failed.json").exists()


def children(parent):
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == parent:
                    found.append(int(pid))
        except OSError:
            pass
    return found


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_sweep_is_started_once(command, monkeypatch):
    monkeypatch.setenv("LOCAL_RANK", "0")
    code, _, err = command("fit", "-m", *ODD, "seed=0,1")
    assert (code, err) == (
        2,
        "ffnet fit: -m: each run of a sweep starts its own processes; start the sweep as one process\n",
    )
