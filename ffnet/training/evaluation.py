"""Scores over all points, pooled."""

from collections.abc import Callable
from typing import Any

import torch
from lightning.pytorch import Callback, LightningModule, Trainer
from torch import Tensor

from ffnet.datasets import Dataset
from ffnet.training.module import Fitting

# The activations of so many points are some 100 MB for the paper's network.
CHUNK_POINTS = 16384


@torch.inference_mode()
def evaluate(
    field: Callable[[Tensor], Tensor],
    dataset: Dataset,
    points: int = CHUNK_POINTS,
    rank: int = 0,
    processes: int = 1,
    pool: Callable[[Tensor], Tensor] = lambda totals: totals,
) -> dict[str, float]:
    """Scores of ``field`` on ``dataset``, from sums over every point, in float64.

    Args:
        field: coordinates (n, d) to values (n, c), on the dataset's device.
        dataset: what the field is compared with.
        points: how many are evaluated at a time; it does not change the scores.
        rank, processes: of several processes, each evaluates every so many chunks, and
        pool: adds their sums up.
    """
    totals: Tensor | None = None
    for chunk, (batch, part) in enumerate(dataset.evaluation(points)):
        if totals is None:
            width = dataset.statistics(batch.targets[:1], batch.targets[:1]).shape[-1]
            totals = torch.zeros(len(dataset.parts), width, dtype=torch.float64, device=part.device)
        if chunk % processes == rank:
            statistics = dataset.statistics(dataset.observe(field, batch.coordinates), batch.targets)
            totals.index_add_(0, part, statistics)
    assert totals is not None, "a dataset has at least one point"
    return dataset.scores(pool(totals))


class Evaluation(Callback):
    """Logs ``val/<score>`` at every interval and at the end.

    Args:
        every_n_steps: the interval in optimiser steps; None scores at the end only.
        points: how many are evaluated at a time.
    """

    def __init__(self, every_n_steps: int | None = 250, points: int = CHUNK_POINTS) -> None:
        if every_n_steps is not None and every_n_steps < 1:
            raise ValueError(f"every_n_steps: expected at least 1, or null, got {every_n_steps}")
        if points < 1:
            raise ValueError(f"points: expected at least 1, got {points}")
        self.every_n_steps = every_n_steps
        self.points = points

    def setup(self, trainer: Trainer, pl_module: LightningModule, stage: str) -> None:
        assert isinstance(pl_module, Fitting)
        if self.every_n_steps is not None:
            pl_module.stop_at(self.every_n_steps)

    def on_train_batch_end(
        self, trainer: Trainer, pl_module: LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        assert isinstance(pl_module, Fitting)
        if not pl_module.due(self.every_n_steps):
            return
        place = (trainer.global_rank, trainer.world_size)
        scores = evaluate(pl_module.field, pl_module.dataset, self.points, *place, pl_module.pooled)
        pl_module.scored = (pl_module.step, scores)
        named = {f"val/{name}": value for name, value in scores.items()}
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in named.items()})
        for logger in trainer.loggers:
            logger.log_metrics(named, step=pl_module.step)
