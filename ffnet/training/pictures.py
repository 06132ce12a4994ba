"""Pictures and spectra in TensorBoard."""

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class Pictures(Periodic):
    """Logs at every interval and at the end:

    - ``view/<name>``: the dataset's ``views`` of the field;
    - ``missing/<frequency>``: the share of the signal's power that the field lacks in an octave of frequency.

    Args:
        every_n_steps: the interval in optimiser steps; None shows the end only.
        max_side: larger pictures are shown at this many pixels along their longer side.
        spectrum_side: side of the part of a picture whose spectrum is taken; None takes none.
    """

    def __init__(self, every_n_steps: int | None = 500, max_side: int = 512, spectrum_side: int | None = 256) -> None:
        super().__init__(every_n_steps)
        if max_side < 1:
            raise ValueError(f"max_side: expected at least 1 pixel, got {max_side}")
        if spectrum_side is not None and spectrum_side < 4:
            raise ValueError(f"spectrum_side: expected at least 4 pixels, or null, got {spectrum_side}")
        self.max_side = max_side
        self.spectrum_side = spectrum_side

    def act(self, trainer: Trainer, module: Fitting) -> None:
        loggers = trainer.loggers if trainer.is_global_zero else []
        boards = [logger for logger in loggers if isinstance(logger, TensorBoardLogger)]
        if not boards:
            return
        for name, view in module.dataset.views(module.field, self.max_side).items():
            for board in boards:
                board.experiment.add_image(f"view/{name}", view, module.step, dataformats="HWC")
        if self.spectrum_side is not None:
            missing = module.dataset.missing(module.field, self.spectrum_side)
            for board in boards:
                board.log_metrics({f"missing/{octave}": share for octave, share in missing.items()}, module.step)
