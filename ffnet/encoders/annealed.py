"""Coarse to fine: high-frequency features are faded in during training (Park et al. 2021, arXiv 2011.12948)."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.encoders.base import Encoder


def window(levels: Int[Tensor, "k"], alpha: Float[Tensor, ""]) -> Float[Tensor, "k"]:
    """Weights ``(1 - cos(pi clamp(alpha - j, 0, 1))) / 2`` of the bands j = level - 1 (eq. 8); 1 at level 0."""
    open_ = (1 - (math.pi * (alpha - (levels - 1)).clamp(0, 1)).cos()) / 2
    return torch.where(levels == 0, torch.ones_like(open_), open_)


class AnnealedEncoder(Encoder):
    """``encoder``'s features, weighted by ``progress`` from coarse to fine: 0 keeps only features without a level
    (such as the coordinates), 1 keeps all.

    ``progress`` is a persistent buffer, set during training (``ffnet fit`` raises it over the first ``share`` of the
    steps). ``encoder.levels()`` defines which features are coarse.

    Args:
        encoder: any encoder.
        share: fraction of the training after which all features are enabled.

    Raises:
        ValueError: if ``share`` is not in (0, 1].
    """

    progress: Tensor
    level: Tensor

    def __init__(self, encoder: Encoder, share: float = 0.5) -> None:
        if not 0 < share <= 1:
            raise ValueError(f"share: expected a number in (0, 1], got {share!r}")
        super().__init__(encoder.in_features, encoder.out_features)
        self.encoder = encoder
        self.share = share
        self.register_buffer("progress", torch.ones(()))
        self.register_buffer("level", encoder.levels())

    def anneal(self, trained: float) -> None:
        """Sets ``progress`` for a training of which the fraction ``trained``, in [0, 1], is done."""
        self.progress.fill_(min(trained / self.share, 1.0))

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        weights = window(self.level, self.progress * self.level.max())
        return self.encoder(coordinates) * weights.to(coordinates.dtype)

    def levels(self) -> Int[Tensor, "k"]:
        return self.level
