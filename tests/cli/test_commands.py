"""fit, render, evaluate, resume and sweeps, as a person runs them."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

import ffnet
from ffnet.cli import main
from ffnet.cli.compose import compose_config
from tests.conftest import SMALL, run_main


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def timeless(run):
    return {k: v for k, v in metrics(run).items() if "second" not in k}


def test_fit_leaves_a_run_folder_and_says_where_things_are(command, tmp_path):
    code, out, err = command("fit", *SMALL)
    assert (code, err) == (0, "")
    (run,) = (tmp_path / "outputs").glob("[0-9]*/*")
    assert {p.name for p in run.iterdir()} >= {
        "checkpoints",
        "metrics.json",
        "reconstruction.png",
        ".hydra",
        "fit.log",
    }
    assert len(list(run.glob("events*"))) == 1
    assert [p.name for p in (run / "checkpoints").iterdir()] == ["last.ckpt"]
    assert "psnr" in out
    assert f"tensorboard --logdir {run}" in out
    found = metrics(run)
    assert found["steps"] == 20
    assert found["parameters"] == 16 * 16 + 16 + 16 * 3 + 3
    assert {
        "psnr",
        "higher_is_better",
        "seconds",
        "samples_per_second",
        "seed",
        "device",
        "precision",
        "world_size",
        "versions",
    } <= set(found)


def test_the_reconstruction_scores_what_metrics_json_says(fitted):
    with Image.open(fitted / "reconstruction.png") as picture:
        reconstruction = np.asarray(picture) / 255
    target = ffnet.datasets.ImageDataset(size=[24, 20]).pixels.numpy() / 255
    psnr = -10 * np.log10(np.mean((reconstruction - target) ** 2))
    assert psnr == pytest.approx(metrics(fitted)["psnr"], abs=0.02)  # 8 bits


def test_load_gives_the_field(fitted):
    field = ffnet.load(fitted)
    x = torch.rand(5, 2)
    assert field(x).shape == (5, 3)
    assert torch.equal(field(x), ffnet.load(fitted / "checkpoints" / "last.ckpt")(x))
    with Image.open(fitted / "reconstruction.png") as picture:
        corner = np.asarray(picture)[0, 0] / 255
    np.testing.assert_allclose(field(torch.tensor([0.5 / 20, 0.5 / 24])).detach(), corner, atol=0.5 / 255 + 1e-5)


def test_evaluate_gives_the_same_score(command, fitted):
    code, out, err = command("evaluate", f"checkpoint={fitted}")
    assert (code, err.startswith("read    ")) == (0, True)  # and names what was read
    assert json.loads(out)["psnr"] == pytest.approx(metrics(fitted)["psnr"], abs=1e-9)


def test_evaluate_can_take_another_picture(command, fitted):
    code, out, _ = command("evaluate", f"checkpoint={fitted}", "+dataset.split=half")
    assert code == 0
    assert set(json.loads(out)) == {"psnr", "rest/psnr", "train/psnr"}


def test_evaluate_refuses_a_picture_with_other_channels(command, fitted, tmp_path):
    Image.new("L", (8, 8)).save(tmp_path / "grey.png")
    code, _, err = command("evaluate", f"checkpoint={fitted}", "+dataset.path=grey.png")
    assert code == 2
    assert "expected 3 values at points of 2 coordinates, got 1 at 2" in err


@pytest.fixture(scope="module")
def wide(tmp_path_factory):
    """The directory of a fit of 24 rows of 40 pixels."""
    folder = tmp_path_factory.mktemp("wide") / "run"
    assert run_main("fit", *SMALL, "dataset.size=[24,40]", "trainer.max_steps=5", f"hydra.run.dir={folder}") == 0
    return folder


def test_render_draws_any_size(command, fitted, tmp_path):
    code, out, _ = command("render", f"checkpoint={fitted}", "size=[50,30]", "output=large.png")
    assert code == 0
    assert "large.png" in out
    with Image.open(tmp_path / "large.png") as picture:
        assert picture.size == (30, 50)
    code, _, _ = command("render", f"checkpoint={fitted}", "output=own.png")
    assert (tmp_path / "own.png").read_bytes() == (fitted / "reconstruction.png").read_bytes()


@pytest.mark.parametrize(
    ("overrides", "size"),
    [
        (["scale=2"], (80, 48)),
        (["longest=100"], (100, 60)),
        (["size=100"], (100, 60)),
        (["crop=[8,4,24,20]"], (16, 16)),
        (["crop=[8,4,24,20]", "scale=3"], (48, 48)),
        (["crop=[8,4,28,9]", "longest=64"], (64, 16)),
        (["crop=[12,20]"], (20, 12)),
    ],
    ids=str,
)
def test_render_keeps_the_aspect_ratio(command, wide, tmp_path, overrides, size):
    code, _, err = command("render", f"checkpoint={wide}", *overrides, "output=part.png")
    assert code == 0, err
    with Image.open(tmp_path / "part.png") as image:
        assert image.size == size  # (width, height) of a fit of 40 x 24


def test_a_rendered_crop_is_that_part_of_the_whole(command, wide, tmp_path):
    assert command("render", f"checkpoint={wide}", "scale=4", "output=whole.png")[0] == 0
    assert command("render", f"checkpoint={wide}", "scale=4", "crop=[8,4,24,20]", "output=part.png")[0] == 0
    with Image.open(tmp_path / "whole.png") as whole, Image.open(tmp_path / "part.png") as part:
        expected = np.asarray(whole.crop((32, 16, 96, 80)), dtype=int)
        assert np.abs(expected - np.asarray(part, dtype=int)).max() <= 1


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["size=5", "scale=2"], "scale: expected null together with size"),
        (["scale=-1"], "scale: expected a number above 0"),
        (["scale=1e308"], "scale: expected a number above 0"),
        (["longest=big"], "longest: expected a number above 0"),
        (["scale=1e9"], "limits.pixels"),
        (["crop=[0,0,1000,5]"], "crop: expected [left, top, right, bottom]"),
        (["crop=5"], "crop: expected [left, top, right, bottom]"),
        (["size=[0,5]"], "size: expected [height, width]"),
        (["size=big"], "size: expected [height, width]"),
        (["output=a.txt"], "expected an image's name"),
        (["output=nowhere/a.png"], "is not a directory"),
        (["device=cuda:99"], "cuda"),
        (["device=toaster"], "toaster"),
        (["trust=[no.Such]"], "trust: cannot import 'no.Such'"),
        (["trust=[os.path.join]"], "trust: expected a class"),
    ],
)
def test_render_refuses(command, small_run, overrides, message):
    code, _, err = command("render", f"checkpoint={small_run}", *overrides)
    assert code == 2
    assert message.lower() in err.lower()
    assert len(err.strip().splitlines()) == 1


def test_the_same_seed_gives_the_same_weights_and_numbers(command, tmp_path, fitted):
    assert command("fit", *SMALL, "hydra.run.dir=again")[0] == 0
    assert timeless(fitted) == timeless(tmp_path / "again")
    one, two = (
        torch.load(r / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for r in (fitted, tmp_path / "again")
    )
    assert all(torch.equal(one[key], two[key]) for key in one)
    assert command("fit", *SMALL, "hydra.run.dir=other", "seed=1")[0] == 0
    assert timeless(fitted) != timeless(tmp_path / "other")


def test_resume_goes_on_to_more_steps_in_the_same_folder(command, fitted):
    record = (fitted / ".hydra" / "config.yaml").read_text()
    code, out, err = command("fit", f"resume={fitted}", "trainer.max_steps=35")
    assert (code, err) == (0, ""), (out, err)
    assert metrics(fitted)["steps"] == 35
    assert (fitted / ".hydra" / "config.yaml").read_text() == record
    assert command("fit", f"resume={fitted}")[0] == 0  # nothing left to do
    assert metrics(fitted)["steps"] == 35


def test_resume_takes_a_callback_that_the_run_did_not_have(command, fitted):
    added = "+callbacks.early._target_=lightning.pytorch.callbacks.EarlyStopping", "+callbacks.early.monitor=none"
    code, _, err = command("fit", f"resume={fitted}", "trainer.max_steps=25", *added)
    assert code == 2
    assert "EarlyStopping: expected monitor to be one of val/psnr, got 'none'" in err  # so it was there


@pytest.mark.parametrize("override", ["encoder=identity", "seed=3", "encoder.levels=9", "+dataset.path=x.png"])
def test_resume_refuses_to_change_what_is_fitted(command, fitted, override):
    code, _, err = command("fit", f"resume={fitted}", override)
    assert code == 2
    assert "a resumed run keeps its settings" in err


def test_resume_refuses_classes_it_does_not_know(command, fitted):
    path = fitted / "checkpoints" / "last.ckpt"
    contents = torch.load(path, weights_only=True)
    contents["ffnet"]["settings"]["loss"] = {"_target_": "os.system", "command": "touch ran"}
    torch.save(contents, path)
    code, _, err = command("fit", f"resume={fitted}")
    assert code == 2
    assert "asks for os.system, which ffnet does not know" in err
    assert not (fitted.parent / "ran").exists()


def test_a_run_that_diverges_ends_with_1_and_keeps_its_checkpoint(command, tmp_path):
    # The output is linear, so a rate of 1e30 overflows within a few steps.
    code, _, err = command("fit", *SMALL, "optimizer.lr=1e30", "model.output_activation=null", "hydra.run.dir=run")
    assert code == 1
    assert "try a lower optimizer.lr" in err
    assert len(err.strip().splitlines()) == 1
    assert not (tmp_path / "run" / "metrics.json").exists()
    assert ffnet.load(tmp_path / "run")(torch.rand(2, 2)).isfinite().all()


def test_a_sweep_has_a_folder_for_each_run_and_survives_a_failed_one(command, tmp_path):
    code, _, err = command("fit", "-m", *SMALL, "hydra.sweep.dir=sweep", "encoder.num_frequencies=3,0,4")
    assert code == 2
    assert "num_frequencies: expected an integer of at least 1, got 0" in err
    assert sorted(p.parent.name for p in (tmp_path / "sweep").glob("*/metrics.json")) == ["0", "2"]


@pytest.mark.parametrize("encoder", ["identity", "positional", "gaussian"])
@pytest.mark.parametrize("task", ["natural", "text", "natural_sweep", "text_sweep"])
def test_experiments_set_the_papers_protocol(capsys, task, encoder):
    assert main(["fit", f"experiment=tancik2020/{task}", f"encoder={encoder}", "--cfg", "job", "--resolve"]) == 0
    from omegaconf import OmegaConf

    config = OmegaConf.create(capsys.readouterr().out)
    task = task.removesuffix("_sweep")
    expected = {
        ("natural", "identity"): 1e-2,
        ("natural", "positional"): 1e-3,
        ("natural", "gaussian"): 1e-3,
    }
    assert config.optimizer.lr == expected.get((task, encoder), 1e-3)
    assert config.trainer.max_steps == 2000
    assert (config.dataset.size, config.dataset.split, config.dataset.batch_size, config.dataset.offset) == (
        [512, 512],
        "half",
        None,
        0.0,
    )
    assert config.loss._target_ == "ffnet.fitting.HalfMSELoss"
    assert config.schedule is None or config.schedule._target_.endswith("ConstantLR")
    assert (config.model.hidden_layers, config.model.hidden_features, config.model.initialization) == (
        3,
        256,
        "glorot",
    )
    if encoder == "gaussian":
        assert config.encoder.sigma == {"natural": 10, "text": 14}[task]
        assert config.encoder.num_frequencies == 256
    if encoder == "positional":
        assert config.encoder.max_frequency == {"natural": 2**6 - 1, "text": 2**5 - 1}[task]
        assert (config.encoder.num_frequencies, config.encoder.spacing) == (128, "shifted_log")


INSTRUMENTS = {
    ("ct", "identity"): (1e-2, None),
    ("ct", "positional"): (1e-3, 2**3 - 1),
    ("ct_sweep", "gaussian"): (1e-3, 4.0),
    ("mri", "basic"): (2e-3, None),
    ("mri", "positional"): (2e-3, 2**4 - 1),
    ("mri_sweep", "gaussian"): (2e-3, 5.0),
}


@pytest.mark.parametrize(("task", "encoder"), INSTRUMENTS)
def test_experiments_set_the_papers_instruments(capsys, task, encoder):
    assert main(["fit", f"experiment=tancik2020/{task}", f"encoder={encoder}", "--cfg", "job", "--resolve"]) == 0
    from omegaconf import OmegaConf

    config = OmegaConf.create(capsys.readouterr().out)
    lr, bandwidth = INSTRUMENTS[task, encoder]
    assert config.optimizer.lr == lr
    assert (config.trainer.max_steps, config.precision) == (1000, "32-true")
    assert config.schedule._target_.endswith("ConstantLR")
    assert config.loss._target_ == "ffnet.fitting.HalfMSELoss"
    network = (config.model.hidden_layers, config.model.hidden_features, config.model.initialization)
    assert (*network, config.model.output_activation._target_) == (3, 256, "glorot", "torch.nn.Sigmoid")
    assert config.encoder.get("max_frequency", config.encoder.get("sigma")) == bandwidth
    seen = {"ct": ("size", 512, "angles", 20, "batch_size", None), "mri": ("crop", [96, 96, 96], "keep", 0.126)}
    told = seen[task.removesuffix("_sweep")]
    assert all(config.dataset[key] == value for key, value in zip(told[::2], told[1::2], strict=True))


@pytest.mark.long
def test_the_papers_sweep_takes_every_mapping_and_picture(command, tmp_path):
    for name in ("a", "b"):
        Image.effect_noise((16, 16), 60).save(tmp_path / f"{name}.png")
    short = ["trainer.max_steps=1", "dataset.size=16", "model.hidden_features=8", "logger=none", "~callbacks.progress"]
    line = ["experiment=tancik2020/natural_sweep", "dataset.path=glob:*.png", *short, "hydra.sweep.dir=sweep"]
    assert command("fit", "-m", *line)[0] == 0
    _, out, _ = command("table", "run=sweep")
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in out.splitlines()[2:8]]
    assert [row[:2] for row in rows] == [
        [name, "2"] for name in ("identity", "basic", "positional", "gaussian", "bilinear", "bicubic")
    ]
    assert [row[-1] for row in rows] == ["19.32 ± 2.48", "21.71 ± 2.72", "24.95 ± 3.72", "25.57 ± 4.19", "", ""]
    (tmp_path / "sweep" / "7" / "metrics.json").unlink()
    shutil.rmtree(tmp_path / "sweep" / "6")
    code, _, _ = command("fit", "resume=sweep")
    assert code == 0
    assert len(list((tmp_path / "sweep").glob("*/metrics.json"))) == 8


def test_an_encoder_of_ones_own_needs_no_change_of_ffnet(command, tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        "import torch\n"
        "from ffnet.encoders import Encoder\n"
        "class Squares(Encoder):\n"
        "    def __init__(self, in_features, power=2):\n"
        "        super().__init__(in_features, 2 * in_features)\n"
        "        self.power = power\n"
        "    def encode(self, coordinates):\n"
        "        return torch.cat([coordinates, coordinates ** self.power], -1)\n"
    )
    (tmp_path / "conf" / "encoder").mkdir(parents=True)
    (tmp_path / "conf" / "encoder" / "squares.yaml").write_text("_target_: mine.Squares\npower: 3\n")
    monkeypatch.syspath_prepend(tmp_path)
    small = [o for o in SMALL if not o.startswith("encoder")]
    code, out, err = command("fit", *small, "--config-dir", "conf", "encoder=squares", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert command("render", "checkpoint=run")[0] == 2
    assert command("render", "checkpoint=run", "trust=[mine.Squares]")[0] == 0
    assert command("evaluate", "checkpoint=run", "trust=[mine.Squares]")[0] == 0
    assert command("fit", "resume=run", "trust=[mine.Squares]", "trainer.max_steps=25")[0] == 0


def test_any_module_of_ones_own_is_a_model(command, tmp_path, monkeypatch):
    (tmp_path / "net.py").write_text(
        "import torch\n"
        "class Net(torch.nn.Sequential):\n"
        "    def __init__(self, width, out_features):\n"
        "        super().__init__(torch.nn.Linear(2, width), torch.nn.ReLU(), torch.nn.Linear(width, out_features))\n"
    )
    (tmp_path / "conf" / "model").mkdir(parents=True)
    (tmp_path / "conf" / "model" / "net.yaml").write_text("_target_: net.Net\nwidth: 8\n")
    monkeypatch.syspath_prepend(tmp_path)
    small = [o for o in SMALL if not o.startswith(("encoder", "model"))]
    code, out, err = command("fit", *small, "--config-dir", "conf", "model=net", "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert "Net, 51 parameters" in out
    assert command("render", "run", "trust=[net.Net]")[0] == 0
    assert command("export", "run", "trust=[net.Net]", "output=net.pt2")[0] == 0
    assert command("fit", "resume=run", "trust=[net.Net]", "trainer.max_steps=25")[0] == 0
    assert ffnet.load(tmp_path / "run", trust=[__import__("net").Net])(torch.rand(4, 5, 2)).shape == (4, 5, 3)
    code, _, err = command("fit", *small, "--config-dir", "conf", "model=net", "+model.out_features=2")
    assert (code, "expected values of shape (n, 3), got [64, 2]" in err) == (2, True), err


def test_help_and_version(command):
    for argv in ([], ["--help"], ["-h"], ["help"]):
        code, out, _ = command(*argv)
        assert code == 0
        assert all(name in out for name in ("fit", "render", "mesh", "evaluate"))
    code, out, _ = command("--version")
    assert (code, out) == (0, f"ffnet {ffnet.__version__}\n")


@pytest.mark.parametrize("name", ["fit", "render", "mesh", "evaluate", "table", "report", "export", "ntk"])
def test_every_command_has_help(command, monkeypatch, name):
    monkeypatch.setenv("COLUMNS", "120")
    code, out, _ = command(name, "--help")
    assert code == 0
    assert f"ffnet {name}" in out
    assert len(out.splitlines()) <= 130  # two tall screens
    assert max(map(len, out.splitlines())) <= 125  # the name of a class is not broken
    assert all(flag in out for flag in ("-m,", "--config-dir", "--cfg"))


def test_help_has_each_setting_with_its_value_and_comment(command):
    _, out, _ = command("fit", "encoder=grid", "dataset.split=half", "--help")
    config = OmegaConf.to_container(compose_config("fit", ["encoder=grid", "dataset.split=half", "run_dir=x"]))
    for group in ("encoder", "dataset", "optimizer", "trainer", "engine"):
        for key in config[group]:
            if not key.startswith("_") and config[group][key] != f"${{{key}}}":
                assert f"  {group}.{key}=" in out
    assert re.search(r"^  dataset\.split=half +all \| half: train on", out, re.MULTILINE)
    assert re.search(r"^encoder=grid  ffnet.encoders.GridEncoder\s+or annealed, ", out, re.MULTILINE)
    assert "encoder.sigma" not in out


@pytest.mark.parametrize("recipe", ["paper", "quality", "fast"])
def test_recipes_fit(command, tmp_path, recipe):
    small = ["dataset.size=32", "dataset.batch_size=256", "trainer.max_steps=40", "trainer.accelerator=cpu"]
    # Muon orthogonalizes in bfloat16, which takes long where the processor has none.
    small += ["model.hidden_features=24", "model.hidden_layers=2"]
    code, out, err = command("fit", f"recipe={recipe}", *small, "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert command("fit", "resume=run", "trainer.max_steps=45")[0] == 0
    assert metrics(tmp_path / "run")["steps"] == 45
    assert ffnet.load(tmp_path / "run")(torch.rand(3, 2)).shape == (3, 3)
