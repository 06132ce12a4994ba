"""Each input without a bound is refused within a memory of 1 GiB, with a line that names the setting that raises it."""

import io
import json
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import torch

from tests.conftest import SMALL, SMALL_SHAPE, png
from tests.harness import forked

pytestmark = pytest.mark.untraced

LONG = pytest.mark.long

NETWORK = [override for override in SMALL if not override.startswith(("dataset.", "encoder", "model"))]
SHAPE = [override for override in SMALL_SHAPE if not override.startswith(("dataset.", "encoder"))]
SCENE = ["dataset=nerf", "dataset.path=scene.npz"]


def refused(argv, folder, setting):
    """Asserts that the command is refused in one line that names ``setting``, in 1 GiB."""
    done = forked.run(argv, folder, memory=2**30)
    assert done.code == 2, done
    assert len(done.err.splitlines()) == 1, done.err
    assert f"{setting}=... allows more" in done.err or f"raise {setting}" in done.err, done.err
    assert not [path for path in folder.iterdir() if path.name == "outputs"]


@pytest.fixture(scope="module", autouse=True)
def loaded():
    forked.preload()


FITS = {
    "an image resized": ([*NETWORK, "dataset.size=[100000,100000]"], "limits.pixels"),
    "a batch": ([*NETWORK, "dataset.batch_size=1000000000"], "limits.points"),
    "a phantom": ([*NETWORK, "dataset=ct", "dataset.size=100000"], "limits.pixels"),
    "lines": ([*NETWORK, "dataset=ct", "dataset.angles=100000000"], "limits.points"),
    "points along a line": ([*NETWORK, "dataset=ct", "dataset.samples=1000000000"], "limits.points"),
    "levels of a grid": ([*NETWORK, "encoder=grid", "encoder.levels=1000000000"], "limits.parameters"),
    "frequencies": ([*NETWORK, "encoder=gaussian", "encoder.num_frequencies=60000000"], "limits.parameters"),
    "a hidden layer": ([*NETWORK, "model.hidden_features=20000"], "limits.parameters"),
    "hidden layers": ([*NETWORK, "model.hidden_layers=1000000"], "limits.parameters"),
    "a pool": ([*SHAPE, "dataset.pool=1000000000"], "limits.points"),
    "scored points": ([*SHAPE, "dataset.scored_points=1000000000"], "limits.points"),
    "the surface of a run": ([*SHAPE, "dataset.resolution=100000"], "limits.points"),
    "jobs that are typed": (["-m", "seed=range(0,1000000000000)"], "limits.jobs"),
    "combinations": (
        ["-m", *(f"{key}=range(0,999)" for key in ("seed", "dataset.size", "trainer.max_steps"))],
        "limits.jobs",
    ),
    "jobs of a permutation": (["-m", "seed=shuffle(range(0,1000000000000))"], "limits.jobs"),
    "a limit": ([*NETWORK, "limits.pixels=10"], "limits.pixels"),
}


@pytest.mark.parametrize("case", FITS)
@pytest.mark.sampled(2)
def test_fit_refuses_what_has_no_bound(tmp_path, case):
    overrides, setting = FITS[case]
    refused(["fit", *overrides], tmp_path, setting)


@pytest.mark.parametrize("cases", [["an image resized", "hidden layers", "a pool"], pytest.param([*FITS], marks=LONG)])
def test_fit_refuses_it_before_the_imports_that_take_longest(tmp_path, cases):
    script = (
        "import json, sys; from ffnet.cli import main;"
        "codes = [main(['fit', *case]) for case in json.load(sys.stdin)];"
        "print(json.dumps([codes, sorted({'lightning', 'torchmetrics', 'torch._dynamo'} & {*sys.modules})]))"
    )
    asked = json.dumps([FITS[case][0] for case in cases])
    done = subprocess.run([sys.executable, "-c", script], input=asked, text=True, capture_output=True, cwd=tmp_path)
    codes, imported = json.loads(done.stdout.splitlines()[-1])
    assert codes == [2] * len(cases), done.stderr
    assert imported == []


@pytest.fixture(scope="module")
def fits(tmp_path_factory):
    """A fit of an image, and one of a shape."""
    folder = tmp_path_factory.mktemp("fits")
    for name, settings in (("image", SMALL), ("shape", SMALL_SHAPE)):
        small = [setting for setting in settings if not setting.startswith("trainer.max_steps")]
        done = forked.run(["fit", *small, "trainer.max_steps=2", f"hydra.run.dir={name}"], folder)
        assert done.code == 0, done
    return folder


OTHERS = {
    "a rendering": (["render", "checkpoint=image", "size=[100000,100000]"], "limits.pixels"),
    "a mesh": (["mesh", "checkpoint=shape", "resolution=100000"], "limits.points"),
    "an image resized": (["evaluate", "checkpoint=image", "+dataset.size=[100000,100000]"], "limits.pixels"),
    "a pool": (["evaluate", "checkpoint=shape", "+dataset.pool=1000000000"], "limits.points"),
}


@pytest.mark.parametrize("case", OTHERS)
@pytest.mark.sampled(2)
def test_other_commands_refuse_what_has_no_bound(fits, case):
    argv, setting = OTHERS[case]
    refused(argv, fits, setting)


def test_a_small_file_cannot_ask_for_a_large_field(fits, tmp_path):
    contents = torch.load(fits / "image" / "checkpoints" / "last.ckpt", weights_only=True)
    contents["ffnet"]["field"] |= {"hidden_features": 20_000, "hidden_layers": 3}
    torch.save(contents, tmp_path / "large.ckpt")
    refused(["render", "checkpoint=large.ckpt"], tmp_path, "limits.parameters")
    for name, weight in contents["state_dict"].items():  # of the shape, but without the memory
        contents["state_dict"][name] = torch.zeros(1).expand(20_000 if weight.ndim == 1 else (20_000, 20_000))
    torch.save(contents, tmp_path / "large.ckpt")
    refused(["render", "checkpoint=large.ckpt"], tmp_path, "limits.parameters")


def test_a_record_cannot_ask_for_endless_jobs(tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_text(
        "hydra:\n  sweeper:\n    _target_: hydra._internal.core_plugins.basic_sweeper.BasicSweeper\n"
        "  runtime:\n    config_sources: []\n"
        "  overrides:\n    task: ['seed=range(0,1000000)', 'dataset.size=range(1,1000000)']\n"
    )
    for argv in (["fit", "resume=sweep"], ["table", "run=sweep"], ["report", "run=sweep"]):
        refused(argv, tmp_path, "limits.jobs")


def test_an_archive_is_not_unpacked_beyond_the_limit(tmp_path):
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        header, {"descr": "<f4", "fortran_order": False, "shape": (100, 20_000, 20_000, 3)}
    )
    with zipfile.ZipFile(tmp_path / "scene.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("images.npy", header.getvalue() + bytes(2**27))
    refused(["fit", *NETWORK, *SCENE], tmp_path, "limits.points")


def test_a_face_of_many_corners_is_refused(tmp_path):
    angles = np.linspace(0, 2 * np.pi, 80_000, endpoint=False)
    lines = [f"v {np.cos(a):.9f} {np.sin(a):.9f} 0" for a in angles] + ["v 0 0 1", "f 1 2 80001"]
    (tmp_path / "disk.obj").write_text("\n".join([*lines, "f " + " ".join(map(str, range(1, 80_001)))]))
    refused(["fit", *SMALL_SHAPE, "dataset.path=disk.obj"], tmp_path, "limits.corners")


def test_a_raised_limit_lets_it_pass(command, tmp_path):
    from PIL import Image

    (tmp_path / "a.png").write_bytes(png(Image.new("RGB", (30, 20))))
    small = [*(o for o in SMALL if not o.startswith("dataset.size")), "dataset.path=a.png", "trainer.max_steps=1"]
    assert command("fit", *small, "limits.pixels=599")[0] == 2
    assert command("fit", *small, "limits.pixels=600", "hydra.run.dir=run")[0] == 0
    assert command("fit", *small, "limits.pixels=599", "dataset.max_pixels=600", "hydra.run.dir=b")[0] == 0
    assert command("render", "checkpoint=run", "size=[30,21]", "limits.pixels=600")[0] == 2
    assert command("render", "checkpoint=run", "size=[30,20]", "limits.pixels=600")[0] == 0
