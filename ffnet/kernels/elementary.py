"""Kernels given by a formula, and how they combine (Schölkopf & Smola 2002, chapters 2 and 13)."""

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.kernels.infinite import squared_distances


class Kernel(ABC):
    """A function of pairs of points; kernels add and multiply.

    Attributes:
        semidefinite: whether every matrix of this kernel is positive semi-definite; sums and products keep it.
    """

    semidefinite: ClassVar[bool] = True

    @abstractmethod
    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """``k(x_i, y_j)``."""

    def __call__(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None) -> Float[Tensor, "n m"]:
        """``k(x_i, y_j)``; ``y`` is ``x`` if None."""
        return self.gram(x, x if y is None else y)

    def __add__(self, other: "Kernel") -> "Kernel":
        return Sum(self, other)

    def __mul__(self, other: "Kernel") -> "Kernel":
        return Product(self, other)


@dataclass(frozen=True)
class Linear(Kernel):
    """``x . y``."""

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return x @ y.T

    def features(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n d"]:
        """The points themselves."""
        return x


@dataclass(frozen=True)
class Polynomial(Kernel):
    """``(x . y + constant)^degree``, with a constant of at least 0 and an integer degree of at least 1."""

    degree: int
    constant: float = 1.0

    def __post_init__(self) -> None:
        if self.degree < 1 or self.constant < 0:
            raise ValueError(f"polynomial: expected degree >= 1 and constant >= 0, got {self.degree}, {self.constant}")

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return (x @ y.T + self.constant) ** self.degree

    def features(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """All monomials of the degree in ``(x, sqrt(constant))``, each times the root of its multinomial coefficient,
        so that their inner products are the kernel.
        """
        extended = torch.cat([x, torch.full_like(x[:, :1], math.sqrt(self.constant))], dim=-1)
        monomials = itertools.combinations_with_replacement(range(extended.shape[-1]), self.degree)
        columns = []
        for factors in monomials:
            repeats = [factors.count(i) for i in set(factors)]
            coefficient = math.factorial(self.degree) / math.prod(math.factorial(r) for r in repeats)
            columns.append(math.sqrt(coefficient) * extended[:, list(factors)].prod(-1))
        return torch.stack(columns, dim=-1)


@dataclass(frozen=True)
class Gaussian(Kernel):
    """``exp(-|x - y|^2 / (2 sigma^2))``, with infinitely many features, which random Fourier features approximate."""

    sigma: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma: expected a finite number above 0, got {self.sigma}")

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return torch.exp(squared_distances(x, y) / (-2 * self.sigma**2))


@dataclass(frozen=True)
class Sigmoid(Kernel):
    """``tanh(scale x . y + offset)``. **Not** positive semi-definite in general, although called a kernel: for scale 1
    and offset 1 its matrix on {0, 1, 2} has an eigenvalue of -0.0137. See ``definiteness``.
    """

    semidefinite: ClassVar[bool] = False

    scale: float = 1.0
    offset: float = 0.0

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return torch.tanh(self.scale * (x @ y.T) + self.offset)


@dataclass(frozen=True)
class _Combined(Kernel):
    first: Kernel
    second: Kernel

    @property
    def semidefinite(self) -> bool:  # type: ignore[override]
        return self.first.semidefinite and self.second.semidefinite


class Sum(_Combined):
    """``k1 + k2``: the features are concatenated."""

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return self.first(x, y) + self.second(x, y)


class Product(_Combined):
    """``k1 k2``: all products of a feature of one with a feature of the other (Schur)."""

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return self.first(x, y) * self.second(x, y)


class RandomFourierFeatures(Kernel):
    """The Gaussian kernel approximated by ``count`` random frequencies (Rahimi & Recht 2007, algorithm 1).

    The features are ``[sin(w . x), cos(w . x)] / sqrt(count)`` with ``w ~ N(0, 1 / sigma^2)``: those of
    ``ffnet.encoders.GaussianEncoder`` with the standard deviation ``1 / (2 pi sigma)`` in cycles per unit. The expected
    inner product is the kernel.

    Args:
        kernel: the kernel to approximate.
        in_features: number of coordinates d.
        count: number of frequencies.
        seed: of the generator that draws them.
    """

    def __init__(self, kernel: Gaussian, in_features: int, count: int, seed: int = 0) -> None:
        if count < 1:
            raise ValueError(f"count: expected at least 1, got {count}")
        self.kernel = kernel
        generator = torch.Generator().manual_seed(seed)
        normal = torch.randn(count, in_features, generator=generator, dtype=torch.float64)
        self.frequencies = normal / kernel.sigma

    def features(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """Features (n, 2 count) whose inner products approximate the kernel."""
        phase = x @ self.frequencies.to(x).T
        return torch.cat([phase.sin(), phase.cos()], dim=-1) / math.sqrt(len(self.frequencies))

    def gram(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        return self.features(x) @ self.features(y).T

    def standard_error(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """Root mean square of the approximation's error over draws of the frequencies, ``(1 - k^2) / sqrt(2 count)``.

        The mean of ``count`` cosines, each of variance ``(1 + k^4) / 2 - k^2``.
        """
        return (1 - self.kernel(x, y).square()) / math.sqrt(2 * len(self.frequencies))
