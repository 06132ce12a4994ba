"""Scores during training."""

from functools import partial
from typing import Any

import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from ffnet.budget import EVALUATIONS
from ffnet.fitting import evaluate
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic
from ffnet.training.spans import KnowsSpans, callbacks_of


class _Stopped(Exception):
    pass


class Evaluation(Periodic):
    """Logs ``val/<score>`` at every interval and at the end.

    Callbacks that act after validation, such as Lightning's ``EarlyStopping(monitor="val/psnr")`` and
    ``ModelCheckpoint``, are then called with the new scores.

    An evaluation ends early if the run is asked to stop. The checkpoint says so, and the resumed run begins with it.

    Args:
        every_n_steps: the interval in optimizer steps; None scores only at the end.
        points: field evaluations per chunk.
    """

    def __init__(self, every_n_steps: int | None = 250, points: int = EVALUATIONS) -> None:
        super().__init__(every_n_steps)
        if points < 1:
            raise ValueError(f"points: expected at least 1, got {points}")
        self.points = points
        self.stopped_at: int | None = None  # the step whose evaluation has to be repeated

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        assert isinstance(pl_module, Fitting)
        pl_module.before_steps = partial(self._repeat, trainer, pl_module)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.stopped_at is None else {"stopped_at": self.stopped_at}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.stopped_at = state_dict["stopped_at"]

    def _repeat(self, trainer: Trainer, module: Fitting) -> None:
        if self.stopped_at == module.step:
            self._act(trainer, module)

    def act(self, trainer: Trainer, module: Fitting) -> None:
        def stop_if_asked() -> None:
            if module.asked_to_stop():
                raise _Stopped

        self.stopped_at = None
        try:
            scores = evaluate(module.result, module.dataset, self.points, module.processes, stop_if_asked)
        except _Stopped:
            self.stopped_at = module.step
            return
        module.scored = (module.step, scores)
        named = {f"val/{name}": value for name, value in scores.items()}
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in named.items()})
        for logger in trainer.loggers:
            logger.log_metrics(named, step=module.step)
        for callback in callbacks_of(trainer):
            if not isinstance(callback, KnowsSpans | ProgressBar):  # a bar also needs the start of validation
                callback.on_validation_end(trainer, module)
