"""Activations of coordinate networks, for ``CoordinateMLP(activation=...)`` and the networks named after them."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders.base import positive


class Sine(nn.Module):
    """``sin(omega z)`` (Sitzmann et al. 2020, arXiv 2006.09661)."""

    def __init__(self, omega: float = 30.0) -> None:
        super().__init__()
        self.omega = positive("omega", omega)

    def forward(self, z: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return (self.omega * z).sin()


class VariableSine(nn.Module):
    """``sin(omega (|z| + 1) z)``, whose local frequency is ``omega (2 |z| + 1)`` (Liu et al. 2024, FINER,
    arXiv 2312.02434, eq. 6). With ``detach_scale``, gradients take ``|z| + 1`` as a constant, like the paper's code."""

    def __init__(self, omega: float = 30.0, detach_scale: bool = False) -> None:
        super().__init__()
        self.omega, self.detach_scale = positive("omega", omega), detach_scale

    def forward(self, z: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scale = z.abs() + 1
        return (self.omega * (scale.detach() if self.detach_scale else scale) * z).sin()


class Gaussian(nn.Module):
    """``exp(-z^2 / (2 sigma^2))`` (Ramasinghe & Lucey 2022, "Beyond Periodicity", arXiv 2111.15135)."""

    def __init__(self, sigma: float = 0.1) -> None:
        super().__init__()
        self.sigma = positive("sigma", sigma)

    def forward(self, z: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return (-0.5 * (z / self.sigma).square()).exp()


class Gabor(nn.Module):
    """``cos(omega z) exp(-(scale z)^2)``, the real part of WIRE's wavelet (Saragadam et al. 2023, arXiv 2301.05187)."""

    def __init__(self, omega: float = 10.0, scale: float = 10.0) -> None:
        super().__init__()
        self.omega = positive("omega", omega)
        self.scale = positive("scale", scale)

    def forward(self, z: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        return (self.omega * z).cos() * (-(self.scale * z).square()).exp()


def complex_gabor(
    real: Float[Tensor, "*batch"], imaginary: Float[Tensor, "*batch"], omega: float, scale: float
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Real and imaginary part of ``exp(i omega z - |scale z|^2)`` for ``z = real + i imaginary`` (WIRE, eq. 5)."""
    envelope = (-omega * imaginary - scale**2 * (real.square() + imaginary.square())).exp()
    return envelope * torch.cos(omega * real), envelope * torch.sin(omega * real)
