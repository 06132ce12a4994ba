"""Multiplicative filter networks (Fathony et al. 2021, ICLR)."""

import copy
import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders import Encoder
from ffnet.encoders.base import FullPrecision, positive
from ffnet.models.base import NetworkField
from ffnet.models.layers import Linear, PhaseLinear, ValueLinear, check_widths, output_init_, seeded, uniform_


class FourierFilter(nn.Module):
    """``sin(W x + b)``: W initialised as in torch, times ``weight_scale``; b uniform over a full turn."""

    def __init__(self, in_features: int, out_features: int, weight_scale: float) -> None:
        super().__init__()
        self.linear = PhaseLinear(in_features, out_features)
        uniform_(self.linear.bias, math.pi)
        with torch.no_grad():
            self.linear.weight.mul_(weight_scale)

    def forward(self, x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch h"]:
        return self.linear(x).sin()


class GaborFilter(FullPrecision):
    """``exp(-gamma |x - mu|^2 / 2) sin(W x + b)``; at initialisation ``mu ~ U(-1, 1)``, ``gamma ~ Gamma(alpha, beta)``
    and W is scaled by ``sqrt(gamma)``."""

    def __init__(self, in_features: int, out_features: int, weight_scale: float, alpha: float, beta: float) -> None:
        super().__init__()
        self.wave = FourierFilter(in_features, out_features, weight_scale)
        self.mu = PhaseLinear(in_features, out_features, bias=False)
        uniform_(self.mu.weight, 1.0)
        self.gamma = nn.Parameter(torch.distributions.Gamma(alpha, beta).sample((out_features,)))
        with torch.no_grad():
            self.wave.linear.weight.mul_(self.gamma.sqrt()[:, None])

    def forward(self, x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch h"]:
        # |x - mu|^2 is expanded, to avoid a tensor (points, width, coordinates).
        distance = x.square().sum(-1, keepdim=True) + self.mu.weight.square().sum(-1) - 2 * self.mu(x)
        return (-0.5 * self.gamma * distance).exp() * self.wave(x)


class FilterStack(nn.Module):
    """``z = g_0(x)``, then ``z = (W_i z + b_i) g_i(x)`` for every further filter, then a linear map (eq. 3)."""

    def __init__(self, filters: list[nn.Module], hidden_features: int, out_features: int) -> None:
        super().__init__()
        self.filters = nn.ModuleList(filters)
        self.linears = nn.ModuleList(Linear(hidden_features, hidden_features) for _ in filters[1:])
        self.last = ValueLinear(hidden_features, out_features)
        for layer in (*self.linears, self.last):
            uniform_(layer.weight, 1 / math.sqrt(hidden_features))

    def forward(self, x: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch c"]:
        z = self.filters[0](x)
        for layer, filter_ in zip(self.linears, self.filters[1:], strict=True):
            z = layer(z) * filter_(x)
        return self.last(z)


class FilterNetwork(NetworkField):
    """Products of sines (or of Gabor wavelets) of the coordinates, with linear maps between them; no activation.

    Every value is a linear combination of ``sin(w x + b)``, whose frequencies w are sums and differences of the
    filters' (theorem 1), or of Gabor wavelets (theorem 2).

    Args:
        encoder: maps coordinates (..., d) to features; the paper's are the coordinates in [-1, 1]^d.
        out_features: number of values at a point.
        hidden_features: width.
        hidden_layers: number of filters.
        filters: ``fourier`` or ``gabor``.
        input_scale: factor of the initial frequencies; each filter gets ``input_scale / sqrt(hidden_layers)``.
        alpha: shape of the initial gamma of Gabor filters, ``Gamma(alpha / hidden_layers, beta)``.
        beta: its rate.
        output_activation: module applied to the values; none if None.
        output_init: initial output, one number for each value, as in ``CoordinateMLP``; None leaves the last bias.
        seed: of the initial weights; None takes torch's global generator.

    Raises:
        ValueError: if a size is not an integer of at least 1, a number is not finite and above 0, or the
            filters are unknown.
    """

    def __init__(
        self,
        encoder: Encoder,
        out_features: int,
        hidden_features: int = 256,
        hidden_layers: int = 4,
        filters: Literal["fourier", "gabor"] = "fourier",
        input_scale: float = 256.0,
        alpha: float = 6.0,
        beta: float = 1.0,
        output_activation: nn.Module | None = None,
        output_init: Sequence[float] | None = None,
        seed: int | None = None,
    ) -> None:
        if filters not in ("fourier", "gabor"):
            raise ValueError(f"filters: expected one of fourier, gabor, got {filters!r}")
        check_widths(out_features, hidden_features, hidden_layers)
        wide = encoder.out_features
        scale = positive("input_scale", input_scale) / math.sqrt(hidden_layers)
        shape, rate = positive("alpha", alpha) / hidden_layers, positive("beta", beta)

        def make() -> nn.Module:
            if filters == "fourier":
                return FourierFilter(wide, hidden_features, scale)
            return GaborFilter(wide, hidden_features, scale, shape, rate)

        with seeded(seed):
            stack = FilterStack([make() for _ in range(hidden_layers)], hidden_features, out_features)
        if output_init is not None:
            output_init_(stack.last.bias, output_init, output_activation)
        output = [] if output_activation is None else [copy.deepcopy(output_activation)]
        super().__init__(encoder, out_features, nn.Sequential(stack, *output))
