"""ffnet ntk, as a person runs it."""

import json

import pytest
import torch
from PIL import Image

from ffnet.cli import ntk
from ffnet.encoders import GaussianEncoder
from ffnet.models import CoordinateMLP
from tests.conftest import SMALL


def test_ntk_leaves_a_picture_and_numbers(command, tmp_path):
    code, out, err = command("ntk", *SMALL, "ntk.points=32", "ntk.line=16", "ntk.steps=5", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    assert "Adam" in out
    report = json.loads((tmp_path / "run" / "ntk.json").read_text())
    assert len(report["row"]) == 16
    assert len(report["eigenvalues_by_frequency"]) == 9
    assert len(report["predicted_psnr"]) == len(report["trained_psnr"]) == 6
    # Before the first step there is nothing to predict.
    assert report["predicted_psnr"][0] == pytest.approx(report["trained_psnr"][0])
    with Image.open(tmp_path / "run" / "ntk.png") as picture:
        assert picture.width == 1000


def test_one_small_step_is_predicted():
    model = CoordinateMLP(GaussianEncoder(2, 16), 1, 64, 2, seed=0).double()
    x = torch.rand(20, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = ntk.curves(model, x, x[:, :1], steps=1, share=1e-3)
    gain = [curve[1] - curve[0] for curve in (found["predicted_psnr"], found["trained_psnr"])]
    assert gain[1] == pytest.approx(gain[0], rel=0.01)
    assert gain[0] > 0


@pytest.mark.parametrize("setting", ["ntk.points=1", "ntk.rate=2", "ntk.steps=0"])
def test_bad_settings_end_in_one_line(command, setting):
    code, _, err = command("ntk", *SMALL, setting)
    assert code == 2
    assert setting.split("=")[0] in err
    assert err.count("\n") == 1
