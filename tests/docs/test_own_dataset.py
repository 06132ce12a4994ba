"""docs/own/dataset.md: its code, its settings and its commands, as they stand there."""

import json
import re
import shlex
import wave

import numpy as np
import pytest
import torch

import ffnet
from tests.docs.gallery import DOCS

pytestmark = pytest.mark.untraced

PAGE = (DOCS / "own" / "dataset.md").read_text()
# What makes the page's fits short.
SHORT = (
    "trainer.max_steps=20",
    "trainer.accelerator=cpu",
    "model.hidden_features=16",
    "model.hidden_layers=1",
    "schedule=constant",
    "dataset.batch_size=64",
    "precision=32-true",
)
TRUST = "trust=[sound.SoundDataset,sound.Sound]"


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.S)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """What a reader of the page has in a folder, and a tone of half a second."""
    (tmp_path / "conf" / "dataset").mkdir(parents=True)
    (tmp_path / "conf" / "dataset" / "sound.yaml").write_text(blocks("yaml")[0])
    (tmp_path / "sound.py").write_text("\n\n".join(blocks("python")))
    tone = 0.5 * np.sin(2 * np.pi * 12 * (np.arange(500) + 0.5) / 500)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 1000, 500, "NONE", ""))
        file.writeframes((tone * 32767).astype("<i2").tobytes())
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=":")
    return tmp_path


def test_a_suffix_chooses_the_dataset(folder, command):
    """A kind of signal from outside needs no change to ffnet."""
    (folder / "conf" / "signals.yaml").write_text(blocks("yaml")[1])
    assert command("fit", "--config-dir", "conf", "tone.wav", *SHORT, "hydra.run.dir=run")[0] == 0
    assert (folder / "run" / "reconstruction.wav").is_file()
    settings = {"trainer": {"max_steps": 3}, "model": {"hidden_features": 16}, "schedule": "constant"}
    run = ffnet.fit("tone.wav", config_dir="conf", progress=False, **settings)
    assert run.settings["dataset"]["_target_"] == "sound.SoundDataset"
    (folder / "conf" / "signals.yaml").write_text("- {noun: a recording}")
    code, _, err = command("fit", "--config-dir", "conf", "tone.wav")
    assert (code, err) == (2, "ffnet fit: conf/signals.yaml: expected a list of noun, suffixes and datasets\n")


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def weights(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


def names(run):
    return {path.name.split(".tfevents")[0] for path in run.rglob("*")}


def test_the_code_is_at_most_60_lines_and_one_yaml():
    assert [block.count("\n") for block in blocks("yaml")[1:]] == [1]  # of signals.yaml, which is optional
    assert len("\n\n".join(blocks("python")).splitlines()) <= 60


WHOLE = [line for line in SHORT if "max_steps" not in line] + ["trainer.max_steps=30"]


@pytest.fixture
def run(command, folder):
    def run(line, *more):
        assert line[0] == "ffnet"
        code, out, err = command(*line[1:], *more)
        said = f"read    {folder / 'tone.wav'}\n" if line[1] == "evaluate" else ""
        assert (code, err) == (0, said), (out, err)
        return out

    return run


def test_the_commands_do_what_the_page_says(run, command, folder):
    fit, evaluate, resume, sweep, table, _ = map(shlex.split, blocks("sh")[0].splitlines())
    run(fit, *SHORT)
    found = metrics(folder / "run")
    assert found["higher_is_better"] == {"snr": True}
    with wave.open(str(folder / "run" / "reconstruction.wav")) as file:
        assert (file.getnframes(), file.getframerate()) == (500, 1000)
        heard = np.frombuffer(file.readframes(500), "<i2") / 32768
    with wave.open(str(folder / "tone.wav")) as file:
        tone = np.frombuffer(file.readframes(500), "<i2") / 32768
    snr = 10 * np.log10((tone**2).sum() / ((heard - tone) ** 2).sum())
    assert snr == pytest.approx(found["snr"], abs=0.05)  # 16 bits
    assert json.loads(run(evaluate)) == {"snr": pytest.approx(found["snr"], abs=1e-9)}

    run(resume, "trainer.max_steps=30")  # the last one counts
    run([*fit[:-1], "hydra.run.dir=whole"], *WHOLE)
    one, other = weights(folder / "run"), weights(folder / "whole")
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert metrics(folder / "run")["snr"] == metrics(folder / "whole")["snr"]

    run(sweep, *SHORT)
    rows = [line for line in run(table).splitlines() if line.startswith(("| gaussian", "| positional"))]
    assert len(rows) == 2

    code, _, err = command("render", "checkpoint=run", TRUST)
    assert (code, len(err.splitlines())) == (2, 1)
    assert "expected the fit of an image, recording, video, volume or scene, got that of a signal" in err


@pytest.mark.long
def test_two_processes_are_those_that_the_page_says(run, folder):
    fit, evaluate, _, _, _, two = map(shlex.split, blocks("sh")[0].splitlines())
    run([*fit[:-1], "hydra.run.dir=whole"], *WHOLE)
    run(two, "encoder.sigma=50", *WHOLE)
    found = metrics(folder / "two")
    assert (found["world_size"], metrics(folder / "whole")["world_size"]) == (2, 1)
    one, two = weights(folder / "whole"), weights(folder / "two")
    assert all((one[name] - two[name]).abs().max() < 1e-5 for name in one)
    assert names(folder / "two") == names(folder / "whole")
    assert len(list((folder / "two").glob("events*"))) == 1
    # What two processes have found is what one finds with the same weights, and nearly what one trains.
    assert json.loads(run([*evaluate[:2], "checkpoint=two", TRUST])) == {"snr": pytest.approx(found["snr"], abs=1e-6)}
    assert found["snr"] == pytest.approx(metrics(folder / "whole")["snr"], abs=1e-3)


def test_it_fits_in_python(folder, monkeypatch):
    monkeypatch.chdir(folder)
    run = ffnet.fit("tone.wav", dataset="sound", config_dir="conf", overrides=SHORT, progress=False)
    assert run.scores.keys() == {"snr"}
    assert run.reconstruction().shape == (500, 1)
