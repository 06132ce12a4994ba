"""A checkpoint's own entries: what is written comes back."""

from dataclasses import fields

import pytest
import torch

from ffnet.checkpoint import FORMAT, Checkpoint, find

WHOLE = Checkpoint(
    field={"_target_": "ffnet.models.CoordinateMLP", "out_features": 3},
    signal={"_target_": "ffnet.signals.ImageRecord", "size": [4, 5], "channels": 3},
    settings={"seed": 3, "dataset": {"_target_": "ffnet.datasets.ImageDataset", "path": None}},
    overrides={"encoder.sigma": "20"},
    seconds=1.5,
    generator=torch.Generator().get_state(),
    sampler={"errors": torch.rand(5)},
)


def same(one, other):
    for own in fields(Checkpoint):
        a, b = getattr(one, own.name), getattr(other, own.name)
        if isinstance(a, torch.Tensor):
            assert torch.equal(a, b), own.name
        elif isinstance(a, dict) and any(isinstance(value, torch.Tensor) for value in a.values()):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[key], b[key]) for key in a), own.name
        else:
            assert a == b, own.name


@pytest.mark.parametrize("saved", [WHOLE, Checkpoint()], ids=["whole", "empty"])
def test_what_is_written_comes_back(tmp_path, saved):
    contents = {"state_dict": {}, "global_step": 3}
    saved.write_to(contents)
    assert contents["global_step"] == 3
    assert contents["ffnet"]["format"] == FORMAT
    same(Checkpoint.of(contents), saved)
    torch.save(contents, tmp_path / "a.ckpt")
    same(Checkpoint.read(tmp_path / "a.ckpt"), saved)


def test_entries_of_a_later_version_of_the_same_format_are_passed_over():
    contents = {"state_dict": {}}
    WHOLE.write_to(contents)
    contents["ffnet"]["later"] = 1
    same(Checkpoint.of(contents), WHOLE)


def test_tensors_are_those_below_a_prefix():
    contents = {"state_dict": {"field.a.b": torch.ones(1), "fields.a": torch.ones(2), "dataset.x": torch.ones(3)}}
    WHOLE.write_to(contents)
    saved = Checkpoint.of(contents)
    assert saved.tensors("field").keys() == {"a.b"}
    assert saved.tensors("dataset").keys() == {"x"}
    assert saved.tensors("optimizer") == {}


def test_a_run_directory_leads_to_its_checkpoint(tmp_path):
    path = tmp_path / "checkpoints" / "last.ckpt"
    path.parent.mkdir()
    path.touch()
    assert find(tmp_path) == find(str(tmp_path)) == find(path) == path
