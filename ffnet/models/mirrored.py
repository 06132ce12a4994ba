"""Points and their mirror images at once."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ffnet.encoders import Sinusoids, sincos
from ffnet.models.base import Field, NetworkField


class Mirrored:
    """``field.decode`` of points c + v and their mirror images c - v, at half the cost of the first layer.

    Behind sines and cosines, a linear map of v has an odd and an even part, and of -v the same two with another sign.
    The weights belong to phases counted from 0, so they are turned by the phase p of the centre c:
    ``w sin(p + q) + u cos(p + q) = (w cos p - u sin p) sin q + (w sin p + u cos p) cos q``.

    Args:
        field: one that ``Mirrored.suits``.
        centre: c.
    """

    def __init__(self, field: Field, centre: Float[Tensor, "d"]) -> None:
        assert isinstance(field, NetworkField)
        assert isinstance(field.network, nn.Sequential)
        assert isinstance(field.encoder, Sinusoids)
        assert isinstance(field.network[0], nn.Linear)
        self.first: nn.Linear = field.network[0]
        self.rest = field.network[1:]
        self.sin, self.cos = sincos(field.encoder.cycles(centre)).chunk(2)

    @staticmethod
    def suits(field: Field) -> bool:
        """Whether ``field`` has a linear map behind sines and cosines, and nothing else."""
        return (
            isinstance(field.encoder, Sinusoids)
            and field.encoder.extra_features == 0
            and isinstance(field, NetworkField)
            and type(field.network) is nn.Sequential
            and isinstance(field.network[0], nn.Linear)
            and not field.exact_features
        )

    def decode(self, features: Float[Tensor, "n k"]) -> Float[Tensor, "2*n c"]:
        """Values at c + v, then at c - v, for the encoder's features of v."""
        of_sines, of_cosines = self.first.weight.chunk(2, dim=1)
        sines, cosines = features.chunk(2, dim=-1)
        of_odd = of_sines * self.cos - of_cosines * self.sin
        of_even = of_sines * self.sin + of_cosines * self.cos
        odd = linear(sines, of_odd.to(sines.dtype))
        even = linear(cosines, of_even.to(sines.dtype), self.first.bias)
        return torch.cat([self.rest(even + odd), self.rest(even - odd)])
