"""Pictures and spectra in TensorBoard."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from ffnet.training.module import Fitting


class Pictures(Callback):
    """Logs at every interval and at the end:

    - ``view/<name>``: the dataset's ``views`` of the field;
    - ``missing/<frequency>``: the share of the signal's power that the field lacks in an octave of frequency.

    Args:
        every_n_steps: the interval in optimiser steps; None shows the end only.
        max_side: larger pictures are shown at this many pixels along their longer side.
        spectrum_side: side of the part of a picture whose spectrum is taken; None takes none.
    """

    def __init__(self, every_n_steps: int | None = 500, max_side: int = 512, spectrum_side: int | None = 256) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, or null, got {every_n_steps}")
        if max_side < 1:
            raise ValueError(f"max_side: expected at least 1 pixel, got {max_side}")
        if spectrum_side is not None and spectrum_side < 4:
            raise ValueError(f"spectrum_side: expected at least 4 pixels, or null, got {spectrum_side}")
        self.every_n_steps = every_n_steps
        self.max_side = max_side
        self.spectrum_side = spectrum_side

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        if self.every_n_steps is not None:
            pl_module.stop_at(self.every_n_steps)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        loggers = trainer.loggers if trainer.is_global_zero else []
        boards = [logger for logger in loggers if isinstance(logger, TensorBoardLogger)]
        if not boards or not pl_module.due(self.every_n_steps):
            return
        for name, view in pl_module.dataset.views(pl_module.field, self.max_side).items():
            for board in boards:
                board.experiment.add_image(f"view/{name}", view, pl_module.step, dataformats="HWC")
        if self.spectrum_side is not None:
            missing = pl_module.dataset.missing(pl_module.field, self.spectrum_side)
            for board in boards:
                board.log_metrics({f"missing/{octave}": share for octave, share in missing.items()}, pl_module.step)
