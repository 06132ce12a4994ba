"""The base class of operators."""

from abc import ABC, abstractmethod
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

Field = Callable[[Tensor], Tensor]


class Operator(nn.Module, ABC):
    """What an instrument observes of a field: ``(field, queries) -> observations``.

    A query is a row of numbers, such as a point, a ray or a frequency. Its observation depends only on the field and
    the query, so batches can be split into micro-batches and over processes.

    Attributes:
        points_per_query: field evaluations per query.
        pointwise: whether the observation is the field's value at the query, so that features can be cached.
        differentiates: whether the observation contains derivatives of the field by its coordinates. Training then
            needs second derivatives, which compiled functions do not have.
    """

    points_per_query: int = 1
    pointwise: bool = False
    differentiates: bool = False

    @abstractmethod
    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        """Observations of ``field`` at ``queries``. Without ``noise``, as in evaluation, they are deterministic."""

    def evaluations(self, queries: int) -> int:
        """Field evaluations for so many queries that are observed at once; memory budgets count these."""
        return queries * self.points_per_query

    def chunk(self, queries: int, evaluations: int) -> int:
        """How many of the ``queries`` to observe at once within a budget of ``evaluations``; at least 1."""
        return max(1, min(queries, evaluations // self.points_per_query))

    def noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "n k"] | None:
        """Random numbers with which a training step observes ``count`` queries, such as positions along a ray.

        They are drawn for the whole batch, so that results do not depend on micro-batches or the number of processes.
        None if the operator needs none.
        """
        return None

    def prepare(self, field: Field, step: int, generator: torch.Generator) -> None:
        """Called before every training step, counted from 0. An operator with state that depends on the field, such as
        where it is empty, updates it here. Keep the state in buffers, which checkpoints store."""
