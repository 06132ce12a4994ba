"""Numbers about the training itself."""

from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ffnet.training.module import Fitting


class Scalars(Callback):
    """Logs, at every interval and at the end:

    - ``train/loss``: mean over the steps since the last time; ``train/psnr`` (or the dataset's own measure) of
      the last batch;
    - ``optimizer/rate``: the learning rate of the first parameter group;
    - ``speed/steps_per_second`` and ``speed/samples_per_second`` since the last time.

    Args:
        every_n_steps: the interval in optimiser steps.
    """

    def __init__(self, every_n_steps: int = 50) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, got {every_n_steps}")
        self.every_n_steps = every_n_steps

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        pl_module.stop_at(self.every_n_steps)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        self.step, self.seconds = pl_module.step, pl_module.seconds

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        if not pl_module.due(self.every_n_steps):
            return
        rate = (pl_module.step - self.step) / max(pl_module.seconds - self.seconds, 1e-9)
        self.step, self.seconds = pl_module.step, pl_module.seconds
        score, value = next(iter(pl_module.batch_scores().items()))
        scalars = {
            "train/loss": pl_module.mean_loss(),
            f"train/{score}": value,
            "optimizer/rate": trainer.optimizers[0].param_groups[0]["lr"],
            "speed/steps_per_second": rate,
            "speed/samples_per_second": rate * pl_module.dataset.batch_points,
        }
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=pl_module.step)
