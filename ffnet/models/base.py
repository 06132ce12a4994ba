"""What every model has in common."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ffnet.encoders import Encoder


class Field(nn.Module, ABC):
    """A function of coordinates: ``decode(encoder(coordinates))``.

    The two halves can be called apart: training computes the features of an encoder without parameters once,
    and then decodes them in every step.
    """

    def __init__(self, encoder: Encoder, out_features: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.in_features = encoder.in_features
        self.out_features = out_features

    @abstractmethod
    def decode(self, features: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch c"]:
        """Values at points whose features are given."""

    def forward(self, coordinates: Shaped[Tensor, "*batch d"]) -> Float[Tensor, "*batch c"]:
        """Values at ``coordinates``, which lie in [0, 1]^d, x first."""
        return self.decode(self.encoder(coordinates))
