"""No encoding: the coordinates themselves."""

from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder, positive_integer


class IdentityEncoder(Encoder):
    """``gamma(x) = x``: "none" in Tancik et al. 2020. ``out_features`` equals ``in_features``.

    Args:
        in_features: number of coordinates d.
        centred: ``2 x - 1`` instead of x (3D shapes in Tancik et al. 2020).
    """

    def __init__(self, in_features: int, centred: bool = False) -> None:
        positive_integer("in_features", in_features)
        super().__init__(in_features, in_features)
        self.centred = centred

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        return 2 * coordinates - 1 if self.centred else coordinates
