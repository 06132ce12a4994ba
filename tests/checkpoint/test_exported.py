"""What an exported .safetensors file may hold, and what is refused."""

import json
import sys

import pytest
import torch

import ffnet
from tests.checkpoint.test_load import contents

pytest.importorskip("safetensors")


def write(path, weights=None, metadata=None, **changes):
    from safetensors.torch import save_file

    made = contents(**changes)
    entry = {"field": made["ffnet"]["field"], "signal": None}
    own = {name.removeprefix("field."): weight for name, weight in made["state_dict"].items()}
    save_file(own if weights is None else weights(own), path, metadata or {"ffnet": json.dumps(entry)})
    return own


def test_a_field_comes_back_with_its_weights(tmp_path):
    own = write(tmp_path / "a.safetensors")
    field = ffnet.load(tmp_path / "a.safetensors")
    assert not field.training
    assert all(torch.equal(field.state_dict()[name], weight) for name, weight in own.items())


@pytest.mark.parametrize("target", ["os.system", "builtins.exec", "ffnet.models.mlp.torch.hub.load"])
def test_classes_that_are_not_known_are_not_built(tmp_path, target):
    write(tmp_path / "a.safetensors", activation={"_target_": target})
    with pytest.raises(ValueError, match=f"asks for {target}, which ffnet does not know"):
        ffnet.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"other": "x"}, "is not an export of ffnet"),
        ({"ffnet": "{"}, "damaged metadata"),
        ({"ffnet": "[" * 100_000}, "damaged metadata"),
        ({"ffnet": "[]"}, "damaged metadata"),
        ({"ffnet": "{}"}, "damaged metadata"),
        ({"ffnet": '{"field": 3}'}, "expected dict, got int"),
        ({"ffnet": '{"field": {"_target_": "ffnet.models.CoordinateMLP"}, "signal": 3}'}, "signal: expected dict"),
        ({"ffnet": '{"field": ' + '{"a": ' * 60 + "1" + "}" * 61}, "expected at most 32 levels"),
    ],
)
def test_damaged_settings_are_refused(tmp_path, metadata, message):
    write(tmp_path / "a.safetensors", metadata=metadata)
    with pytest.raises(ValueError, match=f"a.safetensors: .*{message}"):
        ffnet.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize(
    "weights",
    [
        lambda own: {},
        lambda own: own | {"extra": torch.zeros(2)},
        lambda own: own | {"network.0.weight": torch.zeros(3, 3)},
        lambda own: own | {"network.0.weight": torch.full((4, 2), torch.nan)},
        lambda own: own | {"network.0.weight": torch.zeros(4, 2, dtype=torch.int8)},
        lambda own: own | {"nothing/scale": torch.zeros(2)},
    ],
)
def test_weights_that_do_not_fit_are_refused(tmp_path, weights):
    write(tmp_path / "a.safetensors", weights)
    with pytest.raises(ValueError, match=r"a\.safetensors: "):
        ffnet.load(tmp_path / "a.safetensors")


def test_files_that_are_none_are_refused(tmp_path):
    write(tmp_path / "a.safetensors")
    whole = (tmp_path / "a.safetensors").read_bytes()
    for number, data in enumerate((b"", b"hello", whole[:-1], whole[:20], b"\xff" * 8 + whole[8:])):
        (tmp_path / f"{number}.safetensors").write_bytes(data)
        with pytest.raises(ValueError, match=rf"{number}\.safetensors: "):
            ffnet.load(tmp_path / f"{number}.safetensors")


def test_a_missing_library_is_named(tmp_path, monkeypatch):
    write(tmp_path / "a.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    with pytest.raises(ValueError, match=r"needs safetensors; pip install 'ffnet\[export\]'"):
        ffnet.load(tmp_path / "a.safetensors")
