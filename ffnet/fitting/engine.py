"""How a training step is executed. This affects speed, not results."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from ffnet.budget import CACHED_EVALUATIONS
from ffnet.datasets import Dataset, Source
from ffnet.fitting.features import FeatureCache, cached, points_per_row
from ffnet.models import Field
from ffnet.operators import Operator

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Engine:
    """Execution settings of the training step.

    Args:
        micro_batch: field evaluations per micro-batch. Larger batches are processed in micro-batches, whose activations
            stay in the processor's cache; gradients accumulate. ``auto`` is 8192 on the CPU and the whole batch on
            other devices; None is the whole batch. The loss must be a mean over queries.
        feature_megabytes: limit of the feature cache. If the features of all training points are constant (an encoder
            without parameters, a finite set of points) and fit, they are computed once; 0 computes them every step.
        compile: None, or a mode of ``torch.compile`` for the network: ``default``, ``reduce-overhead`` (CUDA
            graphs on a GPU), ``max-autotune``. If compilation fails, the run continues without it and logs a warning.

    Raises:
        ValueError: if an argument is out of range.
    """

    micro_batch: int | Literal["auto"] | None = "auto"
    feature_megabytes: int = 512
    compile: str | None = None

    def __post_init__(self) -> None:
        if self.micro_batch not in (None, "auto") and not (type(self.micro_batch) is int and self.micro_batch > 0):
            raise ValueError(f"micro_batch: expected at least 1, auto or null, got {self.micro_batch!r}")
        if self.compile not in (None, "default", "reduce-overhead", "max-autotune"):
            raise ValueError(f"compile: expected null, default, reduce-overhead or max-autotune, got {self.compile!r}")
        if self.feature_megabytes < 0:
            raise ValueError(f"feature_megabytes: expected at least 0, got {self.feature_megabytes}")

    def micro_batch_size(self, queries: int, operator: Operator, device: torch.device) -> int:
        """The number of queries per micro-batch."""
        if self.micro_batch == "auto":
            return operator.chunk(queries, CACHED_EVALUATIONS) if device.type == "cpu" else queries
        return operator.chunk(queries, self.micro_batch) if self.micro_batch else queries

    def compiled(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """``function``, compiled if requested."""
        return function if self.compile is None else _Compiled(function, self.compile)

    @torch.no_grad()
    def cache(self, field: nn.Module, dataset: Dataset, device: torch.device) -> FeatureCache | None:
        """The features of all training points; None if they vary, do not fit, or the operator is not pointwise.

        They have the dtype of the network's products (that of autocast if it is enabled), so that no step has to cast
        them.
        """
        if not isinstance(field, Field) or not field.fixed_features:
            return None
        if not isinstance(dataset.source, Source) or not dataset.operator.pointwise:
            return None
        rows, width = dataset.source.size // points_per_row(field, dataset), field.encoder.out_features
        autocast = torch.is_autocast_enabled(device.type) and not field.exact_features
        dtype = torch.get_autocast_dtype(device.type) if autocast else next(field.parameters()).dtype
        if rows * width * dtype.itemsize > self.feature_megabytes * 2**20:
            return None
        return cached(field, dataset, dtype, device)


class _Compiled:
    """A compiled function that falls back to eager execution, with a warning, if compilation fails."""

    def __init__(self, function: Callable[[Tensor], Tensor], mode: str) -> None:
        self.plain = function
        self.function = torch.compile(function, mode=mode)

    def __call__(self, inputs: Tensor) -> Tensor:
        try:
            return self.function(inputs)
        except Exception as error:  # anything that a compiler, its backend or a missing C++ compiler may raise
            if self.function is self.plain:
                raise
            log.warning("torch.compile failed, going on without it: %s", str(error).strip().splitlines()[0])
            self.function = self.plain
            return self.plain(inputs)
