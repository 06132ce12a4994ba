"""What a checkpoint file may hold, and what it refuses."""

import pickle

import pytest
import torch

import ffnet
from ffnet import checkpoint
from ffnet.checkpoint import FORMAT, Checkpoint


def contents(**changes):
    field = {
        "_target_": "ffnet.models.CoordinateMLP",
        "encoder": {"_target_": "ffnet.encoders.IdentityEncoder", "in_features": 2},
        "out_features": 1,
        "hidden_features": 4,
        "hidden_layers": 1,
        "activation": {"_target_": "torch.nn.Tanh"},
    }
    built = checkpoint.build(field, checkpoint.known_modules())
    state = {f"field.{key}": value for key, value in built.state_dict().items()}
    made = {"state_dict": state}
    Checkpoint(field=field | changes).write_to(made)
    return made


def test_a_field_comes_back_with_its_weights(tmp_path):
    torch.save(contents(), tmp_path / "a.ckpt")
    field = ffnet.load(tmp_path / "a.ckpt")
    assert not field.training
    assert torch.equal(field.network[0].weight, contents_weight(tmp_path / "a.ckpt"))
    assert field(torch.rand(3, 5, 2)).shape == (3, 5, 1)


def contents_weight(path):
    return torch.load(path, weights_only=True)["state_dict"]["field.network.0.weight"]


class Malicious:
    ran = False

    def __reduce__(self):
        return (setattr, (Malicious, "ran", True))


def test_code_in_a_checkpoint_is_refused_and_does_not_run(tmp_path):
    torch.save(contents() | {"extra": Malicious()}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="refused, since it holds more than tensors"):
        ffnet.load(tmp_path / "a.ckpt")
    (tmp_path / "b.ckpt").write_bytes(pickle.dumps(Malicious()))
    with pytest.raises(ValueError, match=r"b\.ckpt"):
        ffnet.load(tmp_path / "b.ckpt")
    assert not Malicious.ran


def test_this_malicious_checkpoint_would_run_its_code_elsewhere(tmp_path):
    torch.save({"extra": Malicious()}, tmp_path / "a.ckpt")
    torch.load(tmp_path / "a.ckpt", weights_only=False)
    assert Malicious.ran
    Malicious.ran = False


@pytest.mark.parametrize(
    "target",
    ["os.system", "builtins.exec", "ffnet.models.mlp.torch.hub.load", "ffnet.models.CoordinateMLP.forward"],
)
def test_classes_that_are_not_known_are_not_built(tmp_path, target):
    torch.save(contents(activation={"_target_": target}), tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=f"asks for {target}, which ffnet does not know"):
        ffnet.load(tmp_path / "a.ckpt")


class Wave(torch.nn.Module):
    def forward(self, x):
        return torch.sin(x)


def test_a_class_of_the_users_own_is_built_if_named(tmp_path):
    torch.save(contents(activation={"_target_": checkpoint.full_name(Wave)}), tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="if you trust it, say so"):
        ffnet.load(tmp_path / "a.ckpt")
    assert isinstance(ffnet.load(tmp_path / "a.ckpt", trust=[Wave]).network[1], Wave)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden_features": 5}, "do not fit together"),
        ({"hidden_layers": 0}, "hidden_layers: expected"),
        ({"unknown": 1}, "do not fit together"),
    ],
)
def test_settings_that_do_not_fit_the_weights_are_refused(tmp_path, change, message):
    torch.save(contents(**change), tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match=message):
        ffnet.load(tmp_path / "a.ckpt")


def test_files_that_are_no_checkpoints_are_refused(tmp_path):
    torch.save(contents(), tmp_path / "good.ckpt")
    whole = (tmp_path / "good.ckpt").read_bytes()
    bad = {
        "empty": b"",
        "text": b"hello",
        "half": whole[: len(whole) // 2],
        "short": whole[:10],
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
        with pytest.raises(ValueError, match=f"{name}: "):
            ffnet.load(tmp_path / name)
    torch.save({"weight": torch.zeros(2)}, tmp_path / "other")
    with pytest.raises(ValueError, match="is not a checkpoint of ffnet"):
        ffnet.load(tmp_path / "other")
    torch.save([torch.zeros(2)], tmp_path / "list")
    with pytest.raises(ValueError, match="is not a checkpoint of ffnet"):
        ffnet.load(tmp_path / "list")
    torch.save({"state_dict": {}, "ffnet": {"format": 99}}, tmp_path / "newer")
    with pytest.raises(ValueError, match=f"has format 99; this ffnet reads formats 1 and {FORMAT}"):
        ffnet.load(tmp_path / "newer")


def test_what_a_checkpoint_lacks_is_named(tmp_path):
    made = contents()
    del made["ffnet"]["field"]
    torch.save(made, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="damaged checkpoint, lacks field"):
        ffnet.load(tmp_path / "a.ckpt")
    torch.save({"ffnet": contents()["ffnet"]}, tmp_path / "a.ckpt")
    with pytest.raises(ValueError, match="damaged checkpoint, lacks state_dict"):
        ffnet.load(tmp_path / "a.ckpt")


def test_missing_checkpoints_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or directory"):
        ffnet.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"has no checkpoints/last\.ckpt"):
        ffnet.load(tmp_path)
