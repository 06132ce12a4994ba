"""The base class of periodic callbacks."""

from abc import ABC, abstractmethod
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from ffnet.training.module import Fitting
from ffnet.training.spans import KnowsSpans


class Periodic(KnowsSpans, ABC):
    """Calls ``act`` at every interval and at the end, also if the run stops early.

    Args:
        every_n_steps: the interval in optimizer steps; None acts only at the end.

    Raises:
        ValueError: if the interval is below 1.
    """

    def __init__(self, every_n_steps: int | None) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, or null, got {every_n_steps}")
        self.every_n_steps = every_n_steps
        self.acted_at = -1

    @abstractmethod
    def act(self, trainer: Trainer, module: Fitting) -> None:
        """The action, called after such a step."""

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        if self.every_n_steps is not None:
            pl_module.stop_at(self.every_n_steps)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        if pl_module.due(self.every_n_steps):
            self._act(trainer, pl_module)

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        if trainer.should_stop and self.acted_at != pl_module.step:
            self._act(trainer, pl_module)

    def _act(self, trainer: Trainer, module: Fitting) -> None:
        self.acted_at = module.step
        self.act(trainer, module)
