"""Derivatives of a field by its coordinates, through double backward.

A field maps each point by itself, so the gradient of a sum over points holds the gradients at all of them. Derivatives
are computed in float32 or better, also under autocast: rounding the products to bfloat16 would make them noisy. Where
gradients are enabled, they have gradients with respect to the field's parameters; under ``torch.no_grad`` and
``torch.inference_mode`` they have the same values without.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.operators.base import Field, Operator


def gradient(field: Field, points: Float[Tensor, "n d"]) -> Float[Tensor, "n c d"]:
    """The first derivatives of a field's c values by the d coordinates."""
    graph = torch.is_grad_enabled()
    with _differentiable(points) as x:
        return torch.stack([_by_points(values, x, graph) for values in field(x).unbind(-1)], dim=1)


def divergence(field: Field, points: Float[Tensor, "n d"]) -> Float[Tensor, "n 1"]:
    """``sum_i d f_i / d x_i`` of a field with as many values as coordinates.

    Raises:
        ValueError: if it has another number of values.
    """
    graph = torch.is_grad_enabled()
    with _differentiable(points) as x:
        values = field(x)
        if values.shape[-1] != x.shape[-1]:
            raise ValueError(f"divergence: expected {x.shape[-1]} values as of the coordinates, got {values.shape[-1]}")
        terms = [_by_points(value, x, graph)[:, axis] for axis, value in enumerate(values.unbind(-1))]
        return torch.stack(terms).sum(0).unsqueeze(-1)


def laplacian(field: Field, points: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
    """``sum_i d^2 f / d x_i^2`` of each of a field's c values. That of a network of ReLUs is 0."""
    graph = torch.is_grad_enabled()
    with _differentiable(points) as x:
        columns = []
        for values in field(x).unbind(-1):
            slopes = _by_points(values, x, graph=True).unbind(-1)
            columns.append(
                torch.stack([_by_points(slope, x, graph)[:, axis] for axis, slope in enumerate(slopes)]).sum(0)
            )
        return torch.stack(columns, dim=-1)


@contextmanager
def _differentiable(points: Float[Tensor, "n d"]) -> Iterator[Float[Tensor, "n d"]]:
    """The points to differentiate by, in float32 or better, with autograd enabled and autocast disabled."""
    exact = torch.promote_types(points.dtype, torch.float32)
    with torch.inference_mode(False), torch.enable_grad(), torch.autocast(points.device.type, enabled=False):
        # A clone made here is no inference tensor. Points with a history keep it, for derivatives of derivatives.
        yield points.to(exact) if points.requires_grad else points.detach().clone().to(exact).requires_grad_()


def _by_points(values: Float[Tensor, "n"], x: Float[Tensor, "n d"], graph: bool) -> Float[Tensor, "n d"]:
    """The gradients at all points of values that each depend on their own point alone."""
    if not values.requires_grad:  # a constant
        return torch.zeros_like(x)
    (found,) = torch.autograd.grad(values.sum(), x, retain_graph=True, create_graph=graph, materialize_grads=True)
    return found


class Gradient(Operator):
    """The gradient at points: queries are coordinates (n, d), observations (n, c * d), the derivatives of the first
    value first.

    Args:
        unit: the length, for each axis, per which derivatives are measured, such as ``[1 / width, 1 / height]`` for
            values per pixel; None is the side of the unit cube.
    """

    differentiates = True

    def __init__(self, unit: Sequence[float] | None = None) -> None:
        super().__init__()
        self.unit = None if unit is None else tuple(unit)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        slopes = gradient(field, queries)
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
    """

    differentiates = True

    def __init__(self, unit: float = 1.0) -> None:
        super().__init__()
        self.unit = unit

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        return laplacian(field, queries) * self.unit**2
