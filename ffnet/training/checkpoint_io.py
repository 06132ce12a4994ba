"""Reads and writes checkpoint files atomically and without running code."""

import io
import os
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ffnet.atomic import replacing
from ffnet.checkpoint import check_plain, read_contents


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Writes to a temporary file and renames it; reads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Through memory: if the disk is full, torch.save would replace the error by one of its own.
        buffer = io.BytesIO()
        torch.save(checkpoint, buffer)
        try:
            with replacing(path) as temporary:
                temporary.write_bytes(buffer.getbuffer())
        except OSError as error:
            reason = f"{error.strerror}; the last checkpoint that was written is whole"
            raise OSError(error.errno, reason, str(path)) from error

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, loc: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        contents = read_contents(path, map_location)
        check_paths(contents.get("callbacks"), str(path))
        return contents


def check_paths(callbacks: Any, source: str) -> None:
    """Checks the states of callbacks read from ``source``: Lightning's ``ModelCheckpoint`` deletes the files that its
    state names, so they must be below its own directory, ``dirpath``.

    Raises:
        ValueError: if one is elsewhere, or a state is not plain.
    """
    check_plain(callbacks, f"{source}: damaged checkpoint, callbacks", tensors=True)
    for state in callbacks.values() if isinstance(callbacks, dict) else ():
        if not isinstance(state, dict) or "dirpath" not in state:
            continue
        best = state.get("best_k_models")
        paths = [*(best if isinstance(best, dict) else ()), *(v for k, v in state.items() if k.endswith("_path"))]
        home = os.path.abspath(str(state["dirpath"]))
        for path in filter(None, paths):
            if "://" in str(path) or os.path.commonpath([home, os.path.abspath(str(path))]) != home:
                raise ValueError(f"{source}: names {path!r}, a file outside of {home}, as its own checkpoint")
