"""Noise of instruments, from a seed."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def gaussian_noise(values: Float[Tensor, "*n"], sigma: float, seed: int, unit: float = 1.0) -> Float[Tensor, "*n"]:
    """``values`` with additive Gaussian noise of standard deviation ``sigma``, in ``unit``.

    Raises:
        ValueError: if ``sigma`` is not a finite number of at least 0.
    """
    if type(sigma) not in (int, float) or not 0 <= sigma < math.inf:
        raise ValueError(f"noise: expected a finite number of at least 0, got {sigma!r}")
    return values + sigma * unit * torch.randn(values.shape, generator=torch.Generator().manual_seed(seed))


def photon_noise(values: Float[Tensor, "*n"], counts: float | None, seed: int) -> Float[Tensor, "*n"]:
    """``values`` as estimated from Poisson counts, whose mean is ``counts`` where the value is 1; negative values count
    nothing. None leaves them as they are.

    Raises:
        ValueError: if ``counts`` is not a finite number above 0.
    """
    if counts is None:
        return values
    _check_counts(counts)
    return torch.poisson(counts * values.clamp(min=0), torch.Generator().manual_seed(seed)) / counts


def transmission_noise(integrals: Float[Tensor, "*n"], counts: float | None, seed: int) -> Float[Tensor, "*n"]:
    """Line integrals as measured with photons: of ``counts`` that are sent, Poisson(counts exp(-integral)) arrive, and
    ``-log`` of their fraction is the measurement (Beer and Lambert). A detector that none reaches has counted half a
    photon. None leaves the integrals as they are.

    Raises:
        ValueError: if ``counts`` is not a finite number above 0.
    """
    if counts is None:
        return integrals
    _check_counts(counts)
    arrived = torch.poisson(counts * torch.exp(-integrals.double()), torch.Generator().manual_seed(seed))
    return -torch.log(arrived.clamp(min=0.5) / counts).to(integrals.dtype)


def _check_counts(counts: float) -> None:
    if type(counts) not in (int, float) or not 0 < counts < math.inf:
        raise ValueError(f"counts: expected a finite number above 0, or null, got {counts!r}")
