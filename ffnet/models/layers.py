"""What several networks are made of."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ffnet.encoders.base import FullPrecision, positive_integer


@contextmanager
def seeded(seed: int | None) -> Iterator[None]:
    """Random numbers from ``seed``, and the global generator as it was afterwards; None draws from the latter."""
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
    """Raises ValueError if one of them is not a whole number of at least 1."""
    positive_integer("out_features", out_features)
    positive_integer("hidden_features", hidden_features)
    positive_integer("hidden_layers", hidden_layers)


class Linear(nn.Linear):
    """torch's, but it rounds what it is given to its own type; autocast rounds by itself."""

    def forward(self, input: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        if not torch.is_autocast_enabled(input.device.type):
            input = input.to(self.weight.dtype)
        return super().forward(input)


def unrounded(values: Float[Tensor, "*batch c"]) -> Float[Tensor, "*batch c"]:
    """A field's values in float32 where autocast is on, for what comes behind them.

    In bfloat16 a sigmoid is 1 from 6.3 on, where no gradient passes: of a picture that is nearly all white, a field
    would learn the white and then nothing more.
    """
    return values.float() if torch.is_autocast_enabled(values.device.type) else values


class ValueLinear(Linear):
    """The linear map to a field's values: multiplied as the others, and not rounded any further."""

    def forward(self, input: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        return unrounded(super().forward(input))


class PhaseLinear(FullPrecision, Linear):
    """A linear map whose values are large phases: carried out in float32 or better whatever surrounds it.

    In bfloat16 a phase of 30 radians is off by 0.06, and a coordinate has 256 places.
    """

    def forward(self, input: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        if torch.is_autocast_enabled(input.device.type):
            with torch.autocast(input.device.type, enabled=False):
                return linear(input.to(self.weight.dtype), self.weight, self.bias)
        return super().forward(input)
