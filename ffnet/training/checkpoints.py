"""When a run is saved, and how it stops when asked to."""

import signal
import threading
from pathlib import Path
from typing import Any

from lightning.pytorch import Callback, LightningModule, Trainer

from ffnet.training.module import Fitting


class Interrupted(BaseException):  # like KeyboardInterrupt, not an error that ``except Exception`` may swallow
    """The run was asked to stop, and has been saved.

    Attributes:
        signal: SIGINT or SIGTERM.
        step: optimiser steps done.
    """

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"{signal.Signals(signum).name} at step {step}")
        self.signal = signum
        self.step = step


class Checkpoints(Callback):
    """Keeps ``folder/last.ckpt``: written at the start, at every interval, at the end, on Ctrl-C and SIGTERM.

    The signals are answered between two optimiser steps, never within one, so what is saved can be resumed to
    the same bits. A second Ctrl-C stops at once, without saving.

    Args:
        folder: where the checkpoint lies.
        every_n_steps: the interval in optimiser steps; what a kill (SIGKILL, power) can lose at most.
    """

    def __init__(self, folder: str | Path, every_n_steps: int = 500) -> None:
        if every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, got {every_n_steps}")
        self.path = Path(folder) / "last.ckpt"
        self.every_n_steps = every_n_steps
        self.saved_step = -1
        self.asked: int | None = None
        self.handlers: dict[int, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        pl_module.stop_at(self.every_n_steps)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Here, since Lightning puts up its own handler for SIGTERM shortly before.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.handlers[number] = signal.signal(number, self._ask)
        self.save(trainer)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        # Of several processes one alone may have been asked, and all must stop at the same step.
        asked = trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False)
        if pl_module.due(self.every_n_steps) or asked:
            self.save(trainer)
        if asked:
            raise Interrupted(self.asked or signal.SIGTERM, pl_module.step)

    def save(self, trainer: Trainer) -> None:
        """Writes the checkpoint, unless this very step has been written."""
        if trainer.global_step != self.saved_step:
            trainer.save_checkpoint(self.path)
            self.saved_step = trainer.global_step

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self._stop_listening()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        self._stop_listening()

    def _ask(self, signum: int, _: Any) -> None:
        if self.asked is not None:
            raise KeyboardInterrupt
        self.asked = signum

    def _stop_listening(self) -> None:
        while self.handlers:
            signal.signal(*self.handlers.popitem())
