"""Operators of a field on a regular grid: all observations share its evaluations."""

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ffnet.operators.base import Field, Operator

# Points per call of the field, whose activations stay in a processor's cache.
PART = 2**13
# Points whose activations are kept for the gradient; those of larger grids are computed a second time.
KEPT = 2**18


def cell_centres(
    size: Sequence[int],
    start: int = 0,
    stop: int | None = None,
    device: torch.device | str = "cpu",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "n d"]:
    """Centres of the cells of a grid of [0, 1]^d, ``((i + 0.5) / n, ...)`` with x first, from number ``start`` up to
    ``stop``. ``size`` has the slowest axis first, as the cells are numbered: (height, width) or (depth, height,
    width)."""
    number = torch.arange(start, math.prod(size) if stop is None else stop, device=device)
    axes = []
    for count in reversed(size):
        axes.append(((number % count).to(dtype) + 0.5) / count)
        number = number // count
    return torch.stack(axes, dim=-1)


class GridOperator(Operator, ABC):
    """What an instrument measures of a field that is known at the centres of a grid's cells.

    An observation may depend on every cell, so a batch of queries is observed at once, whatever its size, at the cost
    of one evaluation per cell.

    Args:
        size: of the grid, slowest axis first.

    Raises:
        ValueError: if a size is not an integer of at least 1.
    """

    def __init__(self, size: Sequence[int]) -> None:
        super().__init__()
        if not size or not all(type(count) is int and count >= 1 for count in size):
            raise ValueError(f"size: expected integers of at least 1, got {size!r}")
        self.size = tuple(size)

    def evaluations(self, queries: int) -> int:
        return math.prod(self.size)

    def chunk(self, queries: int, evaluations: int) -> int:
        return queries

    def values(self, field: Field, queries: Float[Tensor, "n q"]) -> Float[Tensor, "1 c *size"]:
        """The field at the centres of the cells, on the device of the queries and in float32 or better."""
        count = math.prod(self.size)
        again = torch.is_grad_enabled() and count > KEPT
        parts = []
        for start in range(0, count, PART):
            x = cell_centres(self.size, start, min(start + PART, count), queries.device, queries.dtype)
            part = checkpoint(field, x, use_reentrant=False) if again else field(x)
            parts.append(part.to(torch.promote_types(part.dtype, torch.float32)))
        return torch.cat(parts).T.reshape(1, -1, *self.size)

    @abstractmethod
    def observe(self, values: Float[Tensor, "1 c *size"], queries: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        """Observations of a field with these ``values`` at the centres of the cells."""

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        values = self.values(field, queries)
        with torch.autocast(queries.device.type, enabled=False):
            return self.observe(values, queries)


class OnGrid(GridOperator):
    """Any differentiable function of an image or a volume as an operator, such as a physics of ``deepinv``.

    A query is the number of a measurement: the function maps (1, c, height, width), or (1, c, depth, height, width), to
    (1, k, ...), whose places are numbered in order. Its values must not depend on chance.

    Args:
        instrument: the function, or an object that has it.
        size: of the grid, slowest axis first.
        method: the name of the object's method, such as ``A``; None calls the object itself.

    Raises:
        ValueError: if there is no such function, or a size is not an integer of at least 1.
    """

    def __init__(self, instrument: Any, size: Sequence[int], method: str | None = None) -> None:
        super().__init__(size)
        self.instrument = instrument
        measure = instrument if method is None else getattr(instrument, method, None)
        if not callable(measure):
            where = type(instrument).__name__ if method is None else f"{type(instrument).__name__}.{method}"
            raise ValueError(f"instrument: expected a function of a tensor, got {where}")
        self.measure: Callable[[Tensor], Tensor] = measure

    def observe(self, values: Float[Tensor, "1 c *size"], queries: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        return rows(self.measure(values))[queries[:, 0].long()]


def rows(measured: Float[Tensor, "1 *shape"]) -> Float[Tensor, "n k"]:
    """Measurements (1, k, ...) in a function's own shape, one row for each place; (1, n) is one value each."""
    return measured.T if measured.ndim == 2 else measured.flatten(2)[0].T
