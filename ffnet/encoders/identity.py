"""No encoding: the coordinates themselves."""

from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder, positive_integer


class IdentityEncoder(Encoder):
    """``gamma(x) = x``: "none" in Tancik et al. 2020. ``out_features`` equals ``in_features``.

    Args:
        in_features: number of coordinates d.
    """

    def __init__(self, in_features: int) -> None:
        positive_integer("in_features", in_features)
        super().__init__(in_features, in_features)

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        return coordinates
