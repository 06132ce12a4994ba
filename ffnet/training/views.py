"""Images, sounds and spectra in TensorBoard."""

from lightning.pytorch import Trainer
from lightning.pytorch.loggers import TensorBoardLogger

from ffnet.analysis import spectral_error
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class Views(Periodic):
    """Logs at every interval and at the end:

    - ``view/<name>``: the images from the dataset's ``views``;
    - ``sound/<name>``: the recordings from its ``sounds``, in the AUDIO tab;
    - ``val/spectral_error/<frequency>``: the relative spectral error per octave of frequency (1 = nothing learned), if
      the training queries are points on a grid.

    Args:
        every_n_steps: the interval in optimizer steps; None logs only at the end.
        max_side: the longer side of larger images is reduced to this many pixels.
        spectrum_side: side of the part of the grid whose spectrum is computed; None computes none.
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
        for name, view in module.dataset.views(module.result, self.max_side).items():
            for board in boards:
                board.experiment.add_image(f"view/{name}", view, module.step, dataformats="HWC")
        for name, (samples, rate) in module.dataset.sounds(module.result).items():
            for board in boards:
                board.experiment.add_audio(f"sound/{name}", samples, module.step, rate)
        grid = module.dataset.regular
        if self.spectrum_side is not None and grid is not None and module.dataset.operator.pointwise:
            errors = spectral_error(module.result, grid, self.spectrum_side)
            scalars = {f"val/spectral_error/{octave}": error for octave, error in errors.items()}
            for board in boards:
                board.log_metrics(scalars, module.step)
