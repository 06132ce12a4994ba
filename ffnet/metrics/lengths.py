"""The fraction of unit gradients as a metric."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric


class UnitLength(Metric):
    """The fraction of predicted vectors (n, d) whose length is within ``tolerance`` of 1, as for the gradients of a
    distance. Targets are not used.

    Args:
        tolerance: largest difference from 1.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    close: Tensor
    count: Tensor

    def __init__(self, tolerance: float = 0.05) -> None:
        super().__init__()
        self.tolerance = tolerance
        for name in ("close", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Float[Tensor, "n d"], target: Float[Tensor, "n d"]) -> None:
        self.close += ((prediction.double().norm(dim=-1) - 1).abs() <= self.tolerance).sum()
        self.count += len(prediction)

    def compute(self) -> Tensor:
        return self.close / self.count
