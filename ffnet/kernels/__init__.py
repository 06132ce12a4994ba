"""Kernels, infinitely wide networks, the neural tangent kernel of finite ones, and the dynamics of training.

Torch only: encoders and models come in as callables and modules. A kernel is a function of two sets of points,
``(n, d), (m, d) -> (n, m)``.
"""

from ffnet.kernels.activations import Dual, Erf, Quadrature, ReLU, Sin, dual
from ffnet.kernels.elementary import (
    Gaussian,
    Kernel,
    Linear,
    Polynomial,
    Product,
    RandomFourierFeatures,
    Sigmoid,
    Sum,
)
from ffnet.kernels.grids import (
    circulant_eigenvalues,
    grid_points,
    is_periodic,
    is_stationary,
    stationary_row,
    stationary_steps,
)
from ffnet.kernels.infinite import InfiniteMLP, squared_distances
from ffnet.kernels.machines import Definiteness, KernelPCA, KernelRidge, definiteness

__all__ = [
    "Definiteness",
    "Dual",
    "Erf",
    "Gaussian",
    "InfiniteMLP",
    "Kernel",
    "KernelPCA",
    "KernelRidge",
    "Linear",
    "Polynomial",
    "Product",
    "Quadrature",
    "RandomFourierFeatures",
    "ReLU",
    "Sigmoid",
    "Sin",
    "Sum",
    "circulant_eigenvalues",
    "definiteness",
    "dual",
    "grid_points",
    "is_periodic",
    "is_stationary",
    "squared_distances",
    "stationary_row",
    "stationary_steps",
]
