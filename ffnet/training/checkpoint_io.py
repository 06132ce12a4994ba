"""Reads and writes checkpoint files atomically and without running code."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ffnet.atomic import replacing
from ffnet.checkpoint.schema import read_contents


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
        return read_contents(path, map_location)
