"""Whether the parts of a dataset are what they should be, and fit together."""

import math
import warnings
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from ffnet import budget
from ffnet.metrics.score import score_of

if TYPE_CHECKING:
    from torchmetrics import Metric


def check_kind(name: str, part: object, kind: type, expected: str) -> None:
    """Raises ValueError, which says what was ``expected``, if ``part`` is no ``kind``."""
    if not isinstance(part, kind):
        raise ValueError(f"{name}: expected {expected}, got {type(part).__name__}")


def check_batch_size(batch_size: Any) -> None:
    """Raises ValueError unless ``batch_size`` is a number of queries within the limit of points, or None for all."""
    if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
        raise ValueError(f"batch_size: expected an integer of at least 1, or null, got {batch_size!r}")
    budget.check("points", batch_size or 0, "batch_size")


def check_seed(seed: Any) -> None:
    """Raises ValueError unless ``seed`` is one of the seeds that generators of torch tell apart."""
    if type(seed) is not int or not 0 <= seed < 2**63:
        raise ValueError(f"seed: expected an integer in [0, 2^63), got {seed!r}")


def check_part(start: Any, duration: Any) -> None:
    """Raises ValueError unless ``start`` and ``duration``, which may be None, are those of a part in seconds."""
    if type(start) not in (int, float) or not 0 <= start < 2**31:
        raise ValueError(f"start: expected seconds in [0, 2^31), got {start!r}")
    if duration is not None and (type(duration) not in (int, float) or not 0 < duration < math.inf):
        raise ValueError(f"duration: expected seconds above 0, or null, got {duration!r}")


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
