"""Scores over all points, pooled."""

from collections.abc import Callable

import torch
from lightning.pytorch import Trainer
from torch import Tensor

from ffnet.datasets import Dataset
from ffnet.training.module import Fitting
from ffnet.training.periodic import Periodic

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


class Evaluation(Periodic):
    """Logs ``val/<score>`` at every interval and at the end.

    Args:
        every_n_steps: the interval in optimiser steps; None scores at the end only.
        points: how many are evaluated at a time.
    """

    def __init__(self, every_n_steps: int | None = 250, points: int = CHUNK_POINTS) -> None:
        super().__init__(every_n_steps)
        if points < 1:
            raise ValueError(f"points: expected at least 1, got {points}")
        self.points = points

    def act(self, trainer: Trainer, module: Fitting) -> None:
        place = (trainer.global_rank, trainer.world_size)
        scores = evaluate(module.field, module.dataset, self.points, *place, module.pooled)
        module.scored = (module.step, scores)
        named = {f"val/{name}": value for name, value in scores.items()}
        trainer.callback_metrics.update({name: torch.tensor(value) for name, value in named.items()})
        for logger in trainer.loggers:
            logger.log_metrics(named, step=module.step)
