"""The base class of samplers."""

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor


class Draw(NamedTuple):
    """The queries of a training step.

    Attributes:
        index: their indices; None for all queries, in order.
        weights: weights of the queries' losses, with expected mean 1; None for equal weights.
    """

    index: Int[Tensor, "n"] | None  # type: ignore[assignment]
    weights: Float[Tensor, "n"] | None = None


class Sampler(ABC):
    """Draws the queries of each training step from ``size`` queries.

    Attributes:
        adaptive: whether ``update`` is called with the queries' errors.
    """

    adaptive: bool = False

    @abstractmethod
    def batch_size(self, size: int) -> int:
        """The number of queries per batch drawn from ``size`` queries."""

    @abstractmethod
    def draw(self, size: int, generator: torch.Generator) -> Draw:
        """The queries of the next step, on the generator's device."""

    def update(  # noqa: B027 (optional)
        self, index: Int[Tensor, "n"], errors: Float[Tensor, "n"]
    ) -> None:
        """Called after a step with the squared error of each drawn query, for adaptive samplers only."""

    def state_dict(self) -> dict[str, Any]:
        """State that determines the next draws, apart from that of the generator. Checkpoints store it."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:  # noqa: B027 (likewise)
        """Restores the state returned by ``state_dict()``."""
