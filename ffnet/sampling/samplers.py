"""Full batches and uniform sampling."""

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
