"""The network of NeRF (Mildenhall et al. 2020, arXiv 2003.08934, figure 7)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders import CompositeEncoder, Encoder
from ffnet.encoders.base import positive_integer
from ffnet.models.base import NetworkField
from ffnet.models.layers import Linear, ValueLinear, seeded
from ffnet.models.mlp import SkipSequential, hidden_stack


class RadianceNetwork(nn.Module):
    """Features of a position and a direction to colour and density; the density depends on the position only."""

    def __init__(self, position: int, direction: int, hidden: int, layers: int, skips: Sequence[int]) -> None:
        super().__init__()
        self.position = position
        self.trunk = SkipSequential(*hidden_stack(position, hidden, layers, skips), skips=[2 * n for n in skips])
        self.density = ValueLinear(hidden, 1)
        self.feature = Linear(hidden, hidden)
        self.view = Linear(hidden + direction, hidden // 2)
        self.colour = ValueLinear(hidden // 2, 3)

    def forward(self, features: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch 4"]:
        position, direction = features.split([self.position, features.shape[-1] - self.position], dim=-1)
        h = self.trunk(position)
        view = self.view(torch.cat([self.feature(h), direction], dim=-1)).relu()
        return torch.cat([self.colour(view), self.density(h)], dim=-1)


class RadianceMLP(NetworkField):
    """Position and direction (..., d_x + d_v) to red, green, blue and density, all without an output activation.

    Args:
        position: encoder of the position.
        direction: encoder of the direction.
        hidden_features: width; half of it after the direction is concatenated.
        hidden_layers: their number before the direction is concatenated.
        skips: hidden layers, counted from 0, whose input is concatenated with the position's features.
        seed: of the initial weights, which are torch's; None takes torch's global generator.

    Raises:
        ValueError: if a size is not an integer of at least 1, the width is odd, or a skip is not a hidden
            layer after the first.
    """

    def __init__(
        self,
        position: Encoder,
        direction: Encoder,
        hidden_features: int = 256,
        hidden_layers: int = 8,
        skips: Sequence[int] = (5,),
        seed: int | None = None,
    ) -> None:
        if positive_integer("hidden_features", hidden_features) % 2:
            raise ValueError(f"hidden_features: expected an even number, got {hidden_features}")
        positive_integer("hidden_layers", hidden_layers)
        with seeded(seed):
            network = RadianceNetwork(
                position.out_features, direction.out_features, hidden_features, hidden_layers, skips
            )
        super().__init__(CompositeEncoder([position, direction]), 4, network)
