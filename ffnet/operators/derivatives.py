"""Derivatives of a field by its coordinates, through ``torch.func``.

A field maps each point by itself, so the gradient of a sum over points holds the gradients at all of them. Derivatives
are computed in float32 or better, also under autocast: rounding the products to bfloat16 would make them noisy. Where
gradients are enabled, they have gradients with respect to the field's parameters; under ``torch.no_grad`` and
``torch.inference_mode`` they have the same values without. They can be nested, and transformed by ``torch.func``.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.operators.base import Field, Operator


def gradient(field: Field, points: Float[Tensor, "n d"]) -> Float[Tensor, "n c d"]:
    """The first derivatives of a field's c values by the d coordinates."""
    with _exact(points) as x:
        values, pull = torch.func.vjp(field, x)  # type: ignore[misc]  # three results are with has_aux
        return torch.stack([pull(_ones_at(values, number))[0] for number in range(values.shape[-1])], dim=1)


def divergence(field: Field, points: Float[Tensor, "n d"]) -> Float[Tensor, "n 1"]:
    """``sum_i d f_i / d x_i`` of a field with as many values as coordinates.

    Raises:
        ValueError: if it has another number of values.
    """
    slopes = gradient(field, points)
    if slopes.shape[1] != slopes.shape[2]:
        raise ValueError(f"divergence: expected {slopes.shape[2]} values as of the coordinates, got {slopes.shape[1]}")
    return slopes.diagonal(dim1=1, dim2=2).sum(-1, keepdim=True)


def laplacian(field: Field, points: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """``sum_i d^2 f / d x_i^2`` of each of a field's c values. That of a network of ReLUs is 0."""
    with _exact(points) as x:
        slopes, pull = torch.func.vjp(lambda x: gradient(field, x).flatten(1), x)  # type: ignore[misc]
        axes = x.shape[-1]
        second = [pull(_ones_at(slopes, number))[0][:, number % axes] for number in range(slopes.shape[-1])]
        return torch.stack(second, dim=-1).unflatten(-1, (-1, axes)).sum(-1)


@contextmanager
def _exact(points: Float[Tensor, "n d"]) -> Iterator[Float[Tensor, "n d"]]:
    """The points to differentiate by, in float32 or better. Autocast is off; gradients are enabled as they were."""
    exact, graph = torch.promote_types(points.dtype, torch.float32), torch.is_grad_enabled()
    with (
        torch.inference_mode(False),
        torch.set_grad_enabled(graph),
        torch.autocast(points.device.type, enabled=False),
    ):
        yield points.to(exact, copy=points.is_inference())  # autograd takes no inference tensor, but its copy


def _ones_at(values: Float[Tensor, "n c"], number: int) -> Float[Tensor, "n c"]:
    ones = torch.zeros_like(values)
    ones[:, number] = 1
    return ones


def _length(value: Any) -> float:
    if type(value) not in (int, float) or not 0 < value < math.inf:
        raise ValueError(f"unit: expected a finite number above 0, got {value!r}")
    return float(value)


class Gradient(Operator):
    """The gradient at points: queries are coordinates (n, d), observations (n, c * d), the derivatives of the first
    value first.

    Args:
        unit: the length, for each axis, per which derivatives are measured, such as ``[1 / width, 1 / height]`` for
            values per pixel; None is the side of the unit cube.

    Raises:
        ValueError: if a unit is not a finite number above 0; when called, if there is not one for each axis.
    """

    differentiates = True

    def __init__(self, unit: Sequence[float] | None = None) -> None:
        super().__init__()
        self.unit = None if unit is None else tuple(_length(length) for length in unit)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        slopes = gradient(field, queries)
        if self.unit is not None and len(self.unit) != slopes.shape[-1]:
            raise ValueError(f"unit: expected {slopes.shape[-1]} lengths, one for each axis, got {len(self.unit)}")
        return (slopes if self.unit is None else slopes * slopes.new_tensor(self.unit)).flatten(1)


class Divergence(Operator):
    """The divergence at points of a field with as many values as coordinates: queries (n, d), observations (n, 1)."""

    differentiates = True

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        return divergence(field, queries)


class Laplacian(Operator):
    """The Laplacian at points: queries are coordinates (n, d), observations (n, c).

    Args:
        unit: the length per which derivatives are measured, one for all axes; its square is that of the Laplacian.

    Raises:
        ValueError: if it is not a finite number above 0.
    """

    differentiates = True

    def __init__(self, unit: float = 1.0) -> None:
        super().__init__()
        self.unit = _length(unit)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        return laplacian(field, queries) * self.unit**2
