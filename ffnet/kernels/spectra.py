"""Eigenvalues of kernels: all of a matrix, or the leading ones of an operator."""

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Eigenpairs(NamedTuple):
    """Leading eigenvalues in descending order; eigenvectors; bounds of the eigenvalues' errors; number of products."""

    values: Float[Tensor, "k"]
    vectors: Float[Tensor, "n k"]
    residuals: Float[Tensor, "k"]
    products: int


def eigenvalues(matrix: Float[Tensor, "n n"]) -> Float[Tensor, "n"]:
    """All eigenvalues of a symmetric matrix, in descending order."""
    return torch.linalg.eigvalsh(matrix).flip(0)


def effective_rank(values: Float[Tensor, "n"]) -> float:
    """``exp`` of the entropy of the eigenvalues divided by their sum (Roy & Vetterli 2007): between 1 and n."""
    fractions = values.clamp(min=0) / values.clamp(min=0).sum()
    return float(torch.special.entr(fractions).sum().exp())


def leading_eigenpairs(
    operator: Callable[[Tensor], Tensor],
    size: int,
    count: int,
    *,
    block: int = 2,
    tolerance: float = 3e-3,
    max_products: int = 1000,
    seed: int = 0,
    dtype: torch.dtype = torch.float64,
    device: torch.device | None = None,
) -> Eigenpairs:
    """The ``count`` largest eigenvalues of a symmetric operator, by block Lanczos with full orthogonalisation
    (Golub & Underwood 1977).

    A Krylov space contains at most ``block`` directions of each eigenspace, so copies of an eigenvalue that is repeated
    more often are missed. Kernels on grids have repeated eigenvalues.

    Args:
        operator: the product with columns, (size, k) to (size, k).
        size: length of a vector.
        count: number of eigenvalues.
        block: columns of the starting block.
        tolerance: stop when every residual ``|A v - lambda v|`` is at most this fraction of its eigenvalue. A residual
            bounds the error of the eigenvalue; for well separated eigenvalues the error is about its square.
        max_products: maximum number of products of a vector with the operator.
        seed: of the starting block's generator.
        dtype, device: of the vectors.

    Raises:
        ValueError: if ``count`` is not in 1 to ``size``.
        RuntimeError: if ``max_products`` are not enough.
    """
    if not 1 <= count <= size:
        raise ValueError(f"count: expected 1 to {size}, got {count}")
    block = min(block, size)
    limit = min(size, max(max_products, count + block))
    start = torch.randn(size, block, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    basis = torch.linalg.qr(start.to(device))[0]
    projected = torch.zeros(0, 0, dtype=torch.float64, device=device)
    while True:
        latest = basis[:, -block:]
        image = operator(latest)
        overlap = torch.zeros(basis.shape[1], latest.shape[1], dtype=dtype, device=device)
        for _ in range(2):  # once is not enough in floating point, twice is (Parlett 1998)
            part = basis.T @ image
            overlap += part
            image = image - basis @ part
        following, edge = torch.linalg.qr(image)
        projected = _bordered(projected, overlap.double())
        theta, coordinates = torch.linalg.eigh(projected)
        theta, coordinates = theta.flip(0)[:count], coordinates.flip(1)[:, :count]
        residuals = (edge.double() @ coordinates[-latest.shape[1] :]).norm(dim=0)
        width = basis.shape[1]
        if width == size or (width >= count and bool((residuals <= tolerance * theta.abs()).all())):
            return Eigenpairs(theta.to(dtype), basis @ coordinates.to(dtype), residuals.to(dtype), width)
        if width >= limit:
            raise RuntimeError(f"max_products: {width} products leave residuals of up to {residuals.max():.3g}")
        # If the space is exhausted, the next block is rounding noise and needs another orthogonalisation.
        following = torch.linalg.qr(following - basis @ (basis.T @ following))[0]
        basis = torch.cat([basis, following[:, : size - width]], dim=1)


def _bordered(matrix: Tensor, columns: Tensor) -> Tensor:
    """A symmetric matrix extended by new last columns, and rows by symmetry."""
    old, new = matrix.shape[0], columns.shape[0]
    larger = torch.zeros(new, new, dtype=matrix.dtype, device=matrix.device)
    larger[:old, :old] = matrix
    larger[:, old:] = columns
    larger[old:, :] = columns.T
    larger[old:, old:] = (columns[old:] + columns[old:].T) / 2
    return larger
