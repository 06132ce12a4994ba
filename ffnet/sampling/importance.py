"""Importance sampling by running errors (Katharopoulos & Fleuret 2018, arXiv 1803.00942)."""

from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.sampling.base import Draw
from ffnet.sampling.samplers import UniformSampler, stratified


class ImportanceSampler(UniformSampler):
    """``count`` queries per step, more where the errors are larger; weights keep the gradient unbiased.

    The queries form ``cells`` equally long intervals of their indices. Each cell has a running mean of squared errors,
    and its queries are drawn in proportion to ``(1 - uniform) e + uniform mean(e)``, e being the root of it: of all
    densities, one in proportion to the gradients' norms has the least variance. The draw is stratified.

    Args:
        count: queries per batch.
        cells: their number, at most that of the queries.
        decay: of the running mean, in [0, 1): the part that remains when a step has drawn from a cell.
        uniform: in (0, 1]; a query weighs at most the inverse.

    Raises:
        ValueError: if an argument is out of range.
    """

    adaptive = True

    def __init__(self, count: Any, cells: int = 4096, decay: float = 0.5, uniform: float = 0.25) -> None:
        super().__init__(count)
        if type(cells) is not int or cells < 1:
            raise ValueError(f"cells: expected an integer of at least 1, got {cells!r}")
        if type(decay) not in (int, float) or not 0 <= decay < 1:
            raise ValueError(f"decay: expected a number in [0, 1), got {decay!r}")
        if type(uniform) not in (int, float) or not 0 < uniform <= 1:
            raise ValueError(f"uniform: expected a number in (0, 1], got {uniform!r}")
        self.cells, self.decay, self.uniform = cells, decay, uniform
        self.size = 0
        self.squares: Tensor | None = None  # (cells,) in float64

    def draw(self, size: int, generator: torch.Generator) -> Draw:
        if self.squares is None:
            self.squares = torch.ones(min(self.cells, size), dtype=torch.float64)
        if len(self.squares) != min(self.cells, size):
            raise ValueError(f"sampler: expected errors of {min(self.cells, size)} cells, got {len(self.squares)}")
        self.size, self.squares = size, self.squares.to(generator.device)
        ends = self._ends()
        lengths, errors = ends.diff(prepend=ends.new_zeros(1)), self.squares.sqrt()
        mean = (errors * lengths).sum() / size
        density = torch.where(mean > 0, (1 - self.uniform) * errors / mean + self.uniform, 1.0)
        return _warped(density, lengths, stratified(self.count, generator))

    def update(self, index: Int[Tensor, "n"], errors: Float[Tensor, "n"]) -> None:
        assert self.squares is not None
        cell = torch.bucketize(index, self._ends(), right=True)
        drawn = torch.bincount(cell, minlength=len(self.squares))
        sums = torch.zeros_like(self.squares).index_add_(0, cell, errors.double())
        fresh = torch.lerp(sums / drawn.clamp(min=1), self.squares, self.decay)
        self.squares = torch.where(drawn > 0, fresh, self.squares)

    def state_dict(self) -> dict[str, Any]:
        return {} if self.squares is None else {"squares": self.squares}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restores the state.

        Raises:
            ValueError: if it holds no mean squared errors.
        """
        squares = state.get("squares")
        if squares is not None:
            numbers = isinstance(squares, Tensor) and squares.dtype == torch.float64 and squares.ndim == 1
            if not numbers or not (squares.isfinite().all() and (squares >= 0).all()):
                raise ValueError("sampler: expected the mean squared errors of its cells, got something else")
        self.squares = squares

    def _ends(self) -> Int[Tensor, "cells"]:
        """The index after the last one of each cell."""
        assert self.squares is not None
        cells = len(self.squares)
        return torch.arange(1, cells + 1, device=self.squares.device) * self.size // cells


def _warped(density: Float[Tensor, "cells"], lengths: Int[Tensor, "cells"], place: Float[Tensor, "n"]) -> Draw:
    """The queries at ``place`` in [0, 1) of the cumulative ``density``, which is constant in each cell, of mean 1 over
    the queries; and their weights, its inverse."""
    mass = density * lengths
    ends = mass.cumsum(0)
    at = place * ends[-1]
    cell = torch.bucketize(at, ends, right=True).clamp(max=len(ends) - 1)
    inside = ((at - (ends - mass)[cell]) / density[cell]).long()
    first = (lengths.cumsum(0) - lengths)[cell]
    index = first + torch.minimum(inside.clamp(min=0), lengths[cell] - 1)
    return Draw(index, (1 / density[cell]).float())
