"""An operator and a field as one module."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn


class Observed(nn.Module):
    """``operator(field, queries)`` as a module of the queries, for its tangent kernel.

    Complex observations become two real columns each, with the same squared error.
    """

    def __init__(self, field: nn.Module, operator: Callable[[nn.Module, Tensor], Tensor]) -> None:
        super().__init__()
        self.field, self.operator = field, operator

    def forward(self, queries: Shaped[Tensor, "*batch q"]) -> Float[Tensor, "*batch c"]:
        return as_real(self.operator(self.field, queries))


def as_real(values: Shaped[Tensor, "*batch c"]) -> Float[Tensor, "*batch k"]:
    """Complex columns as (real, imaginary) pairs of columns; real columns unchanged."""
    return torch.view_as_real(values).flatten(-2) if values.is_complex() else values
