"""Bad input: one line that says what was expected, exit code 2, no traceback, and nothing half-written."""

import io
import json
import pickle
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from tests.conftest import SMALL, png

IMAGE = png(Image.fromarray(np.random.default_rng(1).integers(0, 255, (32, 32, 3), dtype=np.uint8)))


def jpeg() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)).save(buffer, "JPEG")
    return buffer.getvalue()


def tiff() -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)).save(
        buffer, "TIFF", compression="tiff_lzw"
    )
    return buffer.getvalue()


def bomb() -> bytes:
    """A PNG of 100,000 x 100,000 pixels in a few bytes."""
    size = (100_000).to_bytes(4, "big")
    header = b"IHDR" + size + size + b"\x08\x02\x00\x00\x00"
    data = b"IDAT" + zlib.compress(b"\x00" * 100)

    def chunk(body: bytes) -> bytes:
        return (len(body) - 4).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")

    return b"\x89PNG\r\n\x1a\n" + chunk(header) + chunk(data) + chunk(b"IEND")


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("code-ran"),))


def foreign() -> bytes:
    buffer = io.BytesIO()
    torch.save({"state_dict": {"weight": torch.zeros(3)}, "epoch": 3}, buffer)
    return buffer.getvalue()


@pytest.fixture
def files(tmp_path, monkeypatch):
    """The bad files, in the folder where the commands run."""
    monkeypatch.syspath_prepend(tmp_path)
    contents = {
        "good.png": IMAGE,
        "empty.png": b"",
        "text.png": b"This is no image.",
        "cut.jpg": jpeg()[:700],
        "cut.tif": tiff()[:-200],
        "cut.png": IMAGE[: len(IMAGE) // 2],
        "stump.png": IMAGE[:20],
        "bomb.png": bomb(),
        "foreign.ckpt": foreign(),
        "cut.ckpt": foreign()[:500],
        "malicious.ckpt": pickle.dumps(Malicious()),
        "text.ckpt": b"no checkpoint",
        "long.ckpt": b"0.1 2\n" * 100,
        "broken.py": BROKEN.encode(),
    }
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "conf").mkdir()
    return tmp_path


# Classes of a user's, in a module of the user's.
BROKEN = """
import torch
from torchmetrics import MeanSquaredError
from ffnet.datasets import Dataset, Evaluation, TensorSource
from ffnet.encoders import Encoder
from ffnet.operators import Operator
from lightning.pytorch import Callback

class Sum(Operator):
    "One column, whatever the field has."
    def forward(self, field, queries, noise=None):
        return field(queries).sum(-1, keepdim=True)

class Lost(Operator):
    def forward(self, field, queries, noise=None):
        return {}["field"]

class Vector(MeanSquaredError):
    def compute(self):
        return torch.zeros(3)

class BrokenDataset(Dataset):
    def __init__(self, **settings):
        raise KeyError("line")

class BrokenEncoder(Encoder):
    def __init__(self, **settings):
        raise RuntimeError("two\\nlines")
    def encode(self, coordinates):
        return coordinates

class BrokenCallback(Callback):
    def __init__(self):
        raise ZeroDivisionError("division by zero")

class BrokenOptimizer(torch.optim.Adam):
    def __init__(self, parameters, **settings):
        raise RuntimeError("no optimizer")

class Line(Dataset):
    "Nothing that could be reconstructed."
    def __init__(self, mean=0.0, **settings):
        super().__init__()
        if mean < 0:
            raise KeyError("mean")
        self.in_features, self.out_features = 2, 1
        points = torch.rand(50, 2, generator=torch.Generator().manual_seed(0))
        self.source = TensorSource(points, points.sum(-1, keepdim=True) / 2 + mean)
        self.add_evaluation(Evaluation("", self.source, {"mse": MeanSquaredError()}))
"""

FIT = {
    "missing file": (["dataset.path=nowhere.png"], "nowhere.png: no such file; expected a signal to fit"),
    "folder": (["dataset.path=folder"], "folder: is a directory; expected an image"),
    "empty file": (["dataset.path=empty.png"], "empty.png: is empty"),
    "text named .png": (["dataset.path=text.png"], "text.png: is not an image that Pillow can open"),
    "truncated JPEG": (["dataset.path=cut.jpg"], "cut.jpg: damaged image"),
    "truncated PNG": (["dataset.path=cut.png"], "cut.png: damaged image"),
    "PNG without pixels": (["dataset.path=stump.png"], "stump.png: "),
    "decompression bomb": (["dataset.path=bomb.png"], "bomb.png: has more than 268435456 pixels"),
    "crop of no size": (
        ["dataset.crop=[0,4]"],
        "crop: expected [height, width] of at least 1 pixel each, got [0, 4]",
    ),
    "crop larger than the image": (["dataset.crop=9999"], "crop: expected at most the image's"),
    "negative size": (["dataset.size=-3"], "size: expected [height, width]"),
    "unknown split": (["dataset.split=quarter"], "split: expected one of all, half, got 'quarter'"),
    "batch of nothing": (["dataset.batch_size=0"], "batch_size: expected at least 1 pixel"),
    "batch that is a word": (
        ["dataset.batch_size=many"],
        "batch_size: expected at least 1 pixel, or null for all, got 'many'",
    ),
    "sigma negative": (
        ["encoder=gaussian", "encoder.sigma=-1"],
        "sigma: expected a finite number above 0, got -1",
    ),
    "sigma zero": (["encoder=gaussian", "encoder.sigma=0"], "sigma: expected a finite number above 0, got 0"),
    "sigma NaN": (
        ["encoder=gaussian", "encoder.sigma=nan"],
        "sigma: expected a finite number above 0, got nan",
    ),
    "sigma a word": (
        ["encoder=gaussian", "encoder.sigma=ten"],
        "sigma: expected a finite number above 0, got 'ten'",
    ),
    "three sigmas in 2D": (
        ["encoder=gaussian", "encoder.sigma=[1,2,3]"],
        "sigma: expected one number or 2, got 3",
    ),
    "composite, other signal": (
        ["encoder=composite", "encoder.encoders=[{_target_: ffnet.encoders.IdentityEncoder, in_features: 3}]"],
        "encoder: expected one of 2 coordinates, got one of 3",
    ),
    "unknown encoder": (
        ["encoder=fourier"],
        "there is no encoder 'fourier'; expected one of annealed, basic, centred, composite, gaussian, grid, ",
    ),
    "misspelt key": (["encoder=gaussian", "encoder.sgima=3"], "encoder.sgima; did you mean encoder.sigma?"),
    "misspelt group": (["encodr=gaussian"], "there is no setting encodr; did you mean encoder?"),
    "misspelt deeper": (
        ["callbacks.checkpoints.every_n_step=3"],
        "there is no setting callbacks.checkpoints.every_n_step; did you mean callbacks.checkpoints.every_n_steps?",
    ),
    "unknown argument": (["+encoder.colour=red"], "colour"),
    "no encoder": (
        ["encoder.num_frequencies=0"],
        "num_frequencies: expected an integer of at least 1, or auto, got 0",
    ),
    "negative steps": (
        ["trainer.max_steps=-5"],
        "trainer.max_steps: expected an integer of at least 1, or auto, got -5",
    ),
    "no steps": (["trainer.max_steps=0"], "trainer.max_steps: expected an integer of at least 1, or auto, got 0"),
    "steps that are a word": (["trainer.max_steps=many"], "trainer.max_steps: expected an integer"),
    "negative rate": (["optimizer.lr=-1"], "learning rate: -1"),
    "rate that is a word": (["optimizer.lr=abc"], "optimizer.lr: expected a number, got 'abc'"),
    "schedule that cannot step": (["schedule.T_max=''"], "schedule.T_max: expected a number, got ''"),
    "accumulation": (["+trainer.accumulate_grad_batches=2"], "raise dataset.batch_size instead"),
    "negative clipping": (
        ["trainer.gradient_clip_val=-1"],
        "trainer.gradient_clip_val: expected a finite number above 0",
    ),
    "clipping of another kind": (
        ["trainer.gradient_clip_val=1", "trainer.gradient_clip_algorithm=layer"],
        "trainer.gradient_clip_algorithm: expected norm or value, got 'layer'",
    ),
    "loss of many numbers": (
        ["+loss.reduction=none"],
        "loss: RuntimeError: grad can be implicitly created only for scalar outputs",
    ),
    "size that is too large": (["dataset.size=[100000,100000]"], "size: expected at most 268435456 pixels"),
    "limit that is none": (["limits.pixels=many"], "limits.pixels: expected an integer of at least 1, or null"),
    "limits that are none": (["limits=null"], "limits: expected"),
    "unknown limit": (["+limits.colours=3"], "limits: expected pixels, points, parameters, corners, jobs, got colours"),
    "file with an escape": (["dataset.path='a\x1b[2Jb.png'"], "a\\x1b[2Jb.png: no such file"),
    "file that Pillow's C libraries complain about": (["dataset.path=cut.tif"], "cut.tif: "),
    "negative seed": (["seed=-1"], "seed: expected an integer"),
    "no interval": (["callbacks.checkpoints.every_n_steps=0"], "every_n_steps: expected at least 1, or null, got 0"),
    "width of zero": (["model.hidden_features=0"], "hidden_features: expected"),
    "unknown start": (["model.initialization=zeros"], "initialization: expected one of torch, glorot, he"),
    "unknown activation": (
        ["model.activation._target_=torch.nn.Relu"],
        "no Relu in torch.nn; did you mean torch.nn.ReLU?",
    ),
    "class that cannot be imported": (["encoder._target_=no_such_module.Encoder"], "no_such_module"),
    "missing CUDA": (["trainer.accelerator=cuda"], "expected cpu or auto, since torch finds no such device"),
    "unknown accelerator": (["trainer.accelerator=abacus"], "abacus"),
    "unknown precision": (["trainer.precision=7"], "7"),
    "unwritable output folder": (["hydra.run.dir=good.png/run"], "good.png"),
    "resume from nowhere": (["resume=nowhere"], "resume: expected a run directory, got nowhere"),
    "resume from a file": (["resume=foreign.ckpt"], "resume: expected a run directory, got foreign.ckpt"),
    "resume from an empty folder": (["resume=folder"], "has no checkpoints/last.ckpt"),
    "no key": (["justaword"], "justaword"),
    "unbalanced bracket": (["dataset.size=[3,"], "dataset.size=[3,"),
    "unknown flag": (["--sideways"], "--sideways; see ffnet fit --help"),
    "missing config folder": (["--config-dir", "nowhere"], "nowhere"),
    "unknown part of an experiment": (
        ["experiment=tancik2020/texts"],
        "there is no experiment/tancik2020 'texts'; did you mean text?",
    ),
    "flags that exclude each other": (["-m", "--cfg", "job"], "expected one of --multirun, --cfg, --info"),
    "unknown experiment": (["experiment=tancik2021"], "there is no experiment 'tancik2021'; see --help"),
    "unknown metric": (
        ["+dataset.metrics.x._target_=torchmetrics.image.Nonsense"],
        "there is no Nonsense in torchmetrics.image",
    ),
    "metric that is none": (
        ["+dataset.metrics.x._target_=torch.nn.MSELoss"],
        "metrics.x: expected a torchmetrics.Metric, got MSELoss",
    ),
    "metric of many numbers": (
        ["+dataset.metrics.x._target_=broken.Vector"],
        "metrics.x: expected one number, got a tensor of shape (3,)",
    ),
    "metric too large for the image": (
        [
            "dataset.size=8",
            "+dataset.metrics.x._target_=torchmetrics.image.MultiScaleStructuralSimilarityIndexMeasure",
            "+dataset.metrics.x.data_range=1.0",
        ],
        "metrics.x: MultiScaleStructuralSimilarityIndexMeasure cannot score this signal",
    ),
    "operator of another number of values": (
        ["++dataset.operator._target_=broken.Sum"],
        "operator: Sum observes 1 columns of this field of 3 values, expected 3 as the data have",
    ),
    "operator that fails": (
        ["++dataset.operator._target_=broken.Lost"],
        "operator: Lost cannot observe this field (KeyError: 'field')",
    ),
    "operator that is none": (
        ["++dataset.operator._target_=torch.nn.Identity"],
        "operator: expected an ffnet.operators.Operator, got Identity",
    ),
    "sampler that is none": (
        ["++dataset.sampler._target_=torch.nn.Identity"],
        "sampler: expected an ffnet.sampling.Sampler, got Identity",
    ),
    "dataset that is none": (
        ["dataset._target_=builtins.dict"],
        "dataset: expected an ffnet.datasets.Dataset, got dict",
    ),
    "dataset that raises": (
        ["dataset._target_=broken.BrokenDataset"],
        "broken.BrokenDataset raised KeyError: 'line'",
    ),
    "encoder that raises": (
        ["encoder._target_=broken.BrokenEncoder"],
        "encoder: broken.BrokenEncoder raised RuntimeError: two lines",
    ),
    "callback that raises": (
        ["+callbacks.x._target_=broken.BrokenCallback"],
        "broken.BrokenCallback raised ZeroDivisionError: division by zero",
    ),
    "optimizer that raises": (["optimizer._target_=broken.BrokenOptimizer"], "optimizer: RuntimeError: no optimizer"),
    "regularizer without a weight": (
        ["+regularizers.x._target_=ffnet.fitting.TotalVariation"],
        "TotalVariation needs a value for weight",
    ),
    "regularizer that is none": (
        ["+regularizers.x._target_=torch.nn.Identity"],
        "regularizers.x: expected an ffnet.fitting.Regularizer, got Identity",
    ),
}

OTHERS = {
    "render without a checkpoint": (["render"], "checkpoint"),
    "render from nowhere": (["render", "checkpoint=nowhere"], "nowhere: no such file or directory"),
    "render another's checkpoint": (["render", "checkpoint=foreign.ckpt"], "is not a checkpoint of ffnet"),
    "render a truncated checkpoint": (
        ["render", "checkpoint=cut.ckpt"],
        "cut.ckpt: damaged, or no checkpoint",
    ),
    "render a malicious checkpoint": (
        ["render", "checkpoint=malicious.ckpt"],
        "malicious.ckpt: damaged, or no checkpoint",
    ),
    "render a text": (["render", "checkpoint=text.ckpt"], "text.ckpt: "),
    "render a text of many lines": (["render", "checkpoint=long.ckpt"], "long.ckpt: "),
    "package of no settings": (["render", "--cfg", "job", "--package", "nowhere"], "package 'nowhere' not found"),
    "evaluate an image": (["evaluate", "checkpoint=good.png"], "good.png: "),
    "evaluate from nowhere": (["evaluate", "checkpoint=nowhere"], "nowhere: no such file or directory"),
    "export without a checkpoint": (["export"], "checkpoint"),
    "export from nowhere": (["export", "checkpoint=nowhere"], "nowhere: no such file or directory"),
    "export another's checkpoint": (["export", "checkpoint=foreign.ckpt"], "is not a checkpoint of ffnet"),
    "unknown command": (["paint"], "unknown command 'paint'; expected one of fit, render, mesh, evaluate"),
}


def check(done, message, folder, before):
    code, out, err = done
    assert code == 2, (out, err)
    assert len(err.strip().splitlines()) == 1, err
    assert message in err
    assert "Traceback" not in out + err
    assert set(folder.rglob("*")) == set(before)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("case", FIT)
@pytest.mark.sampled(3)
def test_fit_refuses(command, files, case):
    overrides, message = FIT[case]
    before = set(files.rglob("*"))
    small = [o for o in SMALL if not o.startswith(("dataset.size", "encoder"))]
    check(command("fit", *small, *overrides), message, files, before)


@pytest.mark.parametrize("case", OTHERS)
def test_other_commands_refuse(command, files, case):
    argv, message = OTHERS[case]
    before = set(files.rglob("*"))
    check(command(*argv), message, files, before)


@pytest.mark.usefixtures("files")
def test_a_task_without_a_reconstruction_has_scores_alone(command, tmp_path):
    small = [o for o in SMALL if not o.startswith("dataset")]
    code, out, err = command("fit", *small, "dataset._target_=broken.Line", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert not list((tmp_path / "run").glob("reconstruction*"))
    found = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert found["higher_is_better"] == {"mse": False}
    code, out, _ = command("evaluate", "checkpoint=run", "trust=[broken.Line]")
    assert (code, json.loads(out)) == (0, {"mse": pytest.approx(found["mse"], rel=1e-6)})
    for name, kind in (("render", "an image, recording, video, volume or scene"), ("mesh", "a shape")):
        code, _, err = command(name, "checkpoint=run")
        assert code == 2
        assert err.endswith(f"expected the fit of {kind}, got that of a task without a reconstruction\n")
        assert len(err.splitlines()) == 1
    code, _, err = command("evaluate", "checkpoint=run", "trust=[broken.Line]", "+dataset.mean=-1")
    assert (code, err) == (2, "ffnet evaluate: broken.Line raised KeyError: 'mean'\n")


@pytest.fixture
def change(fitted):
    """Changes what the checkpoint of a run holds."""
    path = fitted / "checkpoints" / "last.ckpt"
    contents = torch.load(path, weights_only=True)

    def changed(function):
        function(contents)
        torch.save(contents, path)

    return changed


CONTENTS = {
    "no state": (lambda saved: saved.pop("state_dict"), "lacks state_dict"),
    "no settings": (lambda saved: saved["ffnet"].pop("settings"), "lacks settings"),
    "no field": (lambda saved: saved["ffnet"].pop("field"), "lacks field"),
    "a field without a class": (lambda saved: saved["ffnet"].update(field={}), "last.ckpt: "),
    "a field that is a number": (lambda saved: saved["ffnet"].update(field=3), "last.ckpt: "),
    "a record of another size": (lambda saved: saved["ffnet"]["signal"].update(channels=4), "last.ckpt: "),
    "a record of no mode": (lambda saved: saved["ffnet"]["signal"].update(mode="XYZ"), "last.ckpt: "),
    "weights that are not finite": (
        lambda saved: next(iter(saved["state_dict"].values())).fill_(float("nan")),
        "last.ckpt: has weights that are not finite numbers",
    ),
}


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("case", CONTENTS)
def test_a_checkpoint_that_lacks_a_part_is_refused(command, change, tmp_path, case):
    lack, message = CONTENTS[case]
    change(lack)
    before = set(tmp_path.rglob("*"))
    check(command("render", "checkpoint=run"), message, tmp_path, before)


RENDERINGS = {
    "trust that is no name": (["trust=[1]"], "trust: expected module.Class, got 1"),
    "trust that is no list": (["trust=3"], "trust: expected a list of module.Class, got 3"),
    "no size": (["size=0"], "size: expected [height, width] of at least 1 pixel each, got 0"),
    "an empty size": (["size=[]"], "size: expected [height, width] of at least 1 pixel each, got []"),
    "a false size": (["size=false"], "size: expected [height, width] of at least 1 pixel each, got False"),
    "a device without numbers": (["device=meta"], "device: expected"),
    "a format for smaller images": (
        ["output=a.webp", "size=[1,20000]"],
        "WEBP cannot hold an image of 1 x 20000 pixels",
    ),
    "a format that would shrink it": (["output=a.ico", "size=[300,20]"], "ICO cannot hold an image of 300 x 20 pixels"),
    "a device file": (["output=/dev/null"], "output: "),
    "a directory": (["output=folder.png"], "folder.png, which is a directory"),
    "a name that is too long": ([f"output={'x' * 300}.png"], "File name too long"),
}


@pytest.mark.parametrize("case", RENDERINGS)
@pytest.mark.usefixtures("fitted")
def test_an_image_that_cannot_be_written_is_found_before_it_is_rendered(command, tmp_path, case, monkeypatch):
    from ffnet.signals import ImageRecord

    sizes = []
    render = ImageRecord.render
    monkeypatch.setattr(
        ImageRecord, "render", lambda *args, **options: sizes.append(args[2]) or render(*args, **options)
    )
    (tmp_path / "folder.png").mkdir()
    before = set(tmp_path.rglob("*"))
    overrides, message = RENDERINGS[case]
    check(command("render", "checkpoint=run", *overrides), message, tmp_path, before)
    assert set(sizes) <= {(1, 1)}
    assert Path("/dev/null").is_char_device()


@pytest.mark.parametrize("command_of", ["table", "report"])
def test_several_directories_of_runs_are_refused(command, tmp_path, command_of):
    (tmp_path / "b").mkdir()
    code, _, err = command(command_of, "run=[a,b,c]")
    assert (code, err) == (2, f"ffnet {command_of}: run: expected a run or sweep directory, got ['a', 'b', 'c']\n")


@pytest.mark.parametrize("command_of", ["table", "report"])
@pytest.mark.sampled(2)
def test_one_damaged_run_does_not_stop_the_others(command, tmp_path, command_of):
    from tests.runs.folders import write_run

    for name in ("0", "1", "2", "3"):
        write_run(tmp_path / "runs" / name, [f"seed={name}"], {"psnr": 1.0, "higher_is_better": {"psnr": True}})
    (tmp_path / "runs" / "1" / "metrics.json").write_text("[" * 100_000)
    (tmp_path / "runs" / "2" / ".hydra" / "overrides.yaml").write_text("{" * 5_000)
    (tmp_path / "runs" / "3" / "metrics.json").write_bytes(b"\xff\x00")
    code, out, err = command(command_of, "run=runs")
    assert (code, err) == (0, "")
    if command_of == "table":
        assert out.count("damaged record") == 3
