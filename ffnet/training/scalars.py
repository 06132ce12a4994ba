"""Loss, learning rate and speed during training."""

from lightning.pytorch import LightningModule, Trainer

from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class Scalars(Periodic):
    """Logs, at every interval and at the end:

    - ``train/loss``: mean over the steps since the last entry; ``train/psnr`` (or other metrics of the dataset) of the
      last batch;
    - ``train/lr``: the learning rate of the first parameter group;
    - ``train/steps_per_second`` and ``train/samples_per_second`` since the last entry.

    Args:
        every_n_steps: the interval in optimizer steps; None logs only at the end.
    """

    def __init__(self, every_n_steps: int | None = 50) -> None:
        super().__init__(every_n_steps)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        self.step, self.seconds = pl_module.step, pl_module.seconds

    def act(self, trainer: Trainer, module: Fitting) -> None:
        rate = (module.step - self.step) / max(module.seconds - self.seconds, 1e-9)
        self.step, self.seconds = module.step, module.seconds
        scalars = {
            "train/loss": module.mean_loss(),
            **{f"train/{name}": value for name, value in module.last_scores.items()},
            "train/lr": trainer.optimizers[0].param_groups[0]["lr"],
            "train/steps_per_second": rate,
            "train/samples_per_second": rate * module.dataset.batch_size,
        }
        for logger in trainer.loggers:
            logger.log_metrics(scalars, step=module.step)
