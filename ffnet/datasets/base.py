"""The base class of datasets, which combine the signal, operator, sampling and metrics of a task."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ffnet import budget
from ffnet.datasets.checks import check_kind, check_metric, checked_metrics, reason
from ffnet.operators import Operator, PointEvaluation
from ffnet.sampling import Draw, FullBatch, Sampler
from ffnet.signals import Record

if TYPE_CHECKING:
    from PIL import Image
    from torchmetrics import Metric

# Queries of every kind with which a dataset is tried before training.
TRIED = 64


class Batch(NamedTuple):
    """Queries and observations.

    Attributes:
        queries: (n, q), for example points, rays or frequencies.
        targets: (n, c), the observations.
        weights: (n,), weights of the queries' losses; None for equal weights.
        index: (n,), indices of the queries in the source; None if not needed.
    """

    queries: Float[Tensor, "n q"]
    targets: Float[Tensor, "n c"]
    weights: Float[Tensor, "n"] | None = None
    index: Int[Tensor, "n"] | None = None  # type: ignore[assignment]


class Held(nn.Module):
    """A module whose buffers move to devices but keep their dtype, since bfloat16 would round a signal."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("_place", torch.empty(0), persistent=False)  # has a device if nothing else does

    def hold(self, name: str, value: Tensor | None) -> None:
        """Registers ``value`` as a buffer that checkpoints do not store."""
        self.register_buffer(name, value, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        for child in self.children():
            child._apply(fn)
        for name, tensor in self._buffers.items():
            if tensor is not None:
                self._buffers[name] = tensor.to(fn(tensor.new_empty(0)).device)
        return self


class Source(Held, ABC):
    """A finite set of queries with their observations. Its tensors are buffers, which are moved to the device once.

    Attributes:
        size: number of queries.
        grid: size of the regular grid formed by the queries, slowest axis first; None if they form no grid.
    """

    size: int
    grid: tuple[int, ...] | None = None

    @abstractmethod
    def batch(self, index: Int[Tensor, "n"]) -> Batch:
        """The queries with the given indices, from 0 to ``size - 1``, and their observations."""


class Stream(Held, ABC):
    """An endless stream of new queries with their observations."""

    @abstractmethod
    def draw(self, count: int, generator: torch.Generator) -> Batch:
        """``count`` new queries, drawn on the device of the generator and the stream."""


class Evaluation(nn.Module):
    """A set of queries on which a field is scored.

    Args:
        name: "" for ``val/psnr``, ``rest`` for ``val/rest/psnr``.
        source: its queries and targets.
        metrics: torchmetrics by name, of which it takes copies. They are updated with chunks of predictions and targets
            (n, c); the first is the one to look at.
        operator: how the queries observe the field; evaluation at points if None.
        layout: (height, width) of the image formed by the queries, row by row; None if they form none.
        image_metrics: the same, updated once, with images (1, c, height, width). Without a layout there are none.

    Raises:
        ValueError: if a metric is none, or the layout does not fit.
    """

    def __init__(
        self,
        name: str,
        source: Source,
        metrics: "Mapping[str, Metric]",
        operator: Operator | None = None,
        layout: tuple[int, ...] | None = None,
        image_metrics: "Mapping[str, Metric] | None" = None,
    ) -> None:
        super().__init__()
        if layout is not None and math.prod(layout) != source.size:
            raise ValueError(f"layout: expected {source.size} pixels, got {' x '.join(map(str, layout))}")
        self.name, self.source, self.layout = name, source, layout
        self.operator = operator or PointEvaluation()
        # Plain dictionaries: as submodules, their float64 sums would follow the module to bfloat16.
        self.metrics = checked_metrics(metrics)
        self.image_metrics = checked_metrics(image_metrics) if layout is not None else {}

    def score(self, metric: str) -> str:
        """The full name of the score of a metric, such as ``psnr`` or ``rest/psnr``."""
        return f"{self.name}/{metric}" if self.name else metric


class Dataset(nn.Module, ABC):
    """One task: the signal, how it is observed, which queries a step uses, and how the field is scored.

    Attributes:
        in_features: number of coordinates of the *field*.
        out_features: number of values of the *field*; an observation may have another number of columns.
        source: the training queries and their observations.
        sampler: which training queries a step uses (by default all); for a stream, how many.
        operator: how the training queries observe the field; by default evaluation at points.
        metrics: scores of a training batch, such as ``train/psnr``, the main one first. Optional.
        record: the signal's record, which checkpoints store; None if there is nothing to reconstruct.
        path: the fitted file, if the constructor has this argument.
    """

    in_features: int
    out_features: int
    source: Source | Stream
    sampler: Sampler
    operator: Operator
    metrics: "dict[str, Metric]"
    record: Record | None = None
    compared: ClassVar[dict[str, bool]] = {}  # of the scores of `compare`, those of which higher is better
    path: str | Path | None = None

    def __init__(self) -> None:
        super().__init__()
        self.operator, self.sampler, self.metrics = PointEvaluation(), FullBatch(), {}
        self._evaluations = nn.ModuleList()

    @property
    def evaluations(self) -> list[Evaluation]:
        """The evaluations; the main score is the first metric of the first one."""
        return cast(list[Evaluation], list(self._evaluations))

    def add_evaluation(self, evaluation: Evaluation) -> None:
        """Appends ``evaluation`` to the evaluations."""
        self._evaluations.append(evaluation)

    @property
    def regular(self) -> Source | None:
        """The training queries if they form a regular grid, whether all are used or not; else None."""
        return self.source if isinstance(self.source, Source) and self.source.grid is not None else None

    @property
    def batch_size(self) -> int:
        """Number of queries per training batch."""
        return self.sampler.batch_size(self.source.size if isinstance(self.source, Source) else 0)

    @property
    def whole(self) -> bool:
        """Whether every batch consists of all training queries, in order."""
        return isinstance(self.sampler, FullBatch)

    def draw(self, generator: torch.Generator) -> Draw:
        """Draws the training queries of the next step."""
        assert isinstance(self.source, Source)
        return self.sampler.draw(self.source.size, generator)

    def sample(self, generator: torch.Generator) -> Batch:
        """A training batch."""
        if isinstance(self.source, Stream):
            return self.source.draw(self.batch_size, generator)
        index, weights = self.draw(generator)
        every = torch.arange(self.source.size, device=generator.device) if index is None else index
        return self.source.batch(every)._replace(weights=weights, index=every)

    def probe(self, count: int, seed: int = 0) -> Batch:
        """At most ``count`` training queries, stratified: their indices are split into ``count`` intervals and one
        query is drawn from each; for a stream, from new batches. The same seed draws the same queries.
        """
        device = next(self.source.buffers()).device
        if isinstance(self.source, Source):
            index = _one_of_each_stretch(min(count, self.source.size), self.source.size, seed)
            return self.source.batch(index.to(device))
        generator = torch.Generator(device).manual_seed(seed)
        drawn = [self.sample(generator) for _ in range(-(-count // self.batch_size))]
        rows = _one_of_each_stretch(count, len(drawn) * self.batch_size, seed).to(device)
        queries, targets = (torch.cat(parts)[rows] for parts in list(zip(*drawn, strict=True))[:2])
        return Batch(queries, targets)

    @torch.no_grad()
    def check(self, field: nn.Module) -> None:
        """Observes and scores ``field``, on this dataset's device, at some queries of every kind.

        Raises:
            ValueError: if a part is none, what an operator observes has another shape than the targets, or a metric
                cannot score it.
        """
        check_kind("operator", self.operator, Operator, "an ffnet.operators.Operator")
        check_kind("sampler", self.sampler, Sampler, "an ffnet.sampling.Sampler")
        if isinstance(self.source, Stream) and (self.sampler.adaptive or self.batch_size < 1):
            got = type(self.sampler).__name__
            raise ValueError(f"sampler: expected one that says how many new queries a step uses, got {got}")
        points = self.operator.evaluations(max(self.batch_size, TRIED))
        budget.check("points", points, "batch_size, times the points of a query")
        self._check_scores("", self.operator, self.probe(TRIED), checked_metrics(self.metrics), field)
        for evaluation in self.evaluations:
            source, device = evaluation.source, next(evaluation.source.buffers()).device
            first = source.batch(torch.arange(min(TRIED, source.size), device=device))
            self._check_scores(evaluation.name, evaluation.operator, first, evaluation.metrics, field)
            if evaluation.image_metrics and evaluation.layout is not None:
                parts = torch.arange(source.size, device=device).split(2**18)
                whole = torch.cat([source.batch(part).targets for part in parts])
                image = whole.view(1, *evaluation.layout, -1).movedim(-1, 1).contiguous()
                for name, metric in evaluation.image_metrics.items():
                    check_metric(name, metric, image, image)

    def _check_scores(
        self, name: str, operator: Operator, batch: Batch, metrics: "Mapping[str, Metric]", field: nn.Module
    ) -> None:
        kind = f"{type(operator).__name__}{f' of evaluation {name!r}' if name else ''}"
        try:
            observed = operator(field, batch.queries)
        except Exception as error:  # whatever an operator may raise
            raise ValueError(f"operator: {kind} cannot observe this field ({reason(error)})") from error
        if observed.shape != batch.targets.shape:
            raise ValueError(
                f"operator: {kind} observes {observed.shape[-1]} columns of this field of "
                f"{self.out_features} values, expected {batch.targets.shape[-1]} as the data have"
            )
        for key, metric in metrics.items():
            check_metric(key, metric, observed, batch.targets)

    # Optional parts of a task

    def mean(self) -> list[float] | None:
        """The mean of the training values, for the initial output of a field; None by default."""
        return None

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """Images of the fit to view during training, RGB in [0, 1]; empty by default."""
        return {}

    def sounds(self, field: Callable[[Tensor], Tensor]) -> dict[str, tuple[Float[Tensor, "1 n"], int]]:
        """Recordings of the fit to listen to: amplitudes in [-1, 1] and samples per second; empty by default."""
        return {}

    def image(self) -> "Image.Image | None":
        """The signal as an image, shown next to reconstructions; None by default."""
        return None

    def baselines(self) -> dict[str, dict[str, float]]:
        """Scores of simple methods without a field, by name of the method; empty by default."""
        return {}

    def compare(self, reconstruction: Path) -> dict[str, float]:
        """Scores of the reconstruction that a run has written: lower is better unless ``compared`` says otherwise."""
        return {}

    def resolved(self) -> dict[str, Any]:
        """Resolved constructor arguments to record; by default the absolute path."""
        return {} if self.path is None else {"path": str(Path(self.path).absolute())}


# The recorded path of a signal that was given in memory. No file has this name.
IN_MEMORY = "<memory>"


def located(path: Any) -> Path | None:
    """The absolute path of a signal's file; None of a signal in memory, or if there is none.

    Raises:
        ValueError: if ``path`` is the recorded one of a signal that was given in memory.
    """
    if isinstance(path, str) and path == IN_MEMORY:
        raise ValueError("path: the run was fitted to a signal in memory; give dataset.path")
    return Path(path).absolute() if isinstance(path, str | PathLike) else None


def _one_of_each_stretch(count: int, total: int, seed: int) -> Int[Tensor, "n"]:
    ends = torch.arange(count + 1) * total // count
    place = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ends[:-1] + (place * ends.diff()).long()
