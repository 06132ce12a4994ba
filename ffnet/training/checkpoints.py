"""When a run is saved, and how it stops when asked to."""

import signal
import threading
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


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


class Checkpoints(Periodic):
    """Keeps ``folder/last.ckpt``: written at the start, at every interval, at the end, on Ctrl-C and SIGTERM.

    The signals are answered between two optimiser steps, never within one, so what is saved can be resumed to
    the same bits. A second Ctrl-C stops at once, without saving.

    Args:
        folder: where the checkpoint lies.
        every_n_steps: the interval in optimiser steps, what a kill (SIGKILL, power) can lose at most; None saves at the
            start, at the end and when asked to stop.
    """

    def __init__(self, folder: str | Path, every_n_steps: int | None = 500) -> None:
        super().__init__(every_n_steps)
        self.path = Path(folder) / "last.ckpt"
        self.saved_step = -1
        self.asked: int | None = None
        self.handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Here, since Lightning puts up its own handler for SIGTERM shortly before.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self.handlers[number] = signal.signal(number, self._ask)
        assert isinstance(pl_module, Fitting)
        self.act(trainer, pl_module)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        # Of several processes one alone may have been asked, and all must stop at the same step.
        asked = trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False)
        if asked:
            self.act(trainer, pl_module)
            raise Interrupted(self.asked or signal.SIGTERM, pl_module.step)

    def act(self, trainer: Trainer, module: Fitting) -> None:
        """Writes the checkpoint, unless this very step has been written."""
        if module.step != self.saved_step:
            trainer.save_checkpoint(self.path)
            self.saved_step = module.step

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
