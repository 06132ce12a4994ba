"""docs/own: a page for every kind of class of one's own, whose code, settings and commands work as they stand there."""

import json
import re

import pytest
import torch

from ffnet.allocation import built
from ffnet.budget import Excess
from ffnet.checkpoint import build, known_modules
from tests.conftest import SMALL
from tests.docs.own import OWN, read, write

pytestmark = pytest.mark.untraced

KINDS = ("encoder", "model", "dataset", "operator", "metric", "loss", "callback", "logger")
# A page's fits, made short. Of the network and the encoder, only what every one has is said.
SHORT = [words for words in SMALL if not words.startswith(("encoder", "model"))]
# Lines of a page.
SCREEN = 100


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def weights(run):
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]


@pytest.fixture
def importable(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def test_there_is_a_page_for_each_kind_and_a_way_to_it():
    assert {page.stem for page in OWN.glob("*.md")} - {"README"} == set(KINDS)
    index = (OWN / "README.md").read_text()
    assert all(f"]({kind}.md)" in index for kind in KINDS)
    readme = (OWN.parents[1] / "README.md").read_text()
    assert all(f"](docs/own/{kind}.md)" in readme for kind in KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_page_is_about_one_screen(kind):
    files, commands = read(kind)
    needed = set(files) - {"conf/signals.yaml"}  # which a dataset may do without
    assert sorted(name.rpartition(".")[2] for name in needed) == ["py", "yaml"]
    assert len((OWN / f"{kind}.md").read_text().splitlines()) <= (SCREEN if kind != "dataset" else 150)
    assert any(words[:2] == ["ffnet", "fit"] and "--config-dir" in words for words in commands)
    assert any(word.startswith("resume=") for words in commands for word in words)


@pytest.mark.parametrize("case", [kind for kind in KINDS if kind != "dataset"])  # see test_own_dataset.py
@pytest.mark.few("operator")  # the others are in test_own_directory.py too
def test_the_files_and_commands_of_a_page_work_as_they_stand_there(command, importable, case):
    write(importable, case)
    files, commands = read(case)
    module = next(name for name in files if name.endswith(".py")).removesuffix(".py")
    for words in commands:
        assert words[0] == "ffnet"
        short = SHORT if words[1] == "fit" else []
        if any(word.startswith("resume=") for word in words):
            kept = {name: value.clone() for name, value in weights(importable / "run").items()}
            short = ["trainer.max_steps=30"]
            without = [word for word in words if not word.startswith("trust=")]
            if without != words:  # in one line that says what to add
                code, _, err = command(*without[1:], *short)
                named = re.search(r"trust=\[.*\]", " ".join(words))[0]
                assert (code, len(err.splitlines()), named in err) == (2, 1, True), err
        code, out, err = command(*words[1:], *short)
        said = err == "" or err.startswith("read ")
        assert (code, said) == (0, True), (words, out, err)
    assert metrics(importable / "run")["steps"] == 30
    assert any(not torch.equal(value, kept[name]) for name, value in weights(importable / "run").items())
    settings = (importable / "run" / ".hydra" / "config.yaml").read_text()
    assert f"_target_: {module}." in settings


@pytest.mark.usefixtures("without_shape_checks")
def test_no_trust_is_needed_for_what_is_torchs_or_lightnings_and_harmless(command, importable):
    (importable / "conf" / "model").mkdir(parents=True)
    (importable / "conf" / "model" / "linear.yaml").write_text("_target_: torch.nn.Linear\n")
    theirs = ["optimizer._target_=torch.optim.Adagrad", "~optimizer.betas", "~optimizer.fused"]
    theirs += ["+callbacks.stop._target_=lightning.pytorch.callbacks.EarlyStopping", "+callbacks.stop.monitor=val/psnr"]
    theirs += ["+callbacks.stop.mode=max", "--config-dir", "conf", "model=linear"]
    assert command("fit", *SHORT, *theirs, "hydra.run.dir=run")[0] == 0
    assert command("render", "run")[0] == 0
    assert command("fit", "resume=run", "trainer.max_steps=25")[0] == 0
    assert metrics(importable / "run")["parameters"] == 9
    # However large a file says that it is, no more is allocated than its weights take.
    huge = {"_target_": "torch.nn.Linear", "in_features": 2**20, "out_features": 2**20}
    with pytest.raises(Excess, match="expected a field of at most"):
        built(huge, lambda spec: build(spec, known_modules()), 9)
    with pytest.raises(ValueError, match=r"torch\.nn\.Sequential: is no class that ffnet knows"):
        build({"_target_": "torch.nn.Sequential"}, known_modules())
