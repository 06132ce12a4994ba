"""Records of signals in checkpoints: from an object to plain values and back."""

import sys

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

from ffnet.checkpoint import Checkpoint, build, record_of
from ffnet.checkpoint.build import known_records
from ffnet.datasets import GradientDataset, ImageDataset, OccupancyDataset, SDFDataset
from ffnet.signals import ImageRecord, Record, ShapeRecord

GREY = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
RECORDS = {
    "default": lambda: ImageDataset(size=[6, 8]).record,
    "corner": lambda: ImageDataset(GREY, offset=0.0).record,
    "16 bit": lambda: ImageDataset(np.zeros((6, 8), np.uint16)).record,
    "palette": lambda: ImageDataset(GREY.convert("RGB").quantize(4)).record,
    "float": lambda: ImageDataset(torch.rand(6, 8, 4)).record,
    "box": lambda: OccupancyDataset(trimesh.creation.box([1, 2, 3]), scored_points=100, resolution=32, pool=100).record,
    "levelled": lambda: GradientDataset(GREY).record,
    "distance": lambda: SDFDataset(trimesh.creation.box([1, 2, 3]), scored_points=100, resolution=32, pool=None).record,
    "paper": lambda: (
        OccupancyDataset(trimesh.creation.icosphere(2), placement="paper", scored_points=100, pool=100).record
    ),
}


def stored(record, path):
    """The record as a checkpoint file has it."""
    contents = {"state_dict": {}}
    Checkpoint(signal=record.spec()).write_to(contents)
    torch.save(contents, path)
    return Checkpoint.read(path)


@pytest.mark.parametrize("name", RECORDS)
def test_a_record_comes_back(tmp_path, name):
    record = RECORDS[name]()
    assert record.spec()["_target_"] == f"ffnet.signals.{type(record).__name__}"
    again = build(record.spec(), known_records())
    assert type(again) is type(record)
    assert again.spec() == record.spec()
    found = record_of(stored(record, tmp_path / "a.ckpt"), "a.ckpt")
    assert found.spec() == record.spec()


def test_records_that_came_back_do_the_same(tmp_path):
    record = RECORDS["corner"]()
    found = record_of(stored(record, tmp_path / "a.ckpt"), "a.ckpt")
    np.testing.assert_array_equal(found.render(lambda x: x[:, :1]), record.render(lambda x: x[:, :1]))
    record = RECORDS["box"]()
    found = record_of(stored(record, tmp_path / "a.ckpt"), "a.ckpt")

    def ball(x):
        return 0.2 - (x - 0.5).norm(dim=-1, keepdim=True)

    np.testing.assert_array_equal(found.mesh(ball).vertices, record.mesh(ball).vertices)


def test_nothing_to_reconstruct_is_no_record():
    assert record_of(Checkpoint(), "a.ckpt") is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"_target_": "ffnet.signals.Record"}, r"a\.ckpt: asks for ffnet\.signals\.Record, which ffnet does not know"),
        ({"_target_": "ffnet.signals.ImageSignal"}, "asks for ffnet.signals.ImageSignal"),
        ({"_target_": "os.system"}, "asks for os.system"),
        ({"_target_": "ffnet.encoders.IdentityEncoder"}, "asks for ffnet.encoders.IdentityEncoder"),
        ({"colour": 3}, r"a\.ckpt: damaged record"),
    ],
)
def test_a_record_that_is_none_is_refused(change, message):
    saved = Checkpoint(signal=ImageRecord((4, 5), 3).spec() | change)
    with pytest.raises(ValueError, match=message):
        record_of(saved, "a.ckpt")


class Own(ShapeRecord):
    """A record of the user's own."""


def test_a_record_of_the_users_own_is_built_if_named():
    record = Own(1.0, (0.0, 0.0, 0.0), ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)))
    name = f"{__name__}.Own"
    assert record.spec()["_target_"] == name
    saved = Checkpoint(signal=record.spec())
    with pytest.raises(ValueError, match="if you trust it, say so"):
        record_of(saved, "a.ckpt")
    assert isinstance(record_of(saved, "a.ckpt", [Own]), Own)
    assert issubclass(getattr(sys.modules[__name__], "Own"), Record)  # noqa: B009
