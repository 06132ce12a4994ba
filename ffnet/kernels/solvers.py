"""Products and solves with stationary kernels on regular grids (Chan & Jin 2007, "An introduction to iterative
Toeplitz solvers").
"""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Solution(NamedTuple):
    """``x``; the relative residuals ``|b - A x| / |b|``; the iterations it took."""

    x: Tensor
    residuals: Float[Tensor, "k"]
    iterations: int


class GridKernel:
    """The matrix of a stationary kernel on a regular grid, plus a multiple of the identity, as fast products.

    The matrix is block Toeplitz: a product is a convolution, by FFT on the doubled grid.

    Args:
        steps: the kernel at all steps between two points of the grid, from ``stationary_steps``; twice the grid's
            size along each axis.
        ridge: at least 0, added to the diagonal.
    """

    def __init__(self, steps: Float[Tensor, "..."], ridge: float = 0.0) -> None:
        self.size = tuple(length // 2 for length in steps.shape)
        self.axes = tuple(range(-steps.ndim, 0))
        self.ridge = ridge
        self.symbol = torch.fft.rfftn(steps).real  # an even function's transform is real
        # The circulant matrix nearest to the Toeplitz one (T. Chan 1988): positive definite whenever that is.
        folded = steps
        for axis, count in enumerate(self.size):
            step = torch.fft.fftfreq(2 * count, 0.5 / count, dtype=steps.dtype, device=steps.device)
            weight = (1 - step.abs() / count).reshape([-1 if a == axis else 1 for a in range(steps.ndim)])
            folded = (folded * weight).unflatten(axis, (2, count)).sum(axis)
        self.circulant = torch.fft.rfftn(folded).real + ridge

    def __call__(self, values: Float[Tensor, "k *size"]) -> Float[Tensor, "k *size"]:
        doubled = [2 * count for count in self.size]
        product = torch.fft.irfftn(torch.fft.rfftn(values, doubled, self.axes) * self.symbol, doubled, self.axes)
        return product[(..., *(slice(count) for count in self.size))] + self.ridge * values

    def precondition(self, values: Float[Tensor, "k *size"]) -> Float[Tensor, "k *size"]:
        """The inverse of the nearest circulant matrix."""
        return torch.fft.irfftn(torch.fft.rfftn(values, dim=self.axes) / self.circulant, self.size, self.axes)

    def solve(self, values: Float[Tensor, "k *size"], tolerance: float = 1e-6, max_iterations: int = 1000) -> Solution:
        """``(K + ridge I)^-1 values`` for k right-hand sides, by preconditioned conjugate gradients."""
        return conjugate_gradients(self, values, self.precondition, tolerance, max_iterations)


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor],
    b: Float[Tensor, "k *n"],
    precondition: Callable[[Tensor], Tensor] = lambda residual: residual,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
) -> Solution:
    """Solves ``A x = b`` for k right-hand sides at once, A symmetric positive definite (Hestenes & Stiefel 1952).

    Args:
        operator: the product with A, along all but the first dimension.
        b: right-hand sides.
        precondition: the product with an approximate inverse of A, symmetric positive definite.
        tolerance: stop when every relative residual is at most this.
        max_iterations: stop there, whatever the residuals are; the result tells them.
    """

    def dot(u: Tensor, v: Tensor) -> Tensor:
        return (u * v).flatten(1).sum(1).reshape(-1, *[1] * (b.ndim - 1))

    norm = dot(b, b).sqrt().clamp(min=torch.finfo(b.dtype).tiny)
    x, residual = torch.zeros_like(b), b.clone()
    direction = preconditioned = precondition(residual)
    energy = dot(residual, preconditioned)
    iterations = 0
    while iterations < max_iterations and bool((dot(residual, residual).sqrt() > tolerance * norm).any()):
        image = operator(direction)
        # A right-hand side that is solved exactly has no direction left: 0 / 0 is no step.
        step = torch.nan_to_num(energy / dot(direction, image))
        x, residual = x + step * direction, residual - step * image
        preconditioned = precondition(residual)
        last, energy = energy, dot(residual, preconditioned)
        direction = preconditioned + torch.nan_to_num(energy / last) * direction
        iterations += 1
    residual = b - operator(x)  # the recursion's drifts from the true one
    return Solution(x, (dot(residual, residual).sqrt() / norm).flatten(), iterations)
