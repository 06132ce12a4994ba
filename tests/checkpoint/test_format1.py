"""Checkpoints of ffnet 0.1, which wrote image.ckpt and shape.ckpt, are read.

Both are small: ``ffnet fit dataset.split=half encoder=gaussian`` of a synthetic image, and ``ffnet fit
dataset=occupancy encoder=grid optimizer=muon dataset.near=0.7`` of a box.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import ffnet
from ffnet.checkpoint import Checkpoint, field_of, record_of
from ffnet.signals import ImageRecord, ShapeRecord

FILES = Path(__file__).parent
IMAGE, SHAPE = FILES / "image.ckpt", FILES / "shape.ckpt"
# Values of the two fields at `points`, as ffnet 0.1 computed them.
VALUES = {
    IMAGE: [
        [0.40802526473999023, 0.32587993144989014, 0.14967748522758484],
        [0.40908950567245483, 0.27104121446609497, 0.1312353014945984],
        [0.43027156591415405, 0.25280141830444336, 0.18140962719917297],
    ],
    SHAPE: [[-1.9729468822479248], [-4.8165483474731445], [-5.153200149536133]],
}
# And its scores.
SCORES = {
    IMAGE: {"psnr": 11.739337617441494, "rest/psnr": 12.273968418531076, "train/psnr": 13.403872826479436},
    SHAPE: {"surface/iou": 0.3699712643678161, "uniform/iou": 0.7487437185929648},
}


def points(dimensions):
    return (torch.arange(3 * dimensions).view(3, dimensions) * 0.37 + 0.1) % 1


@pytest.fixture
def signals(tmp_path):
    """What was fitted."""
    y, x = np.mgrid[:14, :18]
    Image.fromarray(np.stack([x * 14, y * 18, (x * y) % 256], -1).astype(np.uint8)).save(tmp_path / "image.png")
    trimesh.creation.box([4.0, 2.0, 1.0]).apply_translation([10, 20, 30]).export(tmp_path / "box.ply")
    return {IMAGE: tmp_path / "image.png", SHAPE: tmp_path / "box.ply"}


@pytest.mark.parametrize("path", [IMAGE, SHAPE])
def test_these_files_have_format_1_and_are_small(path):
    assert torch.load(path, weights_only=True)["ffnet"]["format"] == 1
    assert path.stat().st_size < 50_000


@pytest.mark.parametrize("path", [IMAGE, SHAPE])
def test_a_field_has_the_values_that_it_had(path):
    field = ffnet.load(path)
    torch.testing.assert_close(field(points(field.in_features)), torch.tensor(VALUES[path]), atol=1e-5, rtol=1e-5)


def test_records_are_those_of_the_signals():
    saved = Checkpoint.read(IMAGE)
    assert record_of(saved, "") == ImageRecord((14, 18), 3)
    record = record_of(Checkpoint.read(SHAPE), "")
    assert isinstance(record, ShapeRecord)
    assert (record.scale, record.centre, record.resolution) == (pytest.approx(0.225), (10, 20, 30), 32)


def test_settings_are_in_the_words_of_format_2():
    saved = Checkpoint.read(SHAPE)
    assert saved.format == 1
    assert saved.settings["dataset"]["surface_fraction"] == 0.7
    assert "near" not in saved.settings["dataset"]
    assert saved.settings["optimizer"]["_target_"] == "ffnet.fitting.MuonAdam"
    assert saved.settings["engine"]["_target_"] == "ffnet.fitting.Engine"
    assert saved.settings["callbacks"]["pictures"]["_target_"] == "ffnet.training.Views"
    assert not {"encoder", "model"} & saved.settings.keys()
    assert saved.field["output_init"] is None
    assert Checkpoint.read(IMAGE).settings["engine"]["micro_batch"] == 32
    assert Checkpoint.read(IMAGE).overrides["dataset.split"] == "half"
    assert saved.seconds > 0


@pytest.mark.parametrize("path", [IMAGE, SHAPE])
def test_the_command_evaluate_gives_the_scores_that_it_gave(command, signals, path):
    code, out, err = command("evaluate", f"checkpoint={path}", f"+dataset.path={signals[path]}")
    assert (code, err) == (0, "")
    assert json.loads(out) == pytest.approx(SCORES[path], abs=1e-4)


def test_the_command_render_draws_the_image(command, tmp_path):
    code, _, err = command("render", f"checkpoint={IMAGE}", "output=a.png")
    assert (code, err) == (0, "")
    with Image.open(tmp_path / "a.png") as image:
        assert (image.mode, image.size) == ("RGB", (18, 14))
        row, column = np.mgrid[:14, :18]
        x = torch.tensor(np.stack([(column + 0.5) / 18, (row + 0.5) / 14], -1)).float()
        expected = ffnet.load(IMAGE)(x).detach().numpy() * 255
        np.testing.assert_allclose(np.asarray(image), expected, atol=0.51)


def test_the_command_mesh_writes_the_shape(command, tmp_path):
    code, _, err = command("mesh", f"checkpoint={SHAPE}", "output=a.ply", "resolution=32")
    assert (code, err) == (0, "")
    mesh = trimesh.load_mesh(tmp_path / "a.ply")
    assert mesh.bounds.mean(0) == pytest.approx([10, 20, 30], abs=0.3)


def test_a_run_is_not_resumed(command, tmp_path):
    (tmp_path / "run" / "checkpoints").mkdir(parents=True)
    (tmp_path / "run" / "checkpoints" / "last.ckpt").write_bytes(IMAGE.read_bytes())
    code, _, err = command("fit", "resume=run")
    assert code == 2
    assert len(err.strip().splitlines()) == 1
    assert "format 1" in err


def by_hand(**changes):
    """A checkpoint as ffnet 0.1 wrote it."""
    field = {
        "_target_": "ffnet.models.CoordinateMLP",
        "encoder": {"_target_": "ffnet.encoders.IdentityEncoder", "in_features": 2},
        "out_features": 1,
        "hidden_features": 4,
        "hidden_layers": 1,
        "output_activation": {"_target_": "torch.nn.Sigmoid"},
        "start": [0.25],
    }
    network = torch.nn.Sequential(torch.nn.Linear(2, 4), torch.nn.ReLU(), torch.nn.Linear(4, 1), torch.nn.Sigmoid())
    signal = {"kind": "picture", "size": [4, 5], "channels": 1, "bits": 16, "offset": 0.0, "mode": "I;16"}
    entry = {"format": 1, "signal": signal, "seconds": 2.0, "field": field, "settings": {"seed": 0}, "overrides": {}}
    state = {f"field.network.{name}": value for name, value in network.state_dict().items()}
    return network, {"state_dict": state, "ffnet": entry | changes}


def test_a_file_by_hand():
    network, contents = by_hand()
    saved = Checkpoint.of(contents)
    x = torch.rand(5, 2)
    torch.testing.assert_close(field_of(saved, "")(x), network(x))
    assert saved.field["output_init"] == [0.25]
    assert record_of(saved, "") == ImageRecord((4, 5), 1, 16, 0.0, "I;16")
    assert contents["ffnet"]["field"]["start"] == [0.25]  # which is left as it was


@pytest.mark.parametrize(
    "changes",
    [
        {"signal": {"kind": "video"}},
        {"signal": None},
        {"signal": {"size": [4, 5]}},
        {"settings": None},
        {"settings": 3},
    ],
    ids=str,
)
def test_a_damaged_file_is_refused(changes):
    with pytest.raises(ValueError, match=r"a\.ckpt: damaged checkpoint of format 1"):
        Checkpoint.of(by_hand(**changes)[1], "a.ckpt")


@pytest.mark.parametrize("lacks", ["field", "settings", "signal"])
def test_a_file_that_lacks_an_entry_is_refused(lacks):
    contents = by_hand()[1]
    del contents["ffnet"][lacks]
    with pytest.raises(ValueError, match=f"damaged checkpoint of format 1 .KeyError: '{lacks}'"):
        Checkpoint.of(contents, "a.ckpt")
