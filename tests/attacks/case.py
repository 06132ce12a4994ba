"""A directory to attack: runs and a sweep as ffnet writes them, and things outside that must stay as they are."""

import copy
import hashlib
import shutil
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from tests.conftest import SMALL
from tests.harness import audit, forked

# What an attack leaves if its code runs.
MARK = "code-ran"


class Case:
    """Copies of a run ``run`` and of a sweep ``sweep`` in ``folder``, next to ``outside``.

    Attributes:
        mark: the file that an attack's code creates.
        secret: an image that no command may read.
        url: an address that notices connections.
    """

    def __init__(self, models: Path, folder: Path) -> None:
        shutil.copytree(models, folder, dirs_exist_ok=True)
        self.folder, self.run, self.sweep = folder, folder / "run", folder / "sweep"
        self.outside, self.cache = folder / "outside", folder / "cache"
        self.cache.mkdir()
        self.mark, self.secret = self.outside / MARK, self.outside / "secret.png"
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"

    @property
    def checkpoint(self) -> Path:
        return self.run / "checkpoints" / "last.ckpt"

    def change(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Changes the contents of the run's checkpoint."""
        contents = torch.load(self.checkpoint, weights_only=True)
        change(contents)
        torch.save(contents, self.checkpoint)

    def outcome(self, *argv: str) -> tuple[forked.Outcome, list[list[str]]]:
        """Runs a command in ``folder``, and tells what it did that it should not do."""
        log, before = self.folder / "audit.log", self.snapshot()
        writable = [self.run, self.sweep, self.cache, self.folder / "out"]
        found = forked.run(argv, self.folder, setup=audit.watching(log, writable, [self.outside]))
        done = audit.seen(log)
        if self.snapshot() != before:
            done.append(["outside has changed"])
        self.server.setblocking(False)
        try:
            self.server.accept()
            done.append(["a connection was opened"])
        except BlockingIOError:
            pass
        return found, done

    def snapshot(self) -> dict[str, str]:
        """Everything in ``folder`` that no command may change, by path."""
        places = (place for place in self.folder.rglob("*") if place.is_file() and not place.is_symlink())
        own = (self.run, self.sweep, self.cache, self.folder / "out", self.folder / "audit.log")
        kept = [place for place in places if not any(place == one or one in place.parents for one in own)]
        return {str(place): hashlib.sha256(place.read_bytes()).hexdigest() for place in kept}


def models(folder: Path) -> Path:
    """What ``Case`` copies: fits a run, a second one outside, and a sweep."""
    folder.mkdir()
    outside = folder / "outside"
    outside.mkdir()
    (folder / "out").mkdir()
    shutil.copy(Path(__file__).parents[2] / "data" / "cat.png", folder / "photo.png")
    shutil.copy(folder / "photo.png", outside / "secret.png")
    small = [*SMALL, "dataset.path=photo.png", "trainer.max_steps=6", "callbacks.views=null", "logger=none"]
    for argv in (
        ["fit", *small, "hydra.run.dir=run"],
        ["fit", *small, "hydra.run.dir=outside/other"],
        ["fit", "-m", *small, "seed=0,1", "hydra.sweep.dir=sweep"],
    ):
        done = forked.run(argv, folder)
        assert done.code == 0, done.err + done.out
    return folder


def payloads(case: Case) -> dict[str, Any]:
    """Values that would create the mark if anything called, resolved or unpickled them."""
    touch = ["/bin/touch", str(case.mark)]
    make = "{_target_: os.mkdir, path: " + str(case.mark) + "}"
    loop: dict[str, Any] = {"_target_": "torch.nn.ReLU"}
    loop["self"] = loop
    deep: Any = {"_target_": "os.mkdir", "path": str(case.mark)}
    for _ in range(100):
        deep = {"_target_": "torch.nn.ReLU", "inner": [deep]}
    return {
        "target": {"_target_": "subprocess.run", "args": touch},
        "system": {"_target_": "os.system", "command": " ".join(touch)},
        "exec": {"_target_": "builtins.exec", "_args_": [f"open({str(case.mark)!r}, 'w')"]},
        "partial": {"_target_": "os.mkdir", "_partial_": True, "path": str(case.mark)},
        "hydra": {"_target_": "hydra.utils.call", "config": {"_target_": "os.mkdir", "path": str(case.mark)}},
        "method": {"_target_": "pathlib.Path.touch", "self": str(case.mark)},
        "hub": {"_target_": "torch.hub.load", "repo_or_dir": case.url, "model": "x"},
        "module": {"_target_": "ffnet.models.mlp.torch.os.mkdir", "path": str(case.mark)},
        "create": f"${{oc.create:{make}}}",
        "escaped": f"\\${{oc.create:{make}}}",
        "twice": f"\\\\${{oc.create:{make}}}",
        "decode": '${oc.decode:"' + make.replace('"', '\\"') + '"}',
        "environment": "${oc.env:HOME}",
        "nested": {"inner": [{"_target_": "os.mkdir", "path": str(case.mark)}]},
        "loop": loop,
        "deep": deep,
    }


def put(settings: dict[str, Any], place: str, value: Any) -> None:
    """Sets ``settings`` at a dotted place, making the levels that are missing."""
    *path, last = place.split(".")
    for name in path:
        if not isinstance(settings.get(name), dict):
            settings[name] = {}
        settings = settings[name]
    settings[last] = copy.copy(value)
