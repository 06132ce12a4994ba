"""Different encoders for different coordinates, such as a position and a direction, or space and time."""

from collections.abc import Iterable, Sequence
from typing import cast

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ffnet.encoders.base import Encoder


class CompositeEncoder(Encoder):
    """The first encoder's features of the first coordinates, then the second's of the next ones, ...

    Args:
        encoders: each takes as many coordinates as its ``in_features`` says, from left to right.

    Raises:
        ValueError: if there is no encoder.
    """

    def __init__(self, encoders: Sequence[Encoder]) -> None:
        if not encoders:
            raise ValueError("encoders: expected at least one")
        super().__init__(sum(e.in_features for e in encoders), sum(e.out_features for e in encoders))
        self.encoders = nn.ModuleList(encoders)

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        parts = coordinates.split([encoder.in_features for encoder in self.encoders], dim=-1)
        return torch.cat([encoder(part) for encoder, part in zip(self.encoders, parts, strict=True)], dim=-1)

    def levels(self) -> Int[Tensor, "k"]:
        return torch.cat([encoder.levels() for encoder in cast(Iterable[Encoder], self.encoders)])
