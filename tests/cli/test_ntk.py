"""ffnet ntk, as a person runs it."""

import json

import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.conftest import SMALL, SMALL_SHAPE

FEW = ("ntk.points=32", "ntk.line=16", "ntk.steps=5", "hydra.run.dir=run")


def test_ntk_writes_an_image_and_numbers(command, tmp_path):
    code, out, err = command("ntk", *SMALL, *FEW)
    assert (code, err) == (0, "")
    assert "Adam moves it by" in out
    report = json.loads((tmp_path / "run" / "ntk.json").read_text())
    assert len(report["row"]) == 16
    assert len(report["eigenvalues_by_frequency"]) == len(report["decay_steps_by_frequency"]) == 9
    assert report["octaves"] == [[1, 1], [2, 3], [4, 7], [8, 8]]
    assert report["points"] == 32
    lengths = {len(report[f"{name}_psnr"]) for name in ("predicted", "trained", "optimizer")}
    assert lengths == {6}
    # Before the first step there is nothing to predict.
    assert report["predicted_psnr"][0] == pytest.approx(report["trained_psnr"][0])
    assert report["optimizer_psnr"][0] == pytest.approx(report["trained_psnr"][0])
    with Image.open(tmp_path / "run" / "ntk.png") as image:
        assert image.size == (1320, 960)


def test_the_default_with_its_automatic_settings_has_a_kernel(command, tmp_path):
    own = ("encoder", "dataset.batch_size", "trainer.max_steps")
    code, out, err = command("ntk", *(words for words in SMALL if not words.startswith(own)), *FEW)
    assert (code, err) == (0, "")
    assert "auto    dataset.batch_size=8192, trainer.max_steps=400" in out
    assert json.loads((tmp_path / "run" / "ntk.json").read_text())["points"] == 32


@pytest.mark.parametrize("pool", ["null", "512"])
@pytest.mark.sampled(2)
def test_shapes_have_a_kernel_whether_their_points_have_numbers_or_not(command, tmp_path, pool):
    code, out, err = command("ntk", *SMALL_SHAPE, *FEW, f"dataset.pool={pool}")
    assert (code, err) == (0, "")
    assert "the loss of fit is BCEWithLogitsLoss" in out
    assert json.loads((tmp_path / "run" / "ntk.json").read_text())["points"] == 32


def test_the_optimizer_s_curve_is_that_of_the_settings(command, tmp_path):
    command("ntk", *SMALL, *FEW, "optimizer.lr=1e-9")
    report = json.loads((tmp_path / "run" / "ntk.json").read_text())
    assert report["optimizer_psnr"][5] == pytest.approx(report["optimizer_psnr"][0], abs=1e-5)
    assert report["kernel_drift"][1] < 1e-6 < report["kernel_drift"][0]


def test_a_run_is_watched_in_tensorboard_and_resumed(command, tmp_path):
    watched = ("callbacks=kernel", "callbacks.kernel.every_n_steps=10", "callbacks.kernel.points=32")
    code, _, err = command("fit", *SMALL, *watched, "hydra.run.dir=run")
    assert (code, err) == (0, "")
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    assert [entry.step for entry in events.Scalars("kernel/drift")] == [0, 10, 20]
    assert {"kernel/eigenvalue_5", "kernel/effective_rank"} <= set(events.Tags()["scalars"])
    for band in ("0-1", "1-2", "2-4", "4-8", "8-16"):
        found = [events.Scalars(f"band_{kind}/{band}")[0].value for kind in ("error", "predicted")]
        assert found[0] == pytest.approx(found[1])
    code, _, err = command("fit", "resume=run", "trainer.max_steps=30")
    assert (code, err) == (0, "")


def test_the_help_says_what_can_be_studied(command):
    code, out, _ = command("ntk", "--help")
    assert code == 0
    for words in ("ntk.study=kernel", "regression: an image", "ensemble: uncertainty on a line", "ntk.networks=50"):
        assert words in " ".join(out.split())


STATIONARY = ("recipe=paper", "model.hidden_features=16", "dataset.size=[24,20]", "hydra.run.dir=run")


def test_an_image_by_kernel_regression_and_by_the_network_is_drawn(command, tmp_path):
    code, out, err = command("ntk", "ntk.study=regression", *STATIONARY, "trainer.max_steps=20")
    assert (code, err) == (0, "")
    assert "dB by the network after as many steps of fit" in out
    report = json.loads((tmp_path / "run" / "ntk.json").read_text())
    assert (report["size"], report["steps"], report["network"]["steps"][-1]) == ([24, 20], 20, 20)
    assert report["regression"]["train"] > 90 > report["regression"]["held_out"]
    assert report["residual"] < 1e-5
    with Image.open(tmp_path / "run" / "ntk.png") as image:
        assert image.width == 1560


def test_the_network_of_the_regression_is_that_of_fit(command, tmp_path):
    settings = (*STATIONARY, "trainer.max_steps=10", "dataset.batch_size=null", "precision=32-true")
    command("ntk", "ntk.study=regression", *settings)
    curve = json.loads((tmp_path / "run" / "ntk.json").read_text())["network"]
    command("fit", *settings[:-1], "precision=32-true", "dataset.split=half", "overwrite=true")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert curve["held_out"][-1] == pytest.approx(metrics["psnr"], abs=1e-3)
    assert curve["train"][-1] == pytest.approx(metrics["train/psnr"], abs=1e-3)


def test_an_ensemble_on_a_line_is_drawn(command, tmp_path):
    few = ("ntk.networks=3", "ntk.data=5", "ntk.steps=4", "model.initialization=he", "encoder.sigma=2")
    code, out, err = command("ntk", "ntk.study=ensemble", *STATIONARY, *few)
    assert (code, err) == (0, "")
    assert "that of 3 networks is" in out
    report = json.loads((tmp_path / "run" / "ntk.json").read_text())
    assert (len(report["known"]), len(report["values"]), report["steps"]) == (5, 20, [0, 1, 2, 4])
    samples = report["samples"][0]
    assert samples[0] != samples[1]  # their weights differ
    with Image.open(tmp_path / "run" / "ntk.png") as image:
        assert image.size == (1540, 880)


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("ntk.points=1", "ntk.points"),
        ("ntk.points=100000", "2 to 2048"),
        ("ntk.points=many", "'many'"),
        ("ntk.line=2.5", "ntk.line"),
        ("ntk.line=null", "None"),
        ("ntk.lr=2", "ntk.lr"),
        ("ntk.lr=fast", "'fast'"),
        ("ntk.steps=0", "ntk.steps"),
        ("ntk.width=3", "ntk.width"),
        ("ntk.study=width", "expected one of kernel, regression, ensemble, bandwidth, got 'width'"),
        ("optimizer.lr=-1", "rate"),
        ("dataset.path=nowhere.png", "nowhere.png"),
        ("model.hidden_features=0", "hidden_features"),
    ],
)
@pytest.mark.sampled(3)
def test_bad_settings_end_in_one_line(command, setting, named):
    code, _, err = command("ntk", *SMALL, setting)
    assert code == 2
    assert named in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        (["ntk.study=regression"], "expected fixed features, such as those of gaussian or positional, got GridEncoder"),
        (["ntk.study=regression", "encoder=identity"], "expected one with a stationary kernel, such as gaussian"),
        (["ntk.study=regression", "dataset=ct"], "expected an image with dataset.split=half"),
        (["ntk.study=regression", "recipe=paper", "model=siren"], "expected mlp without skips"),
        (["ntk.study=ensemble", "recipe=paper", "dataset=ct"], "expected points on a grid"),
        (["ntk.study=ensemble", "recipe=paper", "ntk.networks=1"], "ntk.networks: expected an integer, 2 to 1024"),
        (
            ["ntk.study=ensemble", "recipe=paper", "model.initialization=glorot"],
            "expected one of torch, he, got glorot",
        ),
    ],
)
@pytest.mark.sampled(3)
def test_studies_that_cannot_be_made_end_in_one_line_and_leave_nothing(command, tmp_path, settings, named):
    code, _, err = command("ntk", *settings, "hydra.run.dir=run")
    assert code == 2
    assert named in err
    assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()
