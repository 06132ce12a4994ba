"""Checkpoint files that are whole or absent, and that cannot run code."""

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
        with replacing(path) as temporary, temporary.open("wb") as file:
            torch.save(checkpoint, file)

    def load_checkpoint(
        self, path: Any, map_location: Any = lambda storage, loc: storage, weights_only: bool | None = None
    ) -> dict[str, Any]:
        return checkpoints.read(path, map_location)
