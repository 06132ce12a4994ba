"""Clipping of gradients."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from torch import nn


@dataclass(frozen=True)
class Clipping:
    """Clips the gradients of the whole batch before an optimizer step, as Lightning's trainer does.

    Args:
        limit: of the norm of all gradients together, or of the magnitude of each entry.
        algorithm: ``norm`` or ``value``.

    Raises:
        ValueError: if the limit is not a positive finite number, or the algorithm is another.
    """

    limit: float
    algorithm: str = "norm"

    def __post_init__(self) -> None:
        if type(self.limit) not in (int, float) or not 0 < self.limit < math.inf:
            raise ValueError(
                f"trainer.gradient_clip_val: expected a finite number above 0, or null, got {self.limit!r}"
            )
        if self.algorithm not in ("norm", "value"):
            raise ValueError(f"trainer.gradient_clip_algorithm: expected norm or value, got {self.algorithm!r}")

    def __call__(self, parameters: Iterable[nn.Parameter]) -> None:
        if self.algorithm == "norm":
            nn.utils.clip_grad_norm_(parameters, self.limit)
        else:
            nn.utils.clip_grad_value_(parameters, self.limit)
