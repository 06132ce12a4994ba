"""Saves checkpoints, and stops a run on request."""

import os
import signal
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from ffnet import stopping
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic


class Interrupted(BaseException):  # like KeyboardInterrupt, so that ``except Exception`` does not catch it
    """The run was stopped by a signal and has been saved.

    Attributes:
        signal: SIGINT, SIGTERM or SIGHUP.
        step: number of completed optimizer steps.
    """

    def __init__(self, signum: int, step: int) -> None:
        super().__init__(f"{signal.Signals(signum).name} at step {step}")
        self.signal = signum
        self.step = step


class Checkpoints(Periodic):
    """Writes ``checkpoints/last.ckpt`` to the run directory (the trainer's ``default_root_dir``): at the start, at
    every interval, at the end, and on SIGINT (Ctrl-C), SIGTERM and SIGHUP.

    Signals take effect between two optimizer steps or two chunks of ``Evaluation``, so the checkpoint can be resumed
    bit for bit. A second signal goes to the handler that was there before the fit: it ends ``ffnet`` at once, without
    saving.

    Args:
        every_n_steps: the interval in optimizer steps, the most that a kill (SIGKILL, power failure) can lose; None
            saves only at the start, at the end and on a signal.
    """

    def __init__(self, every_n_steps: int | None = 500) -> None:
        super().__init__(every_n_steps)
        self.saved_step = -1
        self.asked: int | None = None
        self.handlers: dict[int, Any] = {}

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        super().setup(trainer, pl_module, stage)
        self.handlers = stopping.handlers()
        assert isinstance(pl_module, Fitting)
        # Possibly only one process received the signal, but all must stop at the same place.
        pl_module.asked_to_stop = lambda: trainer.strategy.reduce_boolean_decision(self.asked is not None, all=False)

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        # Here, because Lightning installs its own handler for SIGTERM shortly before.
        stopping.set_handlers(dict.fromkeys(self.handlers, self._ask))
        assert isinstance(pl_module, Fitting)
        if trainer.ckpt_path is None:
            self.act(trainer, pl_module)
        else:  # which is there, and stays as it is until the run has got further
            self.saved_step = pl_module.step

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        super().on_train_batch_end(trainer, pl_module, outputs, batch, batch_idx)
        self._stop_if_asked(trainer, pl_module)

    def act(self, trainer: Trainer, module: Fitting) -> None:
        """Writes the checkpoint, unless this step has been written."""
        if module.step != self.saved_step:
            trainer.save_checkpoint(Path(trainer.default_root_dir) / "checkpoints" / "last.ckpt")
            self.saved_step = stopping.left.step = module.step

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        super().on_train_end(trainer, pl_module)
        stopping.set_handlers(self.handlers)
        self._stop_if_asked(trainer, pl_module)

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        stopping.set_handlers(self.handlers)

    def _stop_if_asked(self, trainer: Trainer, module: LightningModule) -> None:
        assert isinstance(module, Fitting)
        if module.asked_to_stop():
            self.act(trainer, module)
            raise Interrupted(self.asked or signal.SIGTERM, module.step)

    def _ask(self, signum: int, _: Any) -> None:
        if self.asked is None:
            self.asked = signum
        else:
            stopping.set_handlers(self.handlers)
            os.kill(os.getpid(), signum)
