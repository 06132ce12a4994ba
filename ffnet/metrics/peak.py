"""PSNR as a metric."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from ffnet.metrics.functional import psnr


class PSNR(Metric):
    """``-10 log10(MSE)`` in decibels, for values in [0, 1]; the MSE is pooled over all updates, in float64.

    torchmetrics sums in the dtype of the input and computes the base of the logarithm in float32, which loses the sixth
    decimal.

    Args:
        space: maps values to those that are compared, for example to their logarithms; None compares them as they are.
    """

    higher_is_better = True
    unit = "dB"
    is_differentiable = False
    full_state_update = False

    squares: Tensor
    count: Tensor

    def __init__(self, space: Callable[[Tensor], Tensor] | None = None) -> None:
        super().__init__()
        self.space = space
        self.add_state("squares", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> None:
        if self.space is not None:
            prediction, target = self.space(prediction), self.space(target)
        self.squares += (prediction.double() - target.double()).square().sum()
        self.count += target.numel()

    def compute(self) -> Tensor:
        return torch.tensor(psnr((self.squares / self.count).item()), dtype=torch.float64)
