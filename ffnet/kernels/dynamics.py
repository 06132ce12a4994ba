"""Training dynamics of a network whose kernel does not change (Jacot et al. 2018, section 5; Lee et al. 2019,
section 2.2).

``rate`` is the learning rate times the factor of the loss: the learning rate itself for ``0.5 * sum (f - y)^2``, the
learning rate over the number of values for ``0.5 * mean``, and twice that for ``torch.nn.MSELoss``.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor


class KernelDynamics:
    """Gradient flow and gradient descent on training points, and their predictions at other points.

    ``f(t) - y = exp(-rate Theta t) (f(0) - y)`` on the training points; at others
    ``f(t) = f(0) + Theta_* Theta^-1 (I - exp(-rate Theta t)) (y - f(0))``. For discrete steps ``exp(-rate lambda t)``
    becomes ``(1 - rate lambda)^t``. Along an eigenvector the error decays at the rate of its eigenvalue;
    eigenvalues of 0 are allowed, and their part of the error stays.

    Args:
        kernel: symmetric positive semi-definite; for networks with c outputs ``as_matrix`` of the full kernel.
    """

    def __init__(self, kernel: Float[Tensor, "n n"]) -> None:
        values, vectors = torch.linalg.eigh(kernel)
        self.eigenvalues = values.clamp(min=0)
        self.vectors = vectors

    def residual(
        self, start: Float[Tensor, "n k"], time: float, rate: float, discrete: bool = False
    ) -> Float[Tensor, "n k"]:
        """``f(t) - y`` on the training points.

        Args:
            start: ``f(0) - y``, one signal a column.
            time: of the flow, or the number of steps.
            rate: see above.
            discrete: gradient descent in steps instead of the flow.
        """
        return self.vectors @ (self.decay(time, rate, discrete)[:, None] * (self.vectors.T @ start))

    def change(
        self,
        cross: Float[Tensor, "m n"],
        start: Float[Tensor, "n k"],
        time: float,
        rate: float,
        discrete: bool = False,
    ) -> Float[Tensor, "m k"]:
        """``f(t) - f(0)`` at other points, whose kernel with the training points is ``cross``; ``start`` as above."""
        return -cross @ self.learned(start, time, rate, discrete)

    def learned(
        self, values: Float[Tensor, "n k"], time: float, rate: float, discrete: bool = False
    ) -> Float[Tensor, "n k"]:
        """``Theta^-1 (I - exp(-rate Theta t)) values``: from 0 at the start to ``Theta^-1 values``."""
        exponent = rate * self.eigenvalues
        if discrete:
            # By logarithms where possible: for a small exponent 1 - (1 - exponent)^t loses its digits.
            slow = exponent < 0.5
            by_logarithms = -torch.expm1(time * torch.log1p(-exponent.where(slow, 0)))
            learned = torch.where(slow, by_logarithms, 1 - (1 - exponent) ** time)
        else:
            learned = -torch.expm1(-time * exponent)
        # (1 - exp(-rate lambda t)) / lambda, which is rate t at 0.
        solvable = self.eigenvalues > 0
        gain = torch.where(solvable, learned / self.eigenvalues.where(solvable, 1), rate * time)
        return self.vectors @ (gain[:, None] * (self.vectors.T @ values))

    def ensemble(
        self,
        cross: Float[Tensor, "m n"],
        nngp_train: Float[Tensor, "n n"],
        nngp_cross: Float[Tensor, "m n"],
        nngp_test: Float[Tensor, "m m"],
        targets: Float[Tensor, "n k"],
        time: float,
        rate: float,
        discrete: bool = False,
    ) -> tuple[Float[Tensor, "m k"], Float[Tensor, "m m"]]:
        """(mean, covariance) at other points over initialisations of infinitely wide networks that have been trained
        for ``time`` (Lee et al. 2019, eq. 14 and 15): the NNGP's prior at 0, ``ntk_posterior`` in the end.

        With the NNGP kernel in place of the NTK, of networks whose last layer alone is trained.

        Args:
            cross: the NTK between the other points and the training points.
            nngp_train, nngp_cross, nngp_test: the covariance of the initial functions.
            targets: y, one signal a column.
            time, rate, discrete: as above.
        """
        gain = self.learned(cross.T, time, rate, discrete).T
        return gain @ targets, _spread(gain, nngp_train, nngp_cross, nngp_test)

    def decay(self, time: float, rate: float, discrete: bool = False) -> Float[Tensor, "n"]:
        """Remaining fraction of the error along each eigenvector, in the order of ``eigenvalues`` (ascending)."""
        if discrete:
            return (1 - rate * self.eigenvalues) ** time
        return torch.exp(-rate * time * self.eigenvalues)


def descent_weights(
    kernel: Float[Tensor, "n n"],
    start: Float[Tensor, "n k"],
    slope: Callable[[Tensor], Tensor],
    rate: float,
    steps: int,
) -> Float[Tensor, "n k"]:
    """Gradient descent on any loss, in the space of the kernel: ``w <- w - rate L'(f(0) + K w)``, from 0.

    The values at any points are ``f(0) + K_* w``, ``K_*`` their kernel with the training points: a network with this
    tangent kernel changes by ``-rate Theta_* L'(f)`` in a step. For the squared error this is ``KernelDynamics`` with
    ``discrete=True``.

    Args:
        kernel: of the training points.
        start: ``f(0)`` on them.
        slope: the derivative of the loss with respect to each value, as a function of the values (n, k).
        rate: the learning rate.
        steps: their number.
    """
    weights = torch.zeros_like(start)
    for _ in range(steps):
        weights = weights - rate * slope(start + kernel @ weights)
    return weights


def largest_stable_rate(largest_eigenvalue: float) -> float:
    """``2 / lambda_max``: above it gradient descent diverges along the first eigenvector; a ``rate`` as above."""
    return 2 / largest_eigenvalue


def decay_times(eigenvalues: Float[Tensor, "*n"], rate: float) -> Float[Tensor, "*n"]:
    """Time, or steps, in which the error along an eigenvector falls to 1/e; infinite for eigenvalues of 0."""
    return 1 / (rate * eigenvalues.clamp(min=0))


def frequency_eigenvalues(kernel: Float[Tensor, "n n"]) -> Float[Tensor, "f"]:
    """``v^H K v`` for the unit waves v of frequencies 0 to n // 2 on a regular grid of n points.

    They are the eigenvalues if the kernel is circulant; if not, waves mix, and they are the initial decay rates of the
    error of each wave.
    """
    n = len(kernel)
    spectrum = torch.fft.ifft(torch.fft.fft(kernel, dim=0), dim=1)
    return spectrum.diagonal().real[: n // 2 + 1]


def nngp_posterior(
    train: Float[Tensor, "n n"],
    cross: Float[Tensor, "m n"],
    test: Float[Tensor, "m m"],
    targets: Float[Tensor, "n k"],
    noise: float = 0.0,
) -> tuple[Float[Tensor, "m k"], Float[Tensor, "m m"]]:
    """(mean, covariance) at test points of a Gaussian process, whose observations have the variance ``noise``.

    With an NNGP kernel: of infinitely wide networks whose last layer alone is trained, over random initialisations.
    """
    gain = _gain(train, cross, noise)
    return gain @ targets, test - gain @ cross.T


def ntk_posterior(
    ntk_train: Float[Tensor, "n n"],
    ntk_cross: Float[Tensor, "m n"],
    nngp_train: Float[Tensor, "n n"],
    nngp_cross: Float[Tensor, "m n"],
    nngp_test: Float[Tensor, "m m"],
    targets: Float[Tensor, "n k"],
    noise: float = 0.0,
) -> tuple[Float[Tensor, "m k"], Float[Tensor, "m m"]]:
    """(mean, covariance) over initialisations of infinitely wide, fully trained networks (Lee et al. 2019, eq. 16).

    Not the posterior of a Gaussian process: the initial functions have the NNGP's covariance, and training follows the
    NTK.
    ``noise`` is added to the NTK's diagonal: a ridge on the change of the weights.
    """
    gain = _gain(ntk_train, ntk_cross, noise)
    return gain @ targets, _spread(gain, nngp_train, nngp_cross, nngp_test)


def _spread(gain: Tensor, train: Tensor, cross: Tensor, test: Tensor) -> Tensor:
    """Covariance of ``f_* - gain f`` for jointly Gaussian f and f_*."""
    mixed = gain @ cross.T
    return test + gain @ train @ gain.T - mixed - mixed.T


def _gain(train: Tensor, cross: Tensor, noise: float) -> Tensor:
    """``cross (train + noise I)^-1``."""
    identity = torch.eye(len(train), dtype=train.dtype, device=train.device)
    return torch.linalg.solve(train + noise * identity, cross.T).T
