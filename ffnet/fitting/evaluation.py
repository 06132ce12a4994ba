"""Scores of a field, pooled over all queries."""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn

from ffnet.budget import EVALUATIONS
from ffnet.datasets import Dataset, Evaluation
from ffnet.fitting.precision import observed_type
from ffnet.fitting.processes import Processes
from ffnet.metrics.score import score_of


@torch.inference_mode()
def evaluate(
    field: nn.Module | Callable[[Tensor], Tensor],
    dataset: Dataset,
    points: int = EVALUATIONS,
    processes: Processes | None = None,
    before_chunk: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    """Scores of ``field`` on every evaluation of ``dataset``, such as ``psnr`` and ``rest/psnr``.

    Args:
        field: coordinates (n, d) to values (n, c), on the dataset's device.
        dataset: the evaluations.
        points: field evaluations per chunk; does not affect the scores.
        processes: if there are several, each observes its share of the chunks, and torchmetrics pools the results.
        before_chunk: called before every chunk, equally often by each of the processes; it may raise.

    Raises:
        ValueError: if a metric does not return a single number.
    """
    processes = processes or Processes()
    scores: dict[str, float] = {}
    for evaluation in dataset.evaluations:
        scores |= _scores(field, evaluation, points, processes, before_chunk)
    return scores


def _scores(
    field: Callable[[Tensor], Tensor],
    evaluation: Evaluation,
    points: int,
    processes: Processes,
    before_chunk: Callable[[], None] = lambda: None,
) -> dict[str, float]:
    source, operator = evaluation.source, evaluation.operator
    device = next(source.buffers()).device
    every = evaluation.metrics | evaluation.image_metrics
    for metric in every.values():
        metric.to(device).reset()
    whole: list[Tensor] = []
    if evaluation.image_metrics:
        columns = source.batch(torch.zeros(1, dtype=torch.int64, device=device)).targets.shape[1]
        whole = [torch.zeros(source.size, columns, device=device) for _ in range(2)]
    step = operator.chunk(source.size, points)
    for first in range(0, source.size, step * processes.count):
        before_chunk()
        start = first + step * processes.rank
        if start >= source.size:
            continue
        stop = min(start + step, source.size)
        batch = source.batch(torch.arange(start, stop, device=device))
        prediction = observed_type(operator(field, batch.queries))
        for metric in evaluation.metrics.values():
            metric.update(prediction, batch.targets)
        if whole:
            whole[0][start:stop], whole[1][start:stop] = prediction, batch.targets
    if whole:
        assert evaluation.layout is not None
        images = [processes.pooled(part).view(1, *evaluation.layout, -1).movedim(-1, 1) for part in whole]
        for metric in evaluation.image_metrics.values():
            metric.update(*(part.contiguous() for part in images))
    # A single process may score while others wait; whole images are pooled before their metrics are updated.
    pooled = evaluation.metrics if processes.count > 1 else ()
    return {evaluation.score(name): score_of(name, metric, name in pooled) for name, metric in every.items()}


def directions(dataset: Dataset) -> dict[str, bool | None]:
    """Whether higher is better for each score, most important score first; None if unknown."""
    return {
        evaluation.score(name): metric.higher_is_better
        for evaluation in dataset.evaluations
        for name, metric in (evaluation.metrics | evaluation.image_metrics).items()
    }


def units(dataset: Dataset) -> dict[str, str]:
    """The units of the scores whose metrics have a ``unit``."""
    metrics = (
        (evaluation.score(name), metric)
        for evaluation in dataset.evaluations
        for name, metric in evaluation.metrics.items()
    )
    return {score: str(metric.unit) for score, metric in metrics if isinstance(getattr(metric, "unit", None), str)}


@torch.inference_mode()
def worse_than_mean(scores: Mapping[str, float], dataset: Dataset) -> bool:
    """Whether the most important of the ``scores`` is worse than that of a field that is the mean of the signal
    everywhere; False if the dataset has no mean, or the score no direction."""
    mean, (score, higher) = dataset.mean(), next(iter(directions(dataset).items()), (None, None))
    if mean is None or score is None or higher is None:
        return False
    first = dataset.evaluations[0]
    device = next(first.source.buffers()).device
    constant = torch.tensor(mean, device=device)
    # Metrics take views of what they get, so it may not be expanded.
    field = lambda points: constant.expand(*points.shape[:-1], -1).contiguous()  # noqa: E731
    reference = _scores(field, first, EVALUATIONS, Processes())[score]
    return scores[score] < reference if higher else scores[score] > reference
