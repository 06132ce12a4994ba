"""Points and their mirror points in one evaluation."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ffnet.encoders import FourierEncoder
from ffnet.models import Field, NetworkField


class Mirrored:
    """``field.decode`` of points c + v and their mirror points c - v, at half the cost of the first layer.

    A linear map of sines and cosines of v is the sum of an odd and an even part; for -v the odd part changes its sign.
    The weights belong to phases relative to 0, so they are rotated by the phase p of the centre c:
    ``w sin(p + q) + u cos(p + q) = (w cos p - u sin p) sin q + (w sin p + u cos p) cos q``.

    Args:
        field: one for which ``Mirrored.suits`` holds.
        centre: c.
    """

    def __init__(self, field: Field, centre: Float[Tensor, "d"]) -> None:
        assert isinstance(field, NetworkField)
        assert isinstance(field.network, nn.Sequential)
        assert isinstance(field.encoder, FourierEncoder)
        assert isinstance(field.network[0], nn.Linear)
        self.first: nn.Linear = field.network[0]
        self.rest = field.network[1:]
        self.sin, self.cos = field.encoder.arrange(centre, *field.encoder.waves(centre)).chunk(2)

    @staticmethod
    def suits(field: Field) -> bool:
        """Whether ``field`` applies a linear map to sines, then cosines, and to nothing else."""
        return (
            isinstance(field.encoder, FourierEncoder)
            and field.encoder.blocked
            and isinstance(field, NetworkField)
            and type(field.network) is nn.Sequential
            and isinstance(field.network[0], nn.Linear)
            and not field.exact_features
        )

    def decode(self, features: Float[Tensor, "n k"]) -> Float[Tensor, "2*n c"]:
        """Values at c + v, then at c - v, given the encoder's features of v."""
        of_sines, of_cosines = self.first.weight.chunk(2, dim=1)
        sines, cosines = features.chunk(2, dim=-1)
        of_odd = of_sines * self.cos - of_cosines * self.sin
        of_even = of_sines * self.sin + of_cosines * self.cos
        odd = linear(sines, of_odd.to(sines.dtype))
        even = linear(cosines, of_even.to(sines.dtype), self.first.bias)
        return torch.cat([self.rest(even + odd), self.rest(even - odd)])
