"""Checkpoint files that are whole or absent, and that cannot run code."""

import io
from pathlib import Path
from typing import Any

import torch
from lightning.pytorch.plugins.io import TorchCheckpointIO

from ffnet import checkpoint as checkpoints
from ffnet.files import replacing


class WholeFileCheckpointIO(TorchCheckpointIO):
    """Writes beside the old checkpoint and renames; reads tensors and plain values only."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None) -> None:
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Through memory: writing straight to a full disk, torch.save hides the reason behind an error of its own.
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
        return checkpoints.read(path, map_location)
