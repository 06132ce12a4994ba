"""Saves checkpoints, and stops a run on request."""

import signal
import threading
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class Interrupted(BaseException):  # like KeyboardInterrupt, so that ``except Exception`` does not catch it
    """The run was stopped by a signal and has been saved.

    Attributes:
        signal: SIGINT or SIGTERM.
        step: number of completed optimizer steps.
    """

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"{signal.Signals(signum).name} at step {step}")
        self.signal = signum
        self.step = step


class Checkpoints(Periodic):
    """Writes ``checkpoints/last.ckpt`` to the run directory (the trainer's ``default_root_dir``): at the start, at
    every interval, at the end, on Ctrl-C and on SIGTERM.

    Signals take effect between two optimizer steps, so the checkpoint can be resumed bit for bit. A second Ctrl-C stops
    immediately, without saving.

    Args:
        every_n_steps: the interval in optimizer steps, the most that a kill (SIGKILL, power failure) can lose; None
            saves only at the start, at the end and on a signal.
    """

    def __init__(self, every_n_steps: int | None = 500) -> None:
        super().__init__(every_n_steps)
        self.saved_step = -1
        self.asked: int | None = None
        self.handlers: dict[int, Any] = {}

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Here, because Lightning installs its own handler for SIGTERM shortly before.
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
        # Possibly only one process received the signal, but all must stop at the same step.
        asked = trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False)
        if asked:
            self.act(trainer, pl_module)
            raise Interrupted(self.asked or signal.SIGTERM, pl_module.step)

    def act(self, trainer: Trainer, module: Fitting) -> None:
        """Writes the checkpoint, unless this step has been written."""
        if module.step != self.saved_step:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt")
            self.saved_step = module.step

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
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
