"""What every model has in common."""

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn

from ffnet.encoders import AnnealedEncoder, Encoder
from ffnet.models.layers import PhaseLinear


class Field(nn.Module, ABC):
    """A function of coordinates: ``decode(encoder(coordinates))``.

    The two halves can be called separately: training computes the features of an encoder without parameters once and
    then decodes them in every step.
    """

    def __init__(self, encoder: Encoder, out_features: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.in_features = encoder.in_features
        self.out_features = out_features
        # A tuple, so that they are not registered twice; collected once, since training needs them in every step.
        self.annealed = tuple(module for module in encoder.modules() if isinstance(module, AnnealedEncoder))

    @abstractmethod
    def decode(self, features: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch c"]:
        """Values at points whose features are given."""

    def forward(self, coordinates: Shaped[Tensor, "*batch d"]) -> Float[Tensor, "*batch c"]:
        """Values at ``coordinates``, which lie in [0, 1]^d, x first."""
        return self.decode(self.encoder(coordinates))

    def anneal(self, trained: float) -> None:
        """Tells every annealed encoder that the fraction ``trained``, in [0, 1], of the training is done."""
        for encoder in self.annealed:
            encoder.anneal(trained)

    @property
    def fixed_features(self) -> bool:
        """Whether training leaves the features of a point unchanged."""
        return not self.annealed and not any(True for _ in self.encoder.parameters())

    @property
    def exact_features(self) -> bool:
        """Whether ``decode`` needs the features in float32, because it computes phases from them."""
        return any(isinstance(module, PhaseLinear) for module in self.modules())


class NetworkField(Field):
    """A field that decodes features with a module, ``network``."""

    def __init__(self, encoder: Encoder, out_features: int, network: nn.Module) -> None:
        super().__init__(encoder, out_features)
        self.network = network

    def decode(self, features: Float[Tensor, "*batch k"]) -> Float[Tensor, "*batch c"]:
        # Features are cast to the weights' dtype only here, after the encoder: a bfloat16 network needs float32
        # coordinates, since bfloat16 distinguishes at most 256 pixels. Autocast casts by itself.
        if not torch.is_autocast_enabled(features.device.type):
            features = features.to(next(self.network.parameters()).dtype)
        return self.network(features)
