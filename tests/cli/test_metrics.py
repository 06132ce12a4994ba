"""Metrics, and callbacks and loggers of Lightning's, by settings alone."""

import csv
import json

import pytest
import torch
from torchmetrics.functional.image import structural_similarity_index_measure

import ffnet
from ffnet.runs.report import curves
from tests.conftest import SMALL

pytestmark = pytest.mark.untraced

LIGHTNING = "lightning.pytorch"
METRICS = (
    "+dataset.metrics.ssim._target_=torchmetrics.image.StructuralSimilarityIndexMeasure",
    "+dataset.metrics.ssim.data_range=1.0",
    "+dataset.metrics.perceptual._target_=likeness.Perceptual",
    "+dataset.metrics.undecided._target_=likeness.Undecided",
)
# No step improves the score by so much: the first evaluation that follows another stops the run.
STOPPING = (
    f"+callbacks.early._target_={LIGHTNING}.callbacks.EarlyStopping",
    "+callbacks.early.monitor=val/psnr",
    "+callbacks.early.mode=max",
    "+callbacks.early.min_delta=100",
    "+callbacks.early.patience=1",
)
BEST = (
    f"+callbacks.best._target_={LIGHTNING}.callbacks.ModelCheckpoint",
    "+callbacks.best.monitor=val/psnr",
    "+callbacks.best.mode=max",
    "+callbacks.best.dirpath=best",
)
CSV = (f"+logger.csv._target_={LIGHTNING}.loggers.CSVLogger", "+logger.csv.save_dir=${run_dir}", "+logger.csv.name=csv")
LIKENESS = """
import torch
from torchmetrics import Metric

class Perceptual(Metric):
    "The distance between features of a network, as LPIPS has it."
    higher_is_better = False

    def __init__(self):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        self.features = torch.nn.Conv2d(3, 8, 3)
        self.features.weight.data.normal_(generator=generator)
        self.features.bias.data.zero_()
        self.add_state("total", torch.zeros(()), dist_reduce_fx="sum")

    def update(self, prediction, target):
        assert prediction.shape == target.shape == (1, 3, 24, 20)
        self.total += (self.features(prediction) - self.features(target)).square().mean()

    def compute(self):
        return self.total

class Undecided(Perceptual):
    higher_is_better = None
"""


@pytest.fixture
def likeness(tmp_path, monkeypatch):
    (tmp_path / "likeness.py").write_text(LIKENESS)
    monkeypatch.syspath_prepend(tmp_path)


@pytest.mark.usefixtures("likeness")
def test_metrics_and_callbacks_need_no_code(command, tmp_path):
    line = [*SMALL, *METRICS, *STOPPING, *BEST, *CSV, "callbacks.evaluation.every_n_steps=5", "hydra.sweep.dir=sweep"]
    code, out, err = command("fit", "-m", *line, "seed=0")
    assert (code, err) == (0, ""), (out, err)
    assert "since ModelCheckpoint listens to batches" in out  # and EarlyStopping does not
    run = tmp_path / "sweep" / "0"
    found = json.loads((run / "metrics.json").read_text())
    names = ("psnr", "ssim", "perceptual", "undecided")
    assert found["higher_is_better"] == dict(zip(names, (True, True, False, None), strict=True))
    assert list(found)[:4] == list(names)

    # A run that stopped early is complete.
    assert (found["steps"], found["max_steps"]) == (10, 20)
    saved = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    assert saved["global_step"] == 10
    before = (run / "metrics.json").stat().st_mtime_ns
    code, _, err = command("fit", "resume=sweep")  # the record of a sweep may not name classes
    assert code == 2
    assert METRICS[0] in err
    code, out, _ = command("fit", "resume=sweep", *METRICS, *STOPPING, *BEST, *CSV)
    assert (code, "is complete" in out) == (0, True)
    assert (run / "metrics.json").stat().st_mtime_ns == before

    # Every logger and callback has the scores.
    shown = curves(run)
    for name in names:
        assert [step for step, _ in shown[f"val/{name}"]] == [5, 10]
        assert shown[f"val/{name}"][-1][1] == pytest.approx(found[name], rel=1e-5)
    (table,) = run.glob("csv/*/metrics.csv")
    rows = [row for row in csv.DictReader(table.read_text().splitlines()) if row["val/ssim"]]
    assert [row["step"] for row in rows] == ["5", "10"]
    (best,) = (tmp_path / "best").glob("*.ckpt")
    assert ffnet.load(best)(torch.rand(2, 2)).shape == (2, 3)

    # They are what they are called.
    dataset = ffnet.datasets.ImageDataset(size=[24, 20])
    batch = dataset.source.batch(torch.arange(480))
    images = [x.view(1, 24, 20, 3).movedim(-1, 1) for x in (ffnet.load(run)(batch.queries).detach(), batch.targets)]
    assert found["ssim"] == pytest.approx(structural_similarity_index_measure(*images, data_range=1.0).item(), abs=1e-6)

    # Other commands know them; a class of one's own has to be trusted.
    assert command("evaluate", "checkpoint=sweep/0")[0] == 2
    trust = "trust=[likeness.Perceptual,likeness.Undecided,lightning.pytorch.callbacks.ModelCheckpoint]"
    code, out, _ = command("evaluate", "checkpoint=sweep/0", trust)
    assert (code, json.loads(out)) == (0, pytest.approx({name: found[name] for name in names}, abs=1e-9))
    _, out, _ = command("table", "run=sweep")
    assert all(name in out for name in names)
    assert command("report", "run=sweep", "output=report.html", trust)[0] == 0
    page = (tmp_path / "report.html").read_text()
    assert '"metrics": ["psnr", "ssim", "perceptual", "undecided"' in page
    code, out, err = command("fit", "resume=sweep/0", trust, "trainer.max_steps=25")
    assert (code, err) == (0, ""), (out, err)
    assert json.loads((run / "metrics.json").read_text())["steps"] == 15  # and stopped again


def test_a_score_that_is_not_there_is_refused_before_training(command, tmp_path):
    code, _, err = command("fit", *SMALL, *STOPPING, "callbacks.early.monitor=val/psnrr", "hydra.run.dir=run")
    assert (code, err) == (
        2,
        "ffnet fit: EarlyStopping: expected monitor to be one of val/psnr, got 'val/psnrr'\n",
    )
    assert not (tmp_path / "run" / "checkpoints").exists()
    code, _, err = command("fit", *SMALL, *CSV, *BEST, "callbacks.best.mode=min")
    assert (code, err) == (2, "ffnet fit: ModelCheckpoint: expected mode=max for val/psnr, got min\n")
