"""Intersection over union as a metric."""

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

from ffnet.metrics.functional import iou


class IoU(Metric):
    """Intersection over union of the points that are inside by the logit (> 0) and by the label (> 0.5).

    torchmetrics' ``BinaryJaccardIndex`` infers from each batch whether it contains logits or probabilities: a batch
    whose logits all lie in [0, 1] would be scored at another threshold.
    """

    higher_is_better = True
    is_differentiable = False
    full_state_update = False

    intersection: Tensor
    union: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.add_state("intersection", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("union", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> None:
        predicted, labelled = prediction > 0, target > 0.5
        self.intersection += (predicted & labelled).sum()
        self.union += (predicted | labelled).sum()

    def compute(self) -> Tensor:
        return torch.tensor(iou(self.intersection.item(), self.union.item()), dtype=torch.float64)
