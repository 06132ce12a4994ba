"""The coordinate network of Tancik et al. 2020 and most that follow it."""

import copy
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders import Encoder, IdentityEncoder
from ffnet.models.base import NetworkField
from ffnet.models.layers import Linear, PhaseLinear, ValueLinear, check_widths, output_init_, seeded

Initialization = Literal["torch", "glorot", "he"]


class SkipSequential(nn.Sequential):
    """A Sequential in which the input is concatenated in front of what the modules numbered in ``skips`` get."""

    def __init__(self, *modules: nn.Module, skips: Sequence[int]) -> None:
        super().__init__(*modules)
        self.skips = tuple(skips)

    def forward(self, input: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch c"]:
        h = input
        for number, module in enumerate(self):
            h = module(torch.cat([input, h], dim=-1) if number in self.skips else h)
        return h


def hidden_stack(
    wide: int, hidden: int, count: int, skips: Sequence[int], activation: nn.Module | None = None, exact: bool = False
) -> list[nn.Module]:
    """``count`` linear maps, each followed by a copy of ``activation`` (ReLU if None), for a SkipSequential.

    If ``exact``, the maps whose input includes the features never round them.

    Raises:
        ValueError: if a skip is not a layer after the first.
    """
    if not set(skips) <= set(range(1, count)):
        raise ValueError(f"skips: expected hidden layers from 1 to {count - 1}, got {list(skips)}")
    layers: list[nn.Module] = []
    for number in range(count):
        given = wide if number == 0 else hidden + wide * (number in skips)
        kind = PhaseLinear if exact and (number == 0 or number in skips) else Linear
        layers += [kind(given, hidden), copy.deepcopy(activation or nn.ReLU())]
    return layers


class CoordinateMLP(NetworkField):
    """Encoder, then ``hidden_layers`` times a linear map and an activation, then a linear map to the values.

    Args:
        encoder: maps coordinates (..., d) to features.
        out_features: number of values at a point, such as 3 for RGB.
        hidden_features: width of the hidden layers.
        hidden_layers: their number. The "4 layers" of Tancik et al. 2020 are 3 hidden ones and the output.
        activation: module applied after each hidden layer (each layer gets a copy); ReLU if None.
        output_activation: module applied to the values, such as Sigmoid for values in [0, 1]; none if None.
        initialization: ``torch`` is PyTorch's default; ``glorot`` is Glorot-normal weights and N(0, 0.01^2)
            biases, as in the code of Tancik et al. 2020; ``he`` is N(0, 2 / fan_in) weights and no biases, which keeps
            the variance from layer to layer.
        skips: hidden layers, counted from 0, whose input is concatenated with the encoded features (NeRF's 8
            layers: ``[5]``; Mildenhall et al. 2020, figure 7).
        output_init: initial output, one number for each value: sets the last bias so that the untrained network
            outputs about these values after ``output_activation`` (a Sigmoid's are clamped to [0.01, 0.99]). None
            leaves that bias to ``initialization``.
        seed: of the initial weights; None takes torch's global generator, as torch.nn.Linear does.

    Raises:
        ValueError: if a size is not an integer of at least 1, the initialization is unknown,
            ``output_init`` does not fit, or a skip is not a hidden layer after the first.
    """

    def __init__(
        self,
        encoder: Encoder,
        out_features: int,
        hidden_features: int = 256,
        hidden_layers: int = 3,
        activation: nn.Module | None = None,
        output_activation: nn.Module | None = None,
        initialization: Initialization = "torch",
        skips: Sequence[int] = (),
        output_init: Sequence[float] | None = None,
        seed: int | None = None,
    ) -> None:
        check_widths(out_features, hidden_features, hidden_layers)
        if initialization not in get_args(Initialization):
            raise ValueError(
                f"initialization: expected one of {', '.join(get_args(Initialization))}, got {initialization!r}"
            )
        wide = encoder.out_features
        exact = any(isinstance(part, IdentityEncoder) for part in encoder.modules())
        with seeded(seed):
            layers = hidden_stack(wide, hidden_features, hidden_layers, skips, activation, exact)
            layers.append(last := ValueLinear(hidden_features, out_features))
            for layer in layers:
                if initialization == "glorot":
                    glorot_(layer)
                elif initialization == "he":
                    he_(layer)
        if output_init is not None:
            output_init_(last.bias, output_init, output_activation)
        if output_activation is not None:
            layers.append(copy.deepcopy(output_activation))
        # Each layer is two modules: the linear map, then the activation.
        network = SkipSequential(*layers, skips=[2 * n for n in skips]) if skips else nn.Sequential(*layers)
        super().__init__(encoder, out_features, network)
        self.initialization = initialization


def glorot_(layer: nn.Module) -> None:
    """Glorot-normal weights (Glorot & Bengio 2010) and N(0, 0.01^2) biases, in place, if ``layer`` is linear."""
    if isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight)
        nn.init.normal_(layer.bias, std=0.01)


def he_(layer: nn.Module) -> None:
    """N(0, 2 / fan_in) weights (He et al. 2015) and biases of 0, in place, if ``layer`` is linear."""
    if isinstance(layer, nn.Linear):
        nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
        nn.init.zeros_(layer.bias)
