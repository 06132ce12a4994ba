"""A damaged checkpoint is refused, or what is loaded from it is what was saved."""

import random
import zipfile
from pathlib import Path

import pytest
import torch

import ffnet
from ffnet import checkpoint
from ffnet.checkpoint import check_plain
from tests.checkpoint.test_load import contents


@pytest.fixture
def saved(tmp_path) -> Path:
    """A checkpoint with weights, an optimizer's state, settings and a generator."""
    made = contents()
    moments = {i: {"exp_avg": torch.randn_like(w), "step": 3} for i, w in enumerate(made["state_dict"].values())}
    made |= {"optimizer_states": [{"state": moments, "param_groups": [{"lr": 1e-3, "params": list(moments)}]}]}
    made["ffnet"] |= {"generator": torch.Generator().get_state(), "settings": {"seed": 3, "dataset": {"path": "a"}}}
    torch.save(made, tmp_path / "a.ckpt")
    return tmp_path / "a.ckpt"


def same(one: object, other: object) -> bool:
    if isinstance(one, torch.Tensor):
        return isinstance(other, torch.Tensor) and one.dtype == other.dtype and torch.equal(one, other)
    if isinstance(one, dict):
        return isinstance(other, dict) and list(one) == list(other) and all(same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return isinstance(other, list | tuple) and len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and one == other


def flips(path: Path, count: int, seed: int) -> tuple[int, int]:
    """Flips ``count`` bits one at a time; returns how many files were refused and how many gave the same contents."""
    whole, expected = path.read_bytes(), checkpoint.read_contents(path)
    draw, refused, unchanged = random.Random(seed), 0, 0
    for _ in range(count):
        position, bit = draw.randrange(len(whole)), draw.randrange(8)
        path.write_bytes(whole[:position] + bytes([whole[position] ^ 1 << bit]) + whole[position + 1 :])
        try:
            unchanged += same(checkpoint.read_contents(path), expected)
        except ValueError:
            refused += 1
    return refused, unchanged


@pytest.mark.parametrize("count", [150, pytest.param(1000, marks=pytest.mark.long)])
def test_a_flipped_bit_is_refused_or_changes_nothing_that_is_loaded(saved, count):
    refused, unchanged = flips(saved, count, seed=count)
    print(f"{count} flipped bits: {refused} refused, {unchanged} changed nothing")
    assert refused + unchanged == count
    assert refused > count / 2


def test_torch_itself_does_not_notice_a_flipped_bit_in_a_weight(saved):
    """What the checksums are for."""
    weight = torch.load(saved, weights_only=True)["state_dict"]["field.network.0.weight"]
    data = bytearray(saved.read_bytes())
    data[data.index(weight.numpy().tobytes()) + 2] ^= 1
    saved.write_bytes(data)
    other = torch.load(saved, weights_only=True)["state_dict"]["field.network.0.weight"]
    assert not torch.equal(weight, other)
    with pytest.raises(ValueError, match="checksum of 'a/data/0' differs"):
        ffnet.load(saved)


def test_a_compressed_archive_is_refused_before_it_is_unpacked(saved):
    with zipfile.ZipFile(saved) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(saved, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(ValueError, match="is compressed"):
        ffnet.load(saved)


LOOP: list[object] = []
LOOP.append(LOOP)
WIDE: object = "x"
for _ in range(20):
    WIDE = [WIDE, WIDE]  # a million of values in twenty lists


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (LOOP, "at most 32 levels"),
        (WIDE, "at most 1000000 values"),
        ({(1, 2): 3}, "names as the keys"),
        ({"a": [object()]}, "got one of type object"),
        ({"a": torch.zeros(2)}, "got one of type Tensor"),
    ],
)
def test_what_is_not_plain_is_refused(value, message):
    with pytest.raises(ValueError, match=f"here: .*{message}"):
        check_plain(value, "here")


def test_plain_values_and_where_asked_tensors_pass():
    check_plain({"a": [1, 2.0, None, True, ("x", {"b": {}})]}, "here")
    check_plain({"a": [torch.zeros(2), torch.nn.Parameter(torch.zeros(2))]}, "here", tensors=True)
    for other in (torch.zeros(2, device="meta"), torch.eye(2).to_sparse()):
        with pytest.raises(ValueError, match="got one of type Tensor"):
            check_plain([other], "here", tensors=True)
