"""What training asks of a dataset."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn


class Batch(NamedTuple):
    """Points and what was observed there."""

    coordinates: Float[Tensor, "n d"]
    targets: Float[Tensor, "n c"]


class Dataset(nn.Module, ABC):
    """A signal to fit, held in memory. Its tensors are buffers, so it moves to a device like any module, once.

    Scores are pooled: ``statistics`` gives a few numbers for every point, evaluation adds them up over all
    points of a part (and over processes), ``scores`` turns the sums into figures.

    Attributes:
        in_features: number of coordinates d.
        out_features: number of values c at a point.
        batch_points: number of points in a training batch.
        training_points: how many points batches are drawn from, if they can be numbered and ``observe`` is
            evaluation at these points; else None. A dataset with a number has ``draw`` and ``training_batch``, one
            without has ``sample``.
        training_grid: sizes of the regular grid that the training points form, slowest first as they are numbered;
            None if they do not.
        whole: whether every batch is all training points, in order.
        parts: names of the sets of points that are scored apart.
    """

    in_features: int
    out_features: int
    batch_points: int
    training_points: int | None
    training_grid: tuple[int, ...] | None = None
    whole: bool = False
    parts: tuple[str, ...]

    def sample(self, generator: torch.Generator) -> Batch:
        """A training batch, drawn on the generator's device, which is also the dataset's."""
        numbers = self.draw(generator)
        return self.training_batch(
            torch.arange(self.batch_points, device=generator.device) if numbers is None else numbers
        )

    def draw(self, generator: torch.Generator) -> Int[Tensor, "n"] | None:
        """The numbers of the training points in a batch; None for all of them, in order."""
        raise NotImplementedError(f"{type(self).__name__} has no numbered training points")

    def training_batch(self, numbers: Int[Tensor, "n"]) -> Batch:
        """The training points with the given numbers."""
        raise NotImplementedError(f"{type(self).__name__} has no numbered training points")

    def probe(self, count: int, seed: int = 0) -> Batch:
        """At most ``count`` training points, spread over all of them: one at random out of each of as many stretches
        of their numbers, or out of batches where they have no numbers. The same seed draws the same points.
        """
        device = next(self.buffers()).device
        if self.training_points is not None:
            numbers = _one_of_each_stretch(min(count, self.training_points), self.training_points, seed)
            return self.training_batch(numbers.to(device))
        generator = torch.Generator(device).manual_seed(seed)
        drawn = [self.sample(generator) for _ in range(-(-count // self.batch_points))]
        rows = _one_of_each_stretch(count, len(drawn) * self.batch_points, seed).to(device)
        return Batch(*(torch.cat(parts)[rows] for parts in zip(*drawn, strict=True)))

    def mean(self) -> list[float] | None:
        """The training points' mean value, for a field to start from; None unless a dataset knows it."""
        return None

    def observe(self, field: Callable[[Tensor], Tensor], coordinates: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        """What an instrument would read of ``field``. Here the field's values; a projection would integrate."""
        return field(coordinates)

    @abstractmethod
    def evaluation(self, points: int) -> Iterator[tuple[Batch, Int[Tensor, "n"]]]:
        """All points to be scored, once, in chunks of about ``points``, each with the index of its part."""

    @abstractmethod
    def statistics(self, prediction: Float[Tensor, "n c"], targets: Float[Tensor, "n c"]) -> Float[Tensor, "n s"]:
        """Numbers of each point that add up to a score."""

    @abstractmethod
    def scores(self, totals: Float[Tensor, "parts s"]) -> dict[str, float]:
        """Figures from sums of ``statistics``; the first entry is the one to look at."""

    def batch_scores(self, totals: Float[Tensor, "s"]) -> dict[str, float]:
        """Figures of a training batch from the sum of its ``statistics``; the first entry is the one to look at."""
        return self.scores(totals.expand(len(self.parts), -1))

    @abstractmethod
    def description(self) -> dict[str, Any]:
        """Plain values that a checkpoint keeps, enough to render the field without the dataset's file."""

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """Pictures of the field to look at while it is trained, RGB in [0, 1]; none unless a dataset has some."""
        return {}

    def missing(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, float]:
        """What share of the signal's power the field lacks, by octave of frequency; none unless a dataset says so."""
        return {}

    def compare(self, reconstruction: Path) -> dict[str, float]:
        """Further figures, of the file into which a run has written its reconstruction."""
        return {}

    def baselines(self) -> dict[str, dict[str, float]]:
        """Scores of simple methods without a field, by the method's name; none unless a dataset has some."""
        return {}

    def found(self) -> dict[str, Any]:
        """Arguments that a run's record shall hold as they turned out, such as an absolute path."""
        return {}

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        # A signal follows a module to its device and not to its type: bfloat16 would round it.
        for name, tensor in self._buffers.items():
            if tensor is not None:
                self._buffers[name] = tensor.to(fn(tensor.new_empty(0)).device)
        return self


def _one_of_each_stretch(count: int, total: int, seed: int) -> Int[Tensor, "n"]:
    ends = torch.arange(count + 1) * total // count
    place = torch.rand(count, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return ends[:-1] + (place * ends.diff()).long()
