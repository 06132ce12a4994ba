"""Settings that are ``auto``: chosen once the signal has been read, said in the log, kept by a resumed run."""

import json

import pytest
import torch
from omegaconf import OmegaConf

import ffnet.analysis
from ffnet.analysis import bandwidth
from ffnet.checkpoint import Checkpoint, load
from ffnet.datasets import automatic
from tests.conftest import SMALL

# The default for images, on a small one.
DEFAULT = [words for words in SMALL if not words.startswith(("encoder", "dataset.batch_size"))]


def auto_lines(out):
    return [line for line in out.splitlines() if line.startswith("auto ")]


def test_the_default_follows_the_image_and_says_so(command, tmp_path, monkeypatch):
    monkeypatch.setattr(automatic, "max_steps", lambda samples: samples // 8)
    whole = [words for words in DEFAULT if not words.startswith("trainer.max_steps")]
    code, out, err = command("fit", *whole, "dataset.batch_size=auto", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    assert auto_lines(out) == [
        "auto    dataset.batch_size=8192, trainer.max_steps=60",
        "auto    encoder.table_size=1024, encoder.max_resolution=36",
    ]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["steps"] == 60
    assert metrics["psnr"] > 25
    assert command("evaluate", "checkpoint=run")[0] == 0


def test_every_one_can_be_overridden_and_a_resumed_run_keeps_what_was_chosen(command, tmp_path):
    own = ["dataset.batch_size=64", "encoder.table_size=64"]
    code, out, _ = command("fit", *DEFAULT, *own, "hydra.run.dir=run")
    assert code == 0
    assert auto_lines(out) == ["auto    encoder.max_resolution=36"]
    saved = Checkpoint.read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    assert saved.field["encoder"]["max_resolution"] == 36
    code, out, _ = command("fit", "resume=run", "trainer.max_steps=25")
    assert code == 0
    assert auto_lines(out) == []
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["steps"] == 25


def test_a_complete_run_of_an_automatic_length_is_not_run_again(command, tmp_path, monkeypatch):
    monkeypatch.setattr(automatic, "max_steps", lambda samples: 6)
    whole = [words for words in DEFAULT if not words.startswith("trainer.max_steps")]
    assert command("fit", "-m", *whole, "dataset.batch_size=16", "seed=0,1", "hydra.sweep.dir=sweep")[0] == 0
    config = OmegaConf.load(tmp_path / "sweep" / "0" / ".hydra" / "config.yaml")
    assert config.trainer.max_steps == "auto"
    out = command("fit", "resume=sweep")[1]
    assert out.count("is complete") == 2


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            ["encoder=grid", "encoder.levels=auto"],
            "encoder.levels: expected a value, got auto, for which there is no rule",
        ),
        (
            ["model.hidden_features=auto"],
            "model.hidden_features: expected a value, got auto, for which there is no rule",
        ),
        (
            ["dataset=occupancy", "dataset.pool=64", "dataset.batch_size=8", "trainer.max_steps=auto"],
            "trainer.max_steps: expected a number, got auto, which needs a signal on a grid",
        ),
        (
            ["dataset=gradient", "encoder=wavelet", "encoder.features=3", "encoder.entries=64"],
            "encoder: expected another one, got a WaveletEncoder, which needs samples of the field on a grid",
        ),
        (["trainer.max_steps=soon"], "trainer.max_steps: expected an integer of at least 1, or auto, got soon"),
    ],
)
def test_what_cannot_be_chosen_is_refused(command, line, message):
    code, _, err = command("fit", *line, "logger=none", "trainer.accelerator=cpu")
    assert code == 2
    assert err.strip() == f"ffnet fit: {message}"


def test_a_wavelet_encoder_takes_the_images_shape_and_keeps_its_entries(command, tmp_path):
    whole = [words for words in DEFAULT if not words.startswith("model.")]
    line = ["encoder=wavelet", "dataset.batch_size=256", "hydra.run.dir=run", "trainer.max_steps=100"]
    code, out, err = command("fit", *whole, *line)
    assert (code, err) == (0, "")
    assert auto_lines(out) == ["auto    encoder.shape=[24, 20], encoder.features=3, encoder.entries=360"]
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["psnr"] > 25
    field = load(tmp_path / "run")
    coarsest = torch.zeros_like(field.encoder.kept)
    coarsest[: 360 // 8] = 255
    assert not torch.equal(field.encoder.kept, coarsest)
    code, out, _ = command("evaluate", "checkpoint=run")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(metrics["psnr"], abs=1e-3)


# A small network of Gaussian features on the bundled image.
GAUSSIAN = ["recipe=paper", "model.hidden_features=16", "dataset.size=32", "trainer.max_steps=10", "logger=none"]


def test_a_bandwidth_is_chosen_once_and_recorded(command, tmp_path):
    code, out, err = command("fit", *GAUSSIAN, "encoder.sigma=auto", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    [line] = auto_lines(out)
    assert line.startswith("auto    encoder.sigma=")
    assert "dB on held-out and" in line
    saved = Checkpoint.read(tmp_path / "run" / "checkpoints" / "last.ckpt")
    sigma = saved.field["encoder"]["sigma"]
    assert line.startswith(f"auto    encoder.sigma={sigma:g}:")
    code, out, _ = command("fit", "resume=run", "trainer.max_steps=15")
    assert code == 0
    assert auto_lines(out) == []
    assert command("evaluate", "checkpoint=run")[0] == 0


def test_a_chosen_bandwidth_trains_as_the_same_number_does():
    plain = {"recipe": "paper", "model": {"hidden_features": 16}, "dataset": {"size": 32}, "progress": False}
    auto = ffnet.fit(**plain, trainer={"max_steps": 5}, encoder={"sigma": "auto"})
    sigma = auto.settings["model"]["encoder"]["sigma"]
    given = ffnet.fit(**plain, trainer={"max_steps": 5}, encoder={"sigma": sigma})
    assert auto.scores == given.scores


@pytest.mark.parametrize(("asked", "fitted"), [(256, 128), (40, 40)])
def test_short_fits_are_of_a_narrow_network_with_few_frequencies(monkeypatch, asked, fitted):
    sizes = []

    def look(make, grid):
        field = make(3.0)
        sizes.append((field.encoder.out_features, field.network[2].in_features))
        return bandwidth(make, grid)

    monkeypatch.setattr(ffnet.analysis, "bandwidth", look)
    run = ffnet.fit(
        recipe="paper",
        model={"hidden_features": asked},
        encoder={"sigma": "auto", "num_frequencies": asked},
        dataset={"size": 16},
        trainer={"max_steps": 1},
        progress=False,
    )
    assert sizes == [(2 * fitted, fitted)]
    assert (run.field.encoder.out_features, run.field.network[2].in_features) == (2 * asked, asked)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            ["dataset=occupancy", "dataset.pool=64", "dataset.batch_size=8"],
            "encoder.sigma: expected a number, got auto, which needs the pixels of an image",
        ),
        (["model=siren"], "model: expected mlp without skips"),
        (["+encoder.trainable=true"], "encoder: expected features that are not trained"),
        (["dataset.size=[12,20]"], "encoder.sigma: expected an image of at least 16x16 pixels for auto, got 12x20"),
    ],
)
def test_a_bandwidth_that_cannot_be_chosen_is_refused(command, line, message):
    code, _, err = command("fit", *GAUSSIAN[:2], "encoder=gaussian", *line, "encoder.sigma=auto", "logger=none")
    assert code == 2
    assert err.strip() == f"ffnet fit: {message}"


def test_the_predicted_curve_is_drawn(command, tmp_path):
    code, out, err = command("ntk", *GAUSSIAN, "ntk.study=bandwidth", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    report = json.loads((tmp_path / "run" / "ntk.json").read_text())
    assert len(report["tried"]) == len(report["held_out"]) == len(report["known"]) == 3
    assert 1.4 < report["sigma"] < 10
    assert f"sigma {report['sigma']:g}: short fits at" in out
    assert (tmp_path / "run" / "ntk.png").is_file()
