"""Loggers of other projects: what they leave in the run directory, opened with their own tools."""

import csv
import json
import warnings
from pathlib import Path

import pytest

from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

LINE = (*SMALL, "callbacks.evaluation.every_n_steps=10", "hydra.run.dir=run")


def scores() -> dict:
    return json.loads(Path("run/metrics.json").read_text())


def test_two_loggers_write_the_same_scores(command):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    code, out, err = command("fit", *LINE, "logger=[tensorboard,csv]")
    assert (code, err) == (0, ""), (out, err)
    assert next(line.split()[1] for line in out.splitlines() if line.startswith("look")) == "tensorboard"
    (table,) = Path("run").rglob("metrics.csv")
    assert f"look    {table.absolute()}" in out
    rows = [row for row in csv.DictReader(table.read_text().splitlines()) if row["val/psnr"]]
    board = EventAccumulator("run").Reload().Scalars("val/psnr")
    assert [(int(row["step"]), pytest.approx(float(row["val/psnr"]))) for row in rows] == [
        (event.step, event.value) for event in board
    ]
    assert float(rows[-1]["val/psnr"]) == pytest.approx(scores()["psnr"])


def test_nothing_to_look_at_is_not_recommended(command):
    code, out, _ = command("fit", *LINE, "logger=none")
    assert (code, "\nlook" in out) == (0, False)


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_logger_that_is_not_installed_is_named(command, tmp_path, name):
    try:
        __import__(name)
    except ImportError:
        code, _, err = command("fit", *LINE, f"logger={name}")
        assert (code, err.count("\n")) == (2, 1)
        assert "pip install" in err
        assert name in err
        assert not (tmp_path / "run").exists()
    else:
        pytest.skip(f"{name} is installed")


@pytest.mark.long
def test_mlflow_reads_what_a_run_and_its_resumption_left(command, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # mlflow's own
        mlflow = pytest.importorskip("mlflow")
        for line in ((*LINE, "logger=mlflow"), ("resume=run", "trainer.max_steps=30", "logger=mlflow")):
            code, out, err = command("fit", *line)
            assert code == 0, (out, err)
        client = mlflow.MlflowClient(f"sqlite:///{tmp_path}/run/mlflow.db")
        (experiment,) = [found for found in client.search_experiments() if found.name == "ffnet"]
        assert experiment.artifact_location == f"file:{tmp_path}/run/mlartifacts"
        resumed, first = client.search_runs([experiment.experiment_id], order_by=["start_time DESC"])
        assert first.data.params["seed"] == "0"
        assert first.data.params["model/encoder/num_frequencies"] == "4"
        history = client.get_metric_history(first.info.run_id, "val/psnr")
        assert [metric.step for metric in history] == [10, 20]
        assert resumed.data.metrics["val/psnr"] == pytest.approx(scores()["psnr"])
    assert {path.name for path in tmp_path.iterdir()} <= {"run", "outputs"}


def levels(log: bytes, block: int = 2**15, offset: int = 7) -> list[bytes]:
    """The records of a LevelDB log, whose first block lacks ``offset`` bytes: in blocks, pieces with a checksum (4
    bytes), their length (2) and their type (1: whole, 2: first, 3: middle, 4: last)."""
    found, at = [b""], 0
    while at < len(log):
        left = block - (at + offset) % block
        if left < 7:  # padding
            at += left
            continue
        length, kind = int.from_bytes(log[at + 4 : at + 6], "little"), log[at + 6]
        found[-1] += log[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            found.append(b"")
    return found[:-1]


@pytest.mark.long
def test_wandb_reads_what_a_run_left(command, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb")
    from wandb.proto import wandb_internal_pb2

    for variable in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.delenv(variable, raising=False)
    code, out, err = command("fit", *LINE, "logger=wandb")
    assert code == 0, (out, err)
    wandb.finish()  # as at the end of a process
    (path,) = Path("run").rglob("*.wandb")
    records = []
    for data in levels(path.read_bytes()[7:]):
        records.append(wandb_internal_pb2.Record())
        records[-1].ParseFromString(data)
    config = {item.key: json.loads(item.value_json) for r in records for item in r.config.update}
    assert config["seed"] == 0
    history = [
        {".".join(item.nested_key) or item.key: json.loads(item.value_json) for item in record.history.item}
        for record in records
        if record.HasField("history")
    ]
    found = [(row["trainer/global_step"], row["val/psnr"]) for row in history if "val/psnr" in row]
    assert found[-1] == (20, pytest.approx(scores()["psnr"]))
    assert {place.name for place in tmp_path.iterdir()} <= {"run", "outputs"}
