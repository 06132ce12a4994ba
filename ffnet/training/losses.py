"""Losses that torch does not have."""

from jaxtyping import Float
from torch import Tensor, nn


class HalfMSELoss(nn.Module):
    """``0.5 * mean((prediction - target)^2)``, as in the code of Tancik et al. 2020."""

    def forward(self, prediction: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> Float[Tensor, ""]:
        return 0.5 * nn.functional.mse_loss(prediction, target)
