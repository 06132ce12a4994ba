"""Full batches, uniform and stratified sampling."""

from functools import partial
from typing import Any

import torch

from ffnet.sampling.base import Draw, Sampler


class FullBatch(Sampler):
    """All queries in every step, in order."""

    def batch_size(self, size: int) -> int:
        return size

    def draw(self, size: int, generator: torch.Generator) -> Draw:
        return Draw(None)


class UniformSampler(Sampler):
    """``count`` queries per step, drawn uniformly with replacement.

    Args:
        count: queries per batch.

    Raises:
        ValueError: if ``count`` is not an integer of at least 1.
    """

    def __init__(self, count: Any) -> None:
        if type(count) is not int or count < 1:
            raise ValueError(f"batch_size: expected an integer of at least 1, got {count!r}")
        self.count = count

    def batch_size(self, size: int) -> int:
        return self.count

    def draw(self, size: int, generator: torch.Generator) -> Draw:
        return Draw(torch.randint(size, (self.count,), generator=generator, device=generator.device))


class StratifiedSampler(UniformSampler):
    """``count`` queries per step, one from each of ``count`` equally long intervals of their indices.

    Every query is drawn equally often in the mean, and a batch covers the signal more evenly than independent draws.
    """

    def draw(self, size: int, generator: torch.Generator) -> Draw:
        return Draw((stratified(self.count, generator) * size).long().clamp(max=size - 1))


def stratified(count: int, generator: torch.Generator) -> torch.Tensor:
    """A number from each of ``count`` equal parts of [0, 1), in order, in float64."""
    place = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64)
    return (place + torch.arange(count, device=generator.device)) / count


# What the settings ``sampler=...`` are: a sampler that still takes the batch size.
Unsized = partial[Sampler]


def sampler_of(sampler: Sampler | Unsized | None, batch_size: Any) -> Sampler:
    """The sampler of a dataset: ``sampler``, given ``batch_size`` if it still takes it; by default ``batch_size``
    uniform draws, or all queries if that is None.

    Raises:
        ValueError: if ``batch_size`` is none that it takes.
    """
    if sampler is None:
        return FullBatch() if batch_size is None else UniformSampler(batch_size)
    return sampler(batch_size) if isinstance(sampler, partial) else sampler
