"""Pictures in TensorBoard."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from ffnet.training.module import Fitting


class Pictures(Callback):
    """Logs the dataset's ``views`` of the field as ``view/<name>``, at every interval and at the end.

    Args:
        every_n_steps: the interval in optimiser steps; None shows the end only.
        max_side: larger pictures are shown at this many pixels along their longer side.
    """

    def __init__(self, every_n_steps: int | None = 500, max_side: int = 512) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, or null, got {every_n_steps}")
        if max_side < 1:
            raise ValueError(f"max_side: expected at least 1 pixel, got {max_side}")
        self.every_n_steps = every_n_steps
        self.max_side = max_side

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        if self.every_n_steps is not None:
            pl_module.stop_at(self.every_n_steps)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        boards = [logger for logger in trainer.loggers if isinstance(logger, TensorBoardLogger)]
        if not boards or not pl_module.due(self.every_n_steps):
            return
        for name, view in pl_module.dataset.views(pl_module.field, self.max_side).items():
            for board in boards:
                board.experiment.add_image(f"view/{name}", view, pl_module.step, dataformats="HWC")
