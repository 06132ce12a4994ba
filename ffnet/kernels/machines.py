"""Kernel methods: ridge regression, principal components, and a test of definiteness."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Definiteness(NamedTuple):
    """Result of ``definiteness``.

    Attributes:
        symmetric: whether the matrix equals its transpose to the tolerance.
        semidefinite: whether it is symmetric with no eigenvalue below minus the tolerance.
        smallest: the smallest eigenvalue of the symmetric part.
    """

    symmetric: bool
    semidefinite: bool
    smallest: float


def definiteness(matrix: Float[Tensor, "n n"], tolerance: float = 1e-10) -> Definiteness:
    """Whether a matrix is symmetric positive semi-definite, with tolerances relative to the largest absolute entry.

    Positive semi-definite means that eigenvalues are at least 0, not above 0.
    """
    allowed = tolerance * matrix.abs().max().item()
    symmetric = (matrix - matrix.T).abs().max().item() <= allowed
    smallest = torch.linalg.eigvalsh((matrix + matrix.T) / 2)[0].item()
    return Definiteness(symmetric, symmetric and smallest >= -allowed * len(matrix), smallest)


class KernelRidge:
    """Kernel ridge regression: ``f(x) = k(x, X) (K + ridge I)^-1 Y``.

    The minimiser of ``sum |f(x_i) - y_i|^2 + ridge |f|^2`` in the kernel's space; the mean of a Gaussian process whose
    noise has the variance ``ridge``.

    Args:
        kernel: ``(n, d), (m, d) -> (n, m)``, positive semi-definite.
        x: the points.
        y: the values there.
        ridge: at least 0; 0 interpolates.

    Raises:
        ValueError: if ``ridge`` is negative, or the matrix has no Cholesky factor.
    """

    def __init__(
        self,
        kernel: Callable[[Tensor, Tensor], Tensor],
        x: Float[Tensor, "n d"],
        y: Float[Tensor, "n c"],
        ridge: float,
    ) -> None:
        if ridge < 0:
            raise ValueError(f"ridge: expected at least 0, got {ridge}")
        self.kernel = kernel
        self.x = x
        matrix = kernel(x, x)
        matrix = matrix + ridge * torch.eye(len(x), dtype=matrix.dtype, device=matrix.device)
        factor, failed = torch.linalg.cholesky_ex(matrix)
        if failed:
            raise ValueError(f"ridge: the kernel's matrix is not positive definite with {ridge}; try a larger one")
        self.weights = torch.cholesky_solve(y, factor)

    def __call__(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m c"]:
        return self.kernel(x, self.x) @ self.weights


class KernelPCA:
    """Principal components in the kernel's feature space (Schölkopf, Smola & Müller 1998, eq. 2.26).

    Args:
        kernel: ``(n, d), (m, d) -> (n, m)``, positive semi-definite.
        x: the points.
        components: their number, in order of decreasing variance.

    Attributes:
        variances: of the components, over the points.

    Raises:
        ValueError: if ``components`` exceeds the numerical rank of the centred kernel.
    """

    def __init__(self, kernel: Callable[[Tensor, Tensor], Tensor], x: Float[Tensor, "n d"], components: int) -> None:
        self.kernel = kernel
        self.x = x
        matrix = kernel(x, x)
        self._row_means, self._mean = matrix.mean(0), matrix.mean()
        values, vectors = torch.linalg.eigh(self._centred(matrix))
        values, vectors = values.flip(0), vectors.flip(1)
        rank = int((values > len(x) * torch.finfo(values.dtype).eps * values[0]).sum())
        if not 1 <= components <= rank:
            raise ValueError(f"components: expected 1 to {rank}, the rank of these points, got {components}")
        self.variances = values[:components] / len(x)
        self._weights = vectors[:, :components] / values[:components].sqrt()

    def _centred(self, matrix: Tensor) -> Tensor:
        return matrix - matrix.mean(1, keepdim=True) - self._row_means + self._mean

    def __call__(self, x: Float[Tensor, "m d"]) -> Float[Tensor, "m k"]:
        """The components of any points."""
        return self._centred(self.kernel(x, self.x)) @ self._weights
