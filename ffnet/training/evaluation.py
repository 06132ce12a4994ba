"""Scores during training."""

import torch
from lightning.pytorch import Trainer
from lightning.pytorch.callbacks import ProgressBar

from ffnet.budget import EVALUATIONS
from ffnet.fitting import evaluate
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic
from ffnet.training.spans import KnowsSpans, callbacks_of


class Evaluation(Periodic):
    """Logs ``val/<score>`` at every interval and at the end.

    Callbacks that act after validation, such as Lightning's ``EarlyStopping(monitor="val/psnr")`` and
    ``ModelCheckpoint``, are then called with the new scores.

    Args:
        every_n_steps: the interval in optimizer steps; None scores only at the end.
        points: field evaluations per chunk.
    """

    def __init__(self, every_n_steps: int | None = 250, points: int = EVALUATIONS) -> None:
        super().__init__(every_n_steps)
        if points < 1:
            raise ValueError(f"points: expected at least 1, got {points}")
        self.points = points

    def act(self, trainer: Trainer, module: Fitting) -> None:
        scores = evaluate(module.result, module.dataset, self.points, module.processes)
        module.scored = (module.step, scores)
        named = {f"val/{name}": value for name, value in scores.items()}
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in named.items()})
        for logger in trainer.loggers:
            logger.log_metrics(named, step=module.step)
        for callback in callbacks_of(trainer):
            if not isinstance(callback, KnowsSpans | ProgressBar):  # a bar also needs the start of validation
                callback.on_validation_end(trainer, module)
