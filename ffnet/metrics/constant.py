"""PSNR up to a constant as a metric."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from ffnet.metrics.functional import psnr


class OffsetPSNR(Metric):
    """PSNR up to a constant in each channel: ``-10 log10`` of the errors' variance within channels, in decibels.

    It is the PSNR after the best constant has been added to each channel of the prediction, for values in [0, 1]. The
    constant is found from all updates; sums are in float64.

    Args:
        channels: number of channels c of predictions and targets (n, c).
    """

    higher_is_better = True
    unit = "dB"
    is_differentiable = False
    full_state_update = False

    errors: Tensor
    squares: Tensor
    count: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.add_state("errors", torch.zeros(channels, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("squares", torch.zeros(channels, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Float[Tensor, "n c"], target: Float[Tensor, "n c"]) -> None:
        error = prediction.double() - target.double()
        self.errors += error.sum(0)
        self.squares += error.square().sum(0)
        self.count += len(error)

    def compute(self) -> Tensor:
        variance = self.squares / self.count - (self.errors / self.count).square()
        return torch.tensor(psnr(max(variance.mean().item(), 0.0)), dtype=torch.float64)
