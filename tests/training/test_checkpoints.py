"""What a checkpoint file survives, and what it refuses."""

import os
import pickle
import signal
import subprocess
import sys

import pytest
import torch
from lightning.pytorch import Callback

import ffnet
from ffnet import checkpoint
from ffnet.files import replacing
from ffnet.training import Interrupted
from tests.conftest import SMALL
from tests.training.helpers import checkpoints, fitting, trainer, weights


class Signal(Callback):
    """Sends this process a signal at a step."""

    def __init__(self, number, step):
        self.number, self.step = number, step

    def setup(self, trainer, pl_module, stage):
        pl_module.stop_at(self.step)

    def on_train_batch_start(self, trainer, pl_module, batch, batch_idx):
        if pl_module.step == self.step:
            os.kill(os.getpid(), self.number)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_saves_between_steps_and_the_resumed_run_ends_with_the_same_bits(tmp_path, number):
    handlers = [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)]
    whole = fitting()
    trainer(tmp_path / "whole").fit(whole)
    with pytest.raises(Interrupted) as stop:
        trainer(tmp_path, callbacks=[Signal(number, 31), checkpoints(tmp_path)]).fit(fitting())
    assert stop.value.signal == number
    assert 31 < stop.value.step < 60
    path = tmp_path / "checkpoints" / "last.ckpt"
    assert torch.load(path, weights_only=True)["global_step"] == stop.value.step
    module = fitting()
    trainer(tmp_path).fit(module, ckpt_path=path)
    assert torch.equal(weights(whole), weights(module))
    assert [signal.getsignal(s) for s in (signal.SIGINT, signal.SIGTERM)] == handlers


def test_a_second_ctrl_c_stops_at_once(tmp_path):
    keeper = checkpoints(tmp_path)
    keeper._ask(signal.SIGINT, None)
    with pytest.raises(KeyboardInterrupt):
        keeper._ask(signal.SIGINT, None)


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_text("half")
            assert path.read_text() == "old"
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]
    with replacing(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert [p.name for p in tmp_path.iterdir()] == ["a.txt"]


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
    return {"state_dict": state, "ffnet": {"format": 1, "field": field | changes}}


def test_a_field_comes_back_with_its_weights(tmp_path):
    torch.save(contents(), tmp_path / "a.ckpt")
    field = ffnet.load(tmp_path / "a.ckpt")
    assert not field.training
    assert torch.equal(field.network[0].weight, contents_weight(tmp_path / "a.ckpt"))
    assert field(torch.rand(3, 5, 2)).shape == (3, 5, 1)


def contents_weight(path):
    return torch.load(path, weights_only=True)["state_dict"]["field.network.0.weight"]


def test_a_full_disk_leaves_the_checkpoint_before_it(tmp_path):
    """A limit on the size of files stands for a full disk: the checkpoint grows once the optimiser has a state."""
    script = (
        "import resource, sys\n"
        "from ffnet.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = [o for o in SMALL if "hidden_features" not in o] + ["model.hidden_features=100", "logger=none"]
    command = [sys.executable, "-c", script, "fit", *arguments, "model.hidden_layers=2", "hydra.run.dir=run"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1, done.stderr
    assert "File too large; the last checkpoint that was written is whole" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["last.ckpt"]
    assert ffnet.load(tmp_path / "run")(torch.rand(1, 2)).isfinite().all()


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
    torch.save(contents(activation={"_target_": checkpoint.name(Wave)}), tmp_path / "a.ckpt")
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
    torch.save({"state_dict": {}, "ffnet": {"format": 99}}, tmp_path / "newer")
    with pytest.raises(ValueError, match="has format 99; this ffnet reads format 1"):
        ffnet.load(tmp_path / "newer")


def test_missing_checkpoints_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        ffnet.load(tmp_path / "nothing")
    with pytest.raises(FileNotFoundError, match=r"has no checkpoints/last\.ckpt"):
        ffnet.load(tmp_path)
