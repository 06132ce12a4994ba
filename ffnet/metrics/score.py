"""The value of a metric as a number."""

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import Metric


def score_of(name: str, metric: "Metric") -> float:
    """The value of ``metric`` over all updates. Errors call it ``name``.

    Raises:
        ValueError: if it is not a single number.
    """
    value = metric.compute()
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"metrics.{name}: expected one number, got {got}")
    return float(value.item())
