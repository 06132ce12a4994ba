"""Paths are taken as they are: as arguments of their own, and after the settings that are paths."""

import json
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hydra.core.override_parser.types import QuotedString
from PIL import Image

from ffnet.cli.finish import look
from ffnet.cli.flags import Flags
from ffnet.cli.overrides import parsed
from ffnet.cli.paths import is_path, literal
from ffnet.stopping import Left
from tests.conftest import SMALL

NAMES = [
    "photo.jpg",
    "holiday (1).jpg",
    "Käse, #2 [final].png",
    "a=b.png",
    "dataset.path=c.png",
    "{x}.png",
    'it\'s "quoted".png',
    "$HOME ${seed}.png",
    "~tilde.png",
    "+plus.png",
    "null.png",
    "1e5",
    "back\\slash.png",
    "100%.png",
    "a:b@c!.png",
]


def found(command, *argv):
    """The values of the overrides that Hydra is given, by key."""
    request = literal(command, Flags(command).read(argv))
    return {override.key_or_group: override.value() for override in parsed(request.overrides)}, request.multirun


def text(value):
    """What Hydra makes of a string."""
    return value.text if isinstance(value, QuotedString) else value


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()


@pytest.mark.parametrize("name", NAMES)
def test_the_name_of_a_file_is_a_name(tmp_path, name):
    (tmp_path / name).touch()
    assert is_path(name)
    for argument in (name, f"dataset.path={name}"):
        values, multirun = found("fit", argument, "seed=3")
        assert (text(values["dataset.path"]), values["seed"], multirun) == (name, 3, False)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("a=b.png", "dataset.path=c.png", "1e5")])
def test_a_file_that_is_missing_is_a_name_as_well(name):
    if not name.startswith(("~", "+")):
        assert text(found("fit", name)[0]["dataset.path"]) == name
    if "${" not in name:
        assert text(found("fit", f"dataset.path={name}")[0]["dataset.path"]) == name


OVERRIDES = (
    *("seed=1", "+a.b=c", "++a=b", "~callbacks.progress", "encoder=gaussian", "hydra/launcher=joblib"),
    *("encoder@model.encoder=x", "dataset.path=null", "dataset.path='a, b'", "dataset.path=glob:*.png"),
)


@pytest.mark.parametrize("override", OVERRIDES)
def test_overrides_stay_as_they_are(override):
    assert not is_path(override)
    assert literal("fit", Flags("fit").read([override])).overrides == [override]


def test_several_files_and_directories_are_sweeps(tmp_path):
    (tmp_path / "photos").mkdir()
    for name in ("b, 2.png", "a.png", ".hidden"):
        (tmp_path / "photos" / name).touch()
    with pytest.raises(FileNotFoundError, match=r"x\.png: no such file"):
        found("fit", "photos", "x.png")
    (tmp_path / "x.png").touch()
    values, multirun = found("fit", "photos", "x.png")
    assert multirun
    assert list(map(text, values["dataset.path"].list)) == ["photos/a.png", "photos/b, 2.png", "x.png"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty: is a directory without files"):
        found("fit", "empty")
    with pytest.raises(ValueError, match="expected one checkpoint, got a and b"):
        found("render", "a", "b")
    for name in ("a.png", "b.png"):
        (tmp_path / name).touch()
    values, _ = found("fit", "-m", "dataset.path=a.png,b.png")
    assert list(map(text, values["dataset.path"].list)) == ["a.png", "b.png"]


def test_the_home_directory_and_the_kind_of_signal_are_known(tmp_path):
    (tmp_path / "home" / "a b.png").touch()
    for argument in ("~/a b.png", "dataset.path=~/a b.png"):
        assert text(found("fit", argument)[0]["dataset.path"]) == str(tmp_path / "home" / "a b.png")
    assert found("fit", "bunny.OBJ")[0]["dataset"] == "occupancy"
    assert found("fit", "scene.npz")[0]["dataset"] == "nerf"
    assert found("fit", "bunny.obj", "dataset=mine")[0]["dataset"] == "mine"
    assert found("fit", "speech.wav")[0]["dataset"] == "audio"
    for name in ("photo.jpg", "either.zarr", "none.xyz"):
        assert "dataset" not in found("fit", name)[0]


def test_the_names_of_arrays_choose_the_dataset():
    for array, dataset in {"sinogram": "ct", "kspace": "mri", "images": "nerf"}.items():
        np.savez("arrays.npz", **{array: np.zeros(3), "angles": np.zeros(3)})
        assert found("fit", "arrays.npz")[0]["dataset"] == dataset
        assert found("fit", "arrays.npz", "dataset=volume")[0]["dataset"] == "volume"
    np.savez("arrays.npz", angles=np.zeros(3))
    Path("text.npz").write_text("no archive")
    for name in ("arrays.npz", "text.npz"):
        with pytest.raises(ValueError, match=r"one of.* sinogram \(dataset=ct\), kspace \(dataset=mri\)"):
            found("fit", name)


def test_every_command_takes_its_path_as_an_argument():
    for command in ("render", "mesh", "evaluate", "export"):
        assert text(found(command, "a run")[0]["checkpoint"]) == "a run"
    for command in ("table", "report"):
        assert text(found(command, "a run")[0]["run"]) == "a run"


def test_the_last_run_is_called_latest(command, tmp_path):
    code, _, err = command("render", "latest")
    assert (code, err) == (2, "ffnet render: latest: there is no run in outputs; expected a run directory\n")
    Image.linear_gradient("L").save("my photo, [1].png")
    assert command("fit", "my photo, [1].png", *SMALL)[0] == 0
    link = tmp_path / "outputs" / "latest"
    assert link.is_symlink()
    assert json.loads((link / "metrics.json").read_text())["steps"] == 20
    assert command("render", "latest", "output=a.png")[0] == 0
    assert command("fit", "resume=latest", "trainer.max_steps=22")[0] == 0
    assert json.loads((link / "metrics.json").read_text())["steps"] == 22
    assert command("table", "latest")[0] == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["dataset.path=a.obj"], "a.obj: is a mesh, which dataset=image does not fit; say dataset=occupancy"),
        (["dataset=occupancy", "a.png"], "a.png: is an image, which dataset=occupancy does not fit; say dataset=image"),
        (["dataset=image", "a.wav"], "a.wav: is sound, which dataset=image does not fit; say dataset=audio"),
        (
            ["a.zarr"],
            "a.zarr: is an array on disk, which dataset=image does not fit; say dataset=mapped or ",
        ),
        (["dataset=nerf", "a.mp4"], "a.mp4: is a video, which dataset=nerf does not fit"),
    ],
)
def test_a_signal_of_another_kind_is_told_its_dataset(command, tmp_path, argv, message):
    (tmp_path / argv[-1].partition("=")[2] if "=" in argv[-1] else tmp_path / argv[-1]).touch()
    code, _, err = command("fit", *argv)
    assert (code, len(err.splitlines())) == (2, 1)
    assert err.startswith(f"ffnet fit: {message}")


@pytest.mark.parametrize("argument", ["missing.jpg", "dataset.path=missing (1).jpg", "https://a.b/c.png"])
def test_a_missing_file_is_told_before_torch_is_imported(tmp_path, argument):
    program = "import sys; from ffnet.cli import main; code = main(sys.argv[1:]); print('torch' in sys.modules)"
    command = [sys.executable, "-c", f"{program}; sys.exit(code)", "fit", argument]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert len(done.stderr.splitlines()) == 1
    assert "is a URL" in done.stderr if "://" in argument else "no such file" in done.stderr
    assert not (tmp_path / "outputs").exists()


@pytest.mark.parametrize("name", NAMES)
def test_what_a_run_says_to_type_next_can_be_pasted_into_a_shell(name):
    class TensorBoardLogger:
        pass

    directory = Path("my runs") / name
    assert shlex.split(look(TensorBoardLogger(), directory)) == ["tensorboard", "--logdir", str(directory)]
    line = Left(3, directory).after(signal.SIGINT)
    assert shlex.split(line.partition("go on with: ")[2]) == ["ffnet", "fit", f"resume={directory}"]
