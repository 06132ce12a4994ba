"""A directory of a user's, made of the pages of docs/own alone: an encoder, a model, a dataset, a metric, a callback
and a logger of their own, in every command that meets them."""

import json
import re
import sys
import wave
from itertools import pairwise

import numpy as np
import pytest
import torch

import ffnet
from tests.docs.own import write

pytestmark = pytest.mark.untraced

KINDS = ("encoder", "model", "dataset", "metric", "callback", "logger")
OWN = (
    *("--config-dir", "conf", "encoder=waves", "model=residual", "dataset=sound", "+metric=worst"),
    *("callbacks=[default,best]", "callbacks.best.monitor=val/snr", "logger=[tensorboard,lines]"),
)
SMALL = (
    *("dataset.path=tone.wav", "dataset.batch_size=64", "encoder.num_waves=16", "model.width=16", "model.blocks=1"),
    *("trainer.accelerator=cpu", "precision=32-true", "schedule=constant", "callbacks.scalars.every_n_steps=5"),
    *("callbacks.evaluation.every_n_steps=10", "callbacks.checkpoints.every_n_steps=10"),
)
FIELD = ("waves.Waves", "residual.ResidualMLP", "sound.Sound")
TRUST = f"trust=[{','.join((*FIELD, 'sound.SoundDataset', 'worst.WorstError', 'best.Best'))}]"


@pytest.fixture
def place(tmp_path, monkeypatch):
    write(tmp_path, *KINDS)
    tone = 0.5 * np.sin(2 * np.pi * 6 * (np.arange(300) + 0.5) / 300)
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 1000, 300, "NONE", ""))
        file.writeframes((tone * 32767).astype("<i2").tobytes())
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def saved(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def by_hand(place, run):
    """The scores of a run, from its field and the file alone."""
    trust = [getattr(sys.modules[module], name) for module, _, name in (name.partition(".") for name in FIELD)]
    with wave.open(str(place / "tone.wav")) as file:
        samples = np.frombuffer(file.readframes(300), "<i2") / 32768
    with torch.no_grad():
        field = ffnet.load(run, trust=trust)
        found = field((torch.arange(300).unsqueeze(-1) + 0.5) / 300).squeeze(-1).double().numpy()
    error = found - samples
    return {"snr": 10 * np.log10((samples**2).sum() / (error**2).sum()), "worst": np.abs(error).max()}


def test_every_command_works_with_classes_of_ones_own(command, place):
    def run(*words):
        code, out, err = command(*words)
        assert (code, [line for line in err.splitlines() if not line.startswith("read ")]) == (0, []), (words, out, err)
        return out

    out = run("fit", *OWN, *SMALL, "trainer.max_steps=20", "hydra.run.dir=run")
    found = metrics(place / "run")
    assert {name: found[name] for name in ("snr", "worst")} == pytest.approx(by_hand(place, "run"), rel=1e-4)
    assert found["higher_is_better"] == {"snr": True, "worst": False}
    lines = [json.loads(line) for line in (place / "run" / "lines.jsonl").read_text().splitlines()]
    scored = {line["step"]: line["val/snr"] for line in lines if "val/snr" in line}
    assert scored.keys() == {10, 20}
    assert scored[20] == pytest.approx(found["snr"])
    best = max(scored, key=scored.get)
    assert f"best    val/snr {scored[best]:.2f} at step {best}\n" in out

    # A resumed run ends with the bits of one that was never stopped, the callback's state among them.
    for missing in ("waves.Waves", "best.Best"):  # the field's and the callbacks'; the others in test_own.py
        rest = TRUST.replace(f"{missing},", "").replace(f",{missing}", "")
        code, _, err = command("fit", "resume=run", rest, "trainer.max_steps=30")
        assert (code, len(err.splitlines())) == (2, 1)
        assert f"asks for {missing}, which ffnet does not know; if you trust it, say so with trust=[{missing}]" in err
    assert metrics(place / "run") == found
    again = ("--config-dir", "conf", "logger=[tensorboard,lines]")
    run("fit", "resume=run", *again, TRUST, "trainer.max_steps=30")
    run("fit", *OWN, *SMALL, "trainer.max_steps=30", "hydra.run.dir=whole")
    one, other = saved(place / "run"), saved(place / "whole")
    assert all(torch.equal(value, other["state_dict"][name]) for name, value in one["state_dict"].items())
    assert one["callbacks"]["Best"] == other["callbacks"]["Best"]
    assert metrics(place / "run")["snr"] == metrics(place / "whole")["snr"]
    steps = [json.loads(line)["step"] for line in (place / "run" / "lines.jsonl").read_text().splitlines()]
    assert (max(steps), all(a <= b for a, b in pairwise(steps))) == (30, True)

    # evaluate, export: what render is for an image.
    scores = json.loads(run("evaluate", "run", TRUST))
    assert scores == pytest.approx(by_hand(place, "run"), rel=1e-4)
    code, _, err = command("evaluate", "run")
    assert (code, len(err.splitlines()), "trust=[" in err) == (2, 1, True)
    run("export", "run", TRUST, "output=field.safetensors")

    run("fit", "-m", *OWN, *SMALL, "trainer.max_steps=5", "model.width=8,12", "hydra.sweep.dir=sweep")
    found = {width: metrics(place / "sweep" / str(job)) for job, width in enumerate(("8", "12"))}
    rows = json.loads(run("table", "sweep", "format=json"))["groups"]
    assert {str(row["model.width"]): row["worst"] for row in rows} == {w: one["worst"] for w, one in found.items()}
    run("report", "sweep", "output=report.html", TRUST)
    page = re.search(r'type="application/json" id="data">(.*?)</script>', (place / "report.html").read_text(), re.S)
    shown = json.loads(page[1])
    assert shown["higher_is_better"] == {"snr": True, "worst": False}
    assert len(shown["runs"]) == 2


def test_options_of_ones_own_are_listed_where_options_are(command, place):
    _, _, err = command("fit", "--config-dir", "conf", "encoder=wave")
    assert "did you mean waves?" in err
    for group, option in (("model", "residual"), ("dataset", "sound"), ("logger", "lines"), ("callbacks", "best")):
        code, _, err = command("fit", "--config-dir", "conf", f"{group}=nosuchthing")
        assert (code, len(err.splitlines())) == (2, 1)
        assert option in err.partition("expected one of")[2], err
    _, out, _ = command("fit", "--config-dir", "conf", "--help")
    assert all(option in out for option in ("waves", "residual", "sound", "lines", "best"))
