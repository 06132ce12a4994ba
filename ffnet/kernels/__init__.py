"""Kernels, infinitely wide networks, the neural tangent kernel of finite ones, and the dynamics of training.

Torch only: encoders and models are passed in as callables and modules. A kernel is a function of two sets of points,
``(n, d), (m, d) -> (n, m)``; an operator takes vectors as columns, (n, k) to (n, k).
"""

from ffnet.kernels.activations import Dual, Erf, Quadrature, ReLU, Sin, dual
from ffnet.kernels.descent import descent
from ffnet.kernels.dynamics import (
    KernelDynamics,
    decay_times,
    descent_weights,
    frequency_eigenvalues,
    largest_stable_rate,
    nngp_posterior,
    ntk_posterior,
)
from ffnet.kernels.elementary import Gaussian, Kernel, Linear, Polynomial, Product, RandomFourierFeatures, Sigmoid, Sum
from ffnet.kernels.empirical import (
    as_matrix,
    empirical_ntk,
    empirical_ntk_by_parameter,
    empirical_ntk_per_output,
    empirical_ntk_trace,
)
from ffnet.kernels.finite import finite_mlp
from ffnet.kernels.grids import (
    axis_steps,
    circulant_eigenvalues,
    grid_points,
    is_periodic,
    is_stationary,
    stationary_row,
    stationary_steps,
    wave_steps,
)
from ffnet.kernels.infinite import InfiniteMLP, LayerKernel, squared_distances
from ffnet.kernels.jacobians import jacobian, jacobian_ntk
from ffnet.kernels.layers import Layer, layers, layerwise_ntk
from ffnet.kernels.laziness import laziness
from ffnet.kernels.linearized import Linearized
from ffnet.kernels.machines import Definiteness, KernelPCA, KernelRidge, definiteness
from ffnet.kernels.operators import JacobianOperator, LayerwiseOperator, ntk_operator
from ffnet.kernels.solvers import GridKernel, Solution, conjugate_gradients
from ffnet.kernels.spectra import Eigenpairs, effective_rank, eigenvalues, leading_eigenpairs
from ffnet.kernels.textbook import TextbookNetwork

__all__ = [
    "Definiteness",
    "Dual",
    "Eigenpairs",
    "Erf",
    "Gaussian",
    "GridKernel",
    "InfiniteMLP",
    "JacobianOperator",
    "Kernel",
    "KernelDynamics",
    "KernelPCA",
    "KernelRidge",
    "Layer",
    "LayerKernel",
    "LayerwiseOperator",
    "Linear",
    "Linearized",
    "Polynomial",
    "Product",
    "Quadrature",
    "RandomFourierFeatures",
    "ReLU",
    "Sigmoid",
    "Sin",
    "Solution",
    "Sum",
    "TextbookNetwork",
    "as_matrix",
    "axis_steps",
    "circulant_eigenvalues",
    "conjugate_gradients",
    "decay_times",
    "definiteness",
    "descent",
    "descent_weights",
    "dual",
    "effective_rank",
    "eigenvalues",
    "empirical_ntk",
    "empirical_ntk_by_parameter",
    "empirical_ntk_per_output",
    "empirical_ntk_trace",
    "finite_mlp",
    "frequency_eigenvalues",
    "grid_points",
    "is_periodic",
    "is_stationary",
    "jacobian",
    "jacobian_ntk",
    "largest_stable_rate",
    "layers",
    "layerwise_ntk",
    "laziness",
    "leading_eigenpairs",
    "nngp_posterior",
    "ntk_operator",
    "ntk_posterior",
    "squared_distances",
    "stationary_row",
    "stationary_steps",
    "wave_steps",
]
