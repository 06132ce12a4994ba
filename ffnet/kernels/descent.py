"""Gradient descent with a kernel that is known by its products only, for many points and many steps."""

import math
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

# The most that may be left out of a power ``x^t``.
NEGLIGIBLE = 1e-12


def degree(steps: int) -> int:
    """Degree of the polynomial that replaces ``x^steps`` on [-1, 1], about 7.5 sqrt(steps) (Sachdeva & Vishnoi 2014,
    theorem 3.3): ``x^t`` is the mean of ``T_|S|(x)`` over the places S of a random walk after t steps, which are rarely
    far from 0.
    """
    return min(steps, math.ceil(math.sqrt(2 * steps * math.log(2 / NEGLIGIBLE))))


def descent(
    operator: Callable[[Tensor], Tensor], error: Float[Tensor, "n k"], rate: float, steps: Sequence[int]
) -> Float[Tensor, "t n k"]:
    """The weights w of gradient descent: after each of ``steps``, the function is ``f(0) - k(., X) w``.

    ``w = rate (I + A + ... + A^(t-1)) error`` with ``A = I - rate K``, in about ``7.5 sqrt(t)`` products instead of
    t, and without the matrix that ``KernelDynamics`` needs.

    Args:
        operator: the product with K, (n, k) to (n, k), symmetric positive semi-definite.
        error: ``f(0) - y`` on the training points.
        rate: learning rate for half the sum of squares, below ``largest_stable_rate``.
        steps: numbers of steps, at least 0, in ascending order.
    """
    count = degree(steps[-1]) if steps else 0
    weights = error.new_zeros(len(steps), *error.shape)
    factors = walks(steps, count).tolist()
    last, now = torch.zeros_like(error), error
    for k in range(count + 1):
        for weight, factor in zip(weights, factors, strict=True):
            if factor[k]:
                weight.add_(now, alpha=factor[k])
        if k < count:
            moved = now - rate * operator(now)
            last, now = now, moved if k == 0 else 2 * moved - last
    return rate * weights


def walks(steps: Sequence[int], count: int) -> Float[Tensor, "t k"]:
    """Coefficients of ``1 + x + ... + x^(t-1)`` in the Chebyshev polynomials T_0 to T_count, for each t of ``steps``.

    Those of ``x^s`` are the probabilities of the distances from 0 of a random walk after s steps, since
    ``x T_k = (T_(k-1) + T_(k+1)) / 2``; those beyond ``count`` are left out.
    """
    power = torch.zeros(count + 1, dtype=torch.float64)
    power[0] = 1.0
    sums, found, done = torch.zeros_like(power), [], 0
    for t in steps:
        for _ in range(done, t):
            sums += power
            power = _stepped(power)
        done = t
        found.append(sums.clone())
    return torch.stack(found) if found else power.new_zeros(0, count + 1)


def _stepped(power: Tensor) -> Tensor:
    """The distribution one step later."""
    half = power / 2
    after = torch.zeros_like(power)
    after[:-1] += half[1:]
    after[1:] += half[:-1]
    after[1:2] += half[0]  # from 0 the walk can only leave
    return after
