"""What happens every so many steps."""

from abc import ABC, abstractmethod
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ffnet.training.module import Fitting


class Periodic(Callback, ABC):
    """Does something, ``act``, at every interval and at the end.

    Args:
        every_n_steps: the interval in optimiser steps; None acts at the end only.

    Raises:
        ValueError: if the interval is below 1.
    """

    def __init__(self, every_n_steps: int | None) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, or null, got {every_n_steps}")
        self.every_n_steps = every_n_steps

    @abstractmethod
    def act(self, trainer: Trainer, module: Fitting) -> None:
        """What happens after such a step."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        if self.every_n_steps is not None:
            pl_module.stop_at(self.every_n_steps)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        if pl_module.due(self.every_n_steps):
            self.act(trainer, pl_module)
