"""Whether the parts of a dataset are what they should be, and fit together."""

import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING

from torch import Tensor

from ffnet.metrics.score import score_of

if TYPE_CHECKING:
    from torchmetrics import Metric


def check_kind(name: str, part: object, kind: type, expected: str) -> None:
    """Raises ValueError, which says what was ``expected``, if ``part`` is no ``kind``."""
    if not isinstance(part, kind):
        raise ValueError(f"{name}: expected {expected}, got {type(part).__name__}")


def checked_metrics(metrics: "Mapping[str, Metric] | None") -> "dict[str, Metric]":
    """Copies of ``metrics``, so that several evaluations may be given the same.

    Raises:
        ValueError: if one is no torchmetrics metric.
    """
    from torchmetrics import Metric

    for name, metric in (metrics or {}).items():
        check_kind(f"metrics.{name}", metric, Metric, "a torchmetrics.Metric")
    return {name: metric.clone() for name, metric in (metrics or {}).items()}


def check_metric(name: str, metric: "Metric", prediction: Tensor, targets: Tensor) -> None:
    """Scores ``prediction`` once, and forgets it.

    Raises:
        ValueError: if the metric cannot, or gives something other than one number.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that these are few
            metric.to(prediction.device).update(prediction, targets)
            metric.compute()
    except Exception as error:  # whatever a metric may raise
        message = f"metrics.{name}: {type(metric).__name__} cannot score this signal ({reason(error)})"
        raise ValueError(message) from error
    score_of(name, metric)  # as computed before
    metric.reset()


def reason(error: Exception) -> str:
    """The beginning of an error's message, after its name where the message does not explain itself."""
    line = (str(error).strip().splitlines() or [""])[0]
    explains = line and isinstance(error, ValueError | TypeError | RuntimeError)
    return line if explains else f"{type(error).__name__}: {line}"
