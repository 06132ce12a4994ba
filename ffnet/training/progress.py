"""A progress bar that counts optimiser steps."""

import logging
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar
from tqdm import tqdm

from ffnet.training.module import Fitting

log = logging.getLogger(__name__)


class Progress(ProgressBar):
    """Steps done, steps a second, loss, and the training batch's score; on a terminal as a bar, else as lines.

    Args:
        every_n_seconds: the time between two lines where there is no terminal.
    """

    def __init__(self, every_n_seconds: float = 10.0) -> None:
        super().__init__()
        self.every_n_seconds = every_n_seconds
        self.bar: Any = None
        self.enabled = True

    def disable(self) -> None:
        self.enabled = False

    def enable(self) -> None:
        self.enabled = True

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        self.line_time = time.perf_counter()
        self.bar = tqdm(
            total=pl_module.max_steps,
            initial=pl_module.step,
            unit="step",
            dynamic_ncols=True,
            disable=not (self.enabled and sys.stderr.isatty()),
        )

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        if not self.bar.disable:
            self.bar.set_postfix(self._figures(pl_module), refresh=False)
            self.bar.update(pl_module.step - self.bar.n)
        elif self.enabled and time.perf_counter() - self.line_time > self.every_n_seconds:
            self.line_time = time.perf_counter()
            figures = ", ".join(f"{name} {value}" for name, value in self._figures(pl_module).items())
            rate = 1 / pl_module.seconds_per_step
            log.info("step %d of %d, %s, %.1f steps/s", pl_module.step, pl_module.max_steps, figures, rate)

    @staticmethod
    def _figures(module: Fitting) -> dict[str, str]:
        score, value = next(iter(module.batch_scores().items()))
        return {"loss": f"{module.last_loss:.3g}", score: f"{value:.2f}"}

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.bar.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self.bar is not None:
            self.bar.close()
