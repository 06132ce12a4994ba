"""Numbers about the training itself."""

from lightning.pytorch import LightningModule, Trainer

from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class Scalars(Periodic):
    """Logs, at every interval and at the end:

    - ``train/loss``: mean over the steps since the last time; ``train/psnr`` (or the dataset's own measure) of
      the last batch;
    - ``optimizer/rate``: the learning rate of the first parameter group;
    - ``speed/steps_per_second`` and ``speed/samples_per_second`` since the last time.

    Args:
        every_n_steps: the interval in optimiser steps; None logs at the end only.
    """

    def __init__(self, every_n_steps: int | None = 50) -> None:
        super().__init__(every_n_steps)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        self.step, self.seconds = pl_module.step, pl_module.seconds

    def act(self, trainer: Trainer, module: Fitting) -> None:
        rate = (module.step - self.step) / max(module.seconds - self.seconds, 1e-9)
        self.step, self.seconds = module.step, module.seconds
        score, value = next(iter(module.batch_scores().items()))
        scalars = {
            "train/loss": module.mean_loss(),
            f"train/{score}": value,
            "optimizer/rate": trainer.optimizers[0].param_groups[0]["lr"],
            "speed/steps_per_second": rate,
            "speed/samples_per_second": rate * module.dataset.batch_points,
        }
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=module.step)
