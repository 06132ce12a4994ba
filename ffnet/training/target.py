"""Stops a run at a score."""

import math

from lightning.pytorch import Callback, LightningModule, Trainer

from ffnet.fitting import directions
from ffnet.training.module import Fitting


class Target(Callback):
    """Stops the run once a score of ``Evaluation`` reaches ``score``; looked at whenever there are scores.

    Args:
        score: the value to reach: at least, or at most where lower is better.
        monitor: name of the score, such as ``val/psnr``; None is the most important one.

    Raises:
        ValueError: if the score is no finite number.
    """

    def __init__(self, score: float, monitor: str | None = None) -> None:
        if type(score) not in (int, float) or not math.isfinite(score):
            raise ValueError(f"score: expected a finite number, got {score!r}")
        self.score = score
        self.monitor = monitor
        self.reason: str | None = None  # why the run was stopped

    def on_validation_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        assert isinstance(pl_module, Fitting)
        name, higher = self.watched(directions(pl_module.dataset))
        found = trainer.callback_metrics[f"val/{name}"].item()
        if found >= self.score if higher else found <= self.score:
            self.reason = f"{self.monitor or f'val/{name}'} is {found:.4g}, and {self.score:g} was to be reached"
            trainer.should_stop = True

    def watched(self, scores: dict[str, bool | None]) -> tuple[str, bool]:
        """The score and whether higher is better.

        Raises:
            ValueError: if it is none of the ``scores``, or has no direction.
        """
        name = next(iter(scores), "") if self.monitor is None else self.monitor.removeprefix("val/")
        known = [f"val/{known}" for known, higher in scores.items() if higher is not None]
        higher = scores.get(name)
        if higher is None:
            raise ValueError(f"Target: expected monitor to be one of {', '.join(known)}, got {self.monitor!r}")
        return name, higher
