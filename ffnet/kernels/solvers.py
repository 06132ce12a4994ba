"""Linear systems with kernels: conjugate gradients for any operator, and fast products with stationary kernels on
regular grids (Chan & Jin 2007, "An introduction to iterative Toeplitz solvers").
"""

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Solution(NamedTuple):
    """``x``; the relative residual ``|b - A x| / |b|`` of each column; the number of iterations."""

    x: Float[Tensor, "n k"]
    residuals: Float[Tensor, "k"]
    iterations: int


class GridKernel:
    """The matrix of a stationary kernel on a regular grid, plus a multiple of the identity, as a linear operator.

    The matrix is block Toeplitz: a product is a convolution, by FFT on the doubled grid. Rows and columns are in the
    order of ``grid_points``, so an image (height, width, c) is ``image.flatten(0, 1)``.

    Args:
        steps: the kernel at all steps between two points of the grid, from ``stationary_steps``; twice the grid's
            size along each axis.
        ridge: at least 0, added to the diagonal.

    Attributes:
        size: number of points of the grid.
    """

    def __init__(self, steps: Float[Tensor, "..."], ridge: float = 0.0) -> None:
        self.shape = tuple(length // 2 for length in steps.shape)
        self.size = math.prod(self.shape)
        self.axes = tuple(range(-steps.ndim, 0))
        self.ridge = ridge
        self.symbol = torch.fft.rfftn(steps).real  # an even function's transform is real
        # The circulant matrix nearest to the Toeplitz one (T. Chan 1988): positive definite whenever that is.
        folded = steps
        for axis, count in enumerate(self.shape):
            step = torch.fft.fftfreq(2 * count, 0.5 / count, dtype=steps.dtype, device=steps.device)
            weight = (1 - step.abs() / count).reshape([-1 if a == axis else 1 for a in range(steps.ndim)])
            folded = (folded * weight).unflatten(axis, (2, count)).sum(axis)
        self.circulant = torch.fft.rfftn(folded).real + ridge

    def __call__(self, vectors: Float[Tensor, "size k"]) -> Float[Tensor, "size k"]:
        doubled = [2 * count for count in self.shape]
        spectrum = torch.fft.rfftn(self._on_grid(vectors), doubled, self.axes)
        product = torch.fft.irfftn(spectrum * self.symbol, doubled, self.axes)
        return self._flat(product[(..., *(slice(count) for count in self.shape))]) + self.ridge * vectors

    def precondition(self, vectors: Float[Tensor, "size k"]) -> Float[Tensor, "size k"]:
        """The product with the inverse of the nearest circulant matrix."""
        spectrum = torch.fft.rfftn(self._on_grid(vectors), dim=self.axes)
        return self._flat(torch.fft.irfftn(spectrum / self.circulant, self.shape, self.axes))

    def solve(self, b: Float[Tensor, "size k"], tolerance: float = 1e-6, max_iterations: int = 1000) -> Solution:
        """``(K + ridge I)^-1 b`` by preconditioned conjugate gradients."""
        return conjugate_gradients(self, b, self.precondition, tolerance, max_iterations)

    def _on_grid(self, vectors: Tensor) -> Tensor:
        return vectors.T.unflatten(1, self.shape)

    def _flat(self, grids: Tensor) -> Tensor:
        return grids.flatten(1).T


def conjugate_gradients(
    operator: Callable[[Tensor], Tensor],
    b: Float[Tensor, "n k"],
    precondition: Callable[[Tensor], Tensor] = lambda residual: residual,
    tolerance: float = 1e-6,
    max_iterations: int = 1000,
) -> Solution:
    """Solves ``A x = b`` for k right-hand sides at once, A symmetric positive definite (Hestenes & Stiefel 1952).

    Args:
        operator: the product with A, (n, k) to (n, k).
        b: right-hand sides, one a column.
        precondition: the product with an approximate inverse of A, symmetric positive definite.
        tolerance: stop when every relative residual is at most this.
        max_iterations: stop then, whatever the residuals; the result has them.
    """

    def dot(u: Tensor, v: Tensor) -> Tensor:
        return (u * v).sum(0)

    norm = dot(b, b).sqrt().clamp(min=torch.finfo(b.dtype).tiny)
    x, residual = torch.zeros_like(b), b.clone()
    direction = preconditioned = precondition(residual)
    energy = dot(residual, preconditioned)
    iterations = 0
    while iterations < max_iterations and bool((dot(residual, residual).sqrt() > tolerance * norm).any()):
        product = operator(direction)
        # A right-hand side that is solved exactly has no direction left: 0 / 0 is no step.
        step = torch.nan_to_num(energy / dot(direction, product))
        x, residual = x + step * direction, residual - step * product
        preconditioned = precondition(residual)
        last, energy = energy, dot(residual, preconditioned)
        direction = preconditioned + torch.nan_to_num(energy / last) * direction
        iterations += 1
    residual = b - operator(x)  # the recursion's drifts from the true one
    return Solution(x, dot(residual, residual).sqrt() / norm, iterations)
