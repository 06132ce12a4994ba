"""ffnet ntk, as a person runs it."""

import json
from functools import partial

import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import nn

from ffnet.cli import ntk
from ffnet.encoders import GaussianEncoder, IdentityEncoder, PositionalEncoder
from ffnet.kernels import finite_mlp
from ffnet.models import CoordinateMLP, Field
from tests.conftest import SMALL, SMALL_SHAPE

FEW = ("ntk.points=32", "ntk.line=16", "ntk.steps=5", "hydra.run.dir=run")
ADAM = partial(torch.optim.Adam, lr=4e-3)


def test_ntk_leaves_a_picture_and_numbers(command, tmp_path):
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
    with Image.open(tmp_path / "run" / "ntk.png") as picture:
        assert picture.size == (1320, 960)


@pytest.mark.parametrize("pool", ["null", "512"])
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


class Plain(Field):
    """A wide network with one output, for which the prediction holds."""

    def __init__(self, encoder, width):
        super().__init__(encoder, 1)
        self.network = finite_mlp(encoder.out_features, width, 2, seed=0)

    def decode(self, features):
        return self.network(features)


def test_a_wide_network_is_predicted_for_longer():
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    encoder = GaussianEncoder(2, 16, 3.0).double()
    narrow, wide = (ntk.curves(Plain(encoder, width), x, x[:, :1], 40, 0.5, ADAM) for width in (16, 1024))
    assert narrow["holds_until"] < wide["holds_until"] == 40
    assert wide["kernel_drift"][0] < 0.2 * narrow["kernel_drift"][0]
    assert "until step" in narrow["statement"]
    assert "for all 40 steps" in wide["statement"]


def test_one_small_step_is_predicted():
    model = CoordinateMLP(GaussianEncoder(2, 16), 1, 64, 2, seed=0).double()
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = ntk.curves(model, x, x[:, :1], 1, 1e-3, ADAM)
    gain = [curve[1] - curve[0] for curve in (found["predicted_psnr"], found["trained_psnr"])]
    assert gain[1] == pytest.approx(gain[0], rel=0.01)
    assert gain[0] > 0


def test_a_plain_network_learns_high_frequencies_late():
    plain, encoded = (
        ntk.line_spectrum(CoordinateMLP(encoder, 1, 64, 2, seed=0).double(), 64, 0.5)
        for encoder in (IdentityEncoder(1), PositionalEncoder(1, 6))
    )
    ratio = lambda found: found["decay_steps_by_octave"][4] / found["decay_steps_by_octave"][0]  # noqa: E731
    assert ratio(plain) > 10 * ratio(encoded)


def test_a_kernel_without_a_frequency_says_so():
    class Constant(Field):
        def __init__(self):
            super().__init__(IdentityEncoder(1), 1)
            self.layer = nn.Linear(1, 1)

        def decode(self, features):
            return self.layer(torch.zeros_like(features))

    found = ntk.line_spectrum(Constant().double(), 16, 0.5)
    assert found["eigenvalues_by_frequency"][0] == pytest.approx(16)
    assert found["decay_steps_by_frequency"][0] == pytest.approx(1)
    assert all(time is None or time > 1e12 for time in found["decay_steps_by_frequency"][1:])


@pytest.mark.parametrize(
    ("setting", "named"),
    [
        ("ntk.points=1", "ntk.points"),
        ("ntk.points=100000", "2 to 2048"),
        ("ntk.points=many", "'many'"),
        ("ntk.line=2.5", "ntk.line"),
        ("ntk.line=null", "None"),
        ("ntk.rate=2", "ntk.rate"),
        ("ntk.rate=fast", "'fast'"),
        ("ntk.steps=0", "ntk.steps"),
        ("ntk.width=3", "ntk.width"),
        ("optimizer.lr=-1", "rate"),
        ("dataset.path=nowhere.png", "nowhere.png"),
        ("model.hidden_features=0", "hidden_features"),
    ],
)
def test_bad_settings_end_in_one_line(command, setting, named):
    code, _, err = command("ntk", *SMALL, setting)
    assert code == 2
    assert named in err
    assert err.count("\n") == 1
