"""The value of a metric as a number."""

from typing import TYPE_CHECKING

from torch import Tensor

if TYPE_CHECKING:
    from torchmetrics import Metric


def score_of(name: str, metric: "Metric", pooled: bool = True) -> float:
    """The value of ``metric`` over all updates, those of the other processes included unless it is not ``pooled``.
    Errors call it ``name``.

    Raises:
        ValueError: if it is not a single number.
    """
    available = metric.distributed_available_fn
    if not pooled:  # its own switch, sync_on_compute, is read by the constructor alone
        metric.distributed_available_fn = _alone
    try:
        value = metric.compute()
    finally:
        metric.distributed_available_fn = available
    if not isinstance(value, Tensor) or value.numel() != 1:
        got = f"a tensor of shape {tuple(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
        raise ValueError(f"metrics.{name}: expected one number, got {got}")
    return float(value.item())


def _alone() -> bool:
    return False
