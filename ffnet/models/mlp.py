"""The coordinate network of Tancik et al. 2020 and most that follow it."""

import copy
from contextlib import nullcontext
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders import Encoder
from ffnet.encoders.base import positive_integer
from ffnet.models.base import Field

Initialization = Literal["torch", "glorot"]


class CoordinateMLP(Field):
    """Encoder, then ``hidden_layers`` times a linear map and an activation, then a linear map to the values.

    Args:
        encoder: maps coordinates (..., d) to features.
        out_features: number of values at a point, such as 3 for RGB.
        hidden_features: width of the hidden layers.
        hidden_layers: their number. The "4 layers" of Tancik et al. 2020 are 3 hidden ones and the output.
        activation: module applied after each hidden layer (each layer gets a copy); ReLU if None.
        output_activation: module applied to the values, such as Sigmoid for values in [0, 1]; none if None.
        initialization: ``torch`` is PyTorch's default; ``glorot`` is Glorot-normal weights and N(0, 0.01^2)
            biases, as in the code of Tancik et al. 2020.
        seed: of the initial weights; None takes torch's global generator, as torch.nn.Linear does.

    Raises:
        ValueError: if a size is not a whole number of at least 1, or the initialization is unknown.
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
        seed: int | None = None,
    ) -> None:
        positive_integer("out_features", out_features)
        positive_integer("hidden_features", hidden_features)
        positive_integer("hidden_layers", hidden_layers)
        if initialization not in get_args(Initialization):
            raise ValueError(
                f"initialization: expected one of {', '.join(get_args(Initialization))}, got {initialization!r}"
            )
        super().__init__(encoder, out_features)
        layers: list[nn.Module] = []
        width = encoder.out_features
        # fork_rng leaves the global generator as it was: building a seeded model must not change what follows.
        with nullcontext() if seed is None else torch.random.fork_rng(devices=[]):
            if seed is not None:
                torch.manual_seed(seed)
            for _ in range(hidden_layers):
                layers += [nn.Linear(width, hidden_features), copy.deepcopy(activation or nn.ReLU())]
                width = hidden_features
            layers.append(nn.Linear(width, out_features))
            if initialization == "glorot":
                for layer in layers:
                    glorot_(layer)
        if output_activation is not None:
            layers.append(copy.deepcopy(output_activation))
        self.network = nn.Sequential(*layers)

    def decode(self, features: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch c"]:
        # The features are rounded to the weights' type only here, behind the encoder: a bfloat16 network wants
        # float32 coordinates, since bfloat16 tells 256 pixels apart at most. Autocast rounds by itself.
        if not torch.is_autocast_enabled(features.device.type):
            features = features.to(next(self.network.parameters()).dtype)
        return self.network(features)


def glorot_(layer: nn.Module) -> None:
    """Glorot-normal weights (Glorot & Bengio 2010) and N(0, 0.01^2) biases, in place, if ``layer`` is linear."""
    if isinstance(layer, nn.Linear):
        nn.init.xavier_normal_(layer.weight)
        nn.init.normal_(layer.bias, std=0.01)
