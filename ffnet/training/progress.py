"""A progress bar that counts optimizer steps."""

import logging
import sys
import time
from typing import Any

from lightning.pytorch import LightningModule, Trainer
from lightning.pytorch.callbacks import ProgressBar

from ffnet.training.module import Fitting
from ffnet.training.spans import KnowsSpans

log = logging.getLogger(__name__)


class Progress(ProgressBar, KnowsSpans):
    """Shows steps, steps per second, the loss and the score of the training batch; logs lines if there is neither a
    terminal nor a notebook.

    Args:
        every_n_seconds: time between two log lines.
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
        self.bar = bar_class()(
            total=pl_module.max_steps,
            initial=pl_module.step,
            unit="step",
            dynamic_ncols=True,
            disable=not (self.enabled and (sys.stderr.isatty() or in_notebook())),
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
        scores = list(module.last_scores.items())[:1]
        unit = {name: getattr(module.dataset.metrics[name], "unit", "") for name, _ in scores}
        figures = {name: f"{value:.2f} {unit[name]}".rstrip() for name, value in scores}
        return {"loss": f"{module.last_loss:.3g}"} | figures

    def on_train_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        self.bar.close()

    def on_exception(self, trainer: Trainer, pl_module: LightningModule, exception: BaseException) -> None:
        if self.bar is not None:
            self.bar.close()


def in_notebook() -> bool:
    """Whether this process is a Jupyter kernel."""
    kernels = sys.modules.get("ipykernel.kernelapp")  # which other programs may have imported as well
    return kernels is not None and kernels.IPKernelApp.initialized()


def bar_class() -> Any:
    """tqdm's bar for notebooks if its widgets are installed, else the one for terminals."""
    import tqdm

    if in_notebook():
        import tqdm.notebook  # which imports IPython

        if tqdm.notebook.IProgress is not None:
            return tqdm.notebook.tqdm
    return tqdm.tqdm
