"""PSNR of the frames of a video."""

from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities import dim_zero_cat

from ffnet.metrics.functional import psnr

Over = Literal["mean", "min"]


class FramePSNR(Metric):
    """``-10 log10(MSE)`` of each frame in decibels, for values in [0, 1], and their mean or minimum.

    Updates get videos (1, channels, frames, height, width), all of the same number of frames.

    Args:
        over: ``mean`` or ``min``.
    """

    higher_is_better = True
    unit = "dB"
    is_differentiable = False
    full_state_update = False

    squares: list[Tensor]

    def __init__(self, over: Over = "mean") -> None:
        super().__init__()
        if over not in get_args(Over):
            raise ValueError(f"over: expected {' or '.join(get_args(Over))}, got {over!r}")
        self.over = over
        self.add_state("squares", [], dist_reduce_fx="cat")

    def update(self, prediction: Float[Tensor, "b c t h w"], target: Float[Tensor, "b c t h w"]) -> None:
        for one, two in zip(prediction.unbind(2), target.unbind(2), strict=True):
            self.squares.append((one.double() - two.double()).square().mean().reshape(1))

    def frames(self) -> list[float]:
        """The PSNR of each frame."""
        return [psnr(square) for square in dim_zero_cat(self.squares).tolist()]  # one tensor once it was pooled

    def compute(self) -> Tensor:
        found = self.frames()
        return torch.tensor(min(found) if self.over == "min" else sum(found) / len(found), dtype=torch.float64)
