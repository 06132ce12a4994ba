"""Layers that several networks share."""

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ffnet.encoders.base import FullPrecision, positive_integer


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Random numbers come from ``seed``, and the global generator is restored; None draws from the global generator."""
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        yield


def uniform_(tensor: Tensor, bound: float) -> None:
    """U(-bound, bound), in place."""
    nn.init.uniform_(tensor, -bound, bound)


def check_widths(out_features: int, hidden_features: int, hidden_layers: int) -> None:
    """Raises ValueError if one of them is not an integer of at least 1."""
    positive_integer("out_features", out_features)
    positive_integer("hidden_features", hidden_features)
    positive_integer("hidden_layers", hidden_layers)


@torch.no_grad()
def output_init_(bias: Float[Tensor, "c"], values: object, activation: nn.Module | None) -> None:
    """Sets the ``bias`` of the last layer, in place, so that ``activation(bias)`` is ``values``.

    Raises:
        ValueError: if there is not a number for each bias, or the activation is neither a Sigmoid nor None.
    """
    numbers = list(values) if isinstance(values, Sequence) else []
    if len(numbers) != len(bias) or not all(isinstance(number, int | float) for number in numbers):
        raise ValueError(f"output_init: expected a number for each of {len(bias)} values, got {values!r}")
    if not isinstance(activation, nn.Sigmoid | None):
        raise ValueError(
            f"output_init: expected a Sigmoid or no output activation, got {type(activation).__name__}; "
            "output_init=null leaves the bias as it is"
        )
    at = torch.tensor(numbers, dtype=bias.dtype)
    bias.copy_(at if activation is None else at.logit(eps=0.01))


def with_output(layers: list[nn.Module], initial: object, activation: nn.Module | None) -> nn.Sequential:
    """``layers``, the last a linear map whose bias is set by ``output_init_`` unless ``initial`` is None, and a copy of
    ``activation`` if there is one."""
    if initial is not None:
        assert isinstance(layers[-1], nn.Linear)
        output_init_(layers[-1].bias, initial, activation)
    return nn.Sequential(*layers, *([] if activation is None else [copy.deepcopy(activation)]))


class Linear(nn.Linear):
    """``nn.Linear`` that casts its input to the dtype of its weights, unless autocast does."""

    def forward(self, input: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        if not torch.is_autocast_enabled(input.device.type):
            input = input.to(self.weight.dtype)
        return super().forward(input)


def unrounded(values: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
    """A field's values, in float32 under autocast, for the output activation and the loss.

    In bfloat16 a sigmoid is 1 from 6.3 on and its gradient 0: on a nearly white image, a field would learn the white
    and then stop.
    """
    return values.float() if torch.is_autocast_enabled(values.device.type) else values


class ValueLinear(Linear):
    """The last linear map, to a field's values: its product may be rounded by autocast, its result is float32."""

    def forward(self, input: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        return unrounded(super().forward(input))


class PhaseLinear(FullPrecision, Linear):
    """A linear map to large phases: computed in float32 or better, also under autocast.

    In bfloat16 a phase of 30 radians is off by 0.06, and a coordinate has 256 distinct values.
    """

    def forward(self, input: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        if torch.is_autocast_enabled(input.device.type):
            with torch.autocast(input.device.type, enabled=False):
                return linear(input.to(self.weight.dtype), self.weight, self.bias)
        return super().forward(input)
