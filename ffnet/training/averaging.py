"""An exponential moving average of the weights."""

import copy
import logging
from collections.abc import Iterable

import torch
from lightning.pytorch import LightningModule, Trainer
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from ffnet.training.module import Fitting
from ffnet.training.spans import KnowsSpans

log = logging.getLogger(__name__)


class Averaging(KnowsSpans):
    """Averages the field's weights after every optimizer step: ``average <- d average + (1 - d) weights``, starting
    from the initial weights. Scores, views, checkpoints and the result have the averaged weights; training goes on with
    the others, which a checkpoint holds as ``trained.*``.

    Over ``1 / (1 - decay)`` steps or so, the average removes the noise of the batches. A schedule that lowers the
    learning rate to zero does so as well, and then the average gains nothing (``benchmarks/README.md``).

    Args:
        decay: the largest d, in (0, 1). At first, d is ``(1 + step) / (10 + step)``, so that the initial weights are
            forgotten at any length of a run (``tf.train.ExponentialMovingAverage``).

    Raises:
        ValueError: if the decay is out of range.
    """

    def __init__(self, decay: float = 0.99) -> None:
        if type(decay) not in (int, float) or not 0 < decay < 1:
            raise ValueError(f"decay: expected a number in (0, 1), got {decay!r}")
        self.decay = decay

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        if str(trainer.precision) in ("16-true", "bf16-true"):
            raise ValueError(
                f"precision: expected weights in float32, got {trainer.precision}, which cannot hold an average; "
                "say precision=bf16-mixed"
            )
        if pl_module.average is None:
            pl_module.average = copy.deepcopy(pl_module.field)
        pl_module.after_step = self.update

    def on_train_start(self, trainer: Trainer, pl_module: LightningModule) -> None:
        log.info("average of the weights with a decay of %g: what is scored and what remains", self.decay)

    def update(self, module: Fitting, step: int) -> None:
        """Takes the weights after ``step`` optimizer steps into the average."""
        assert module.average is not None
        with torch.no_grad():
            update(module.average.parameters(), module.field.parameters(), decay_at(step, self.decay))


def decay_at(step: int, decay: float) -> float:
    """The factor of the average after ``step`` optimizer steps, counted from 1."""
    return min(decay, (1 + step) / (10 + step))


def update(average: Iterable[nn.Parameter], weights: Iterable[nn.Parameter], decay: float) -> None:
    """``average <- decay average + (1 - decay) weights``, in place. ``torch.optim.swa_utils.AveragedModel`` would wait
    for the device in every step, to read a counter."""
    ours: list[Tensor | None] = [tensor.detach() for tensor in average]
    theirs: list[Tensor | None] = [tensor.detach() for tensor in weights]
    get_ema_multi_avg_fn(decay)(ours, theirs, 0)
