"""How a training step is carried out. It changes the speed, not the mathematics."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ffnet.datasets import Dataset
from ffnet.models import Field
from ffnet.training.table import Table, images, tabulated

log = logging.getLogger(__name__)

# Measured with the paper's network; see benchmarks/README.md.
CPU_BLOCK = 8192


@dataclass(frozen=True)
class Engine:
    """Settings of the training step's execution.

    Args:
        block_points: larger batches are worked off in blocks of so many points, whose gradients add up to the
            batch's, so that a block's activations stay in the processor's cache. ``auto`` is 8192 on the CPU and
            whole batches elsewhere; None is whole batches. The loss must be a mean over points.
        feature_megabytes: features that cannot change (no parameters in the encoder, numbered training points)
            are computed once if they fit in so much memory; 0 computes them in every step.
        compile: None, or a mode of ``torch.compile`` for the network: ``default``, ``reduce-overhead`` (CUDA
            graphs on a GPU), ``max-autotune``. If compilation fails, the run goes on without it and says so.

    Raises:
        ValueError: if an argument is out of range.
    """

    block_points: int | Literal["auto"] | None = "auto"
    feature_megabytes: int = 512
    compile: str | None = None

    def __post_init__(self) -> None:
        if self.block_points not in (None, "auto") and not (type(self.block_points) is int and self.block_points > 0):
            raise ValueError(f"block_points: expected at least 1, auto or null, got {self.block_points!r}")
        if self.compile not in (None, "default", "reduce-overhead", "max-autotune"):
            raise ValueError(f"compile: expected null, default, reduce-overhead or max-autotune, got {self.compile!r}")
        if self.feature_megabytes < 0:
            raise ValueError(f"feature_megabytes: expected at least 0, got {self.feature_megabytes}")

    def block(self, points: int, device: torch.device) -> int:
        """How many of a batch's points are worked off at a time."""
        if self.block_points == "auto":
            return CPU_BLOCK if device.type == "cpu" else points
        return self.block_points or points

    def compiled(self, function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
        """``function``, compiled if that is asked for."""
        return function if self.compile is None else _Compiled(function, self.compile)

    @torch.no_grad()
    def table(self, field: Field, dataset: Dataset, device: torch.device) -> Table | None:
        """All training points, with their features computed; None if they change or do not fit.

        The features have the type in which the network multiplies, which is autocast's where it is on, so that
        no step has to round them again.
        """
        if dataset.training_points is None or not field.fixed_features:
            return None
        rows, width = dataset.training_points // images(field, dataset), field.encoder.out_features
        autocast = torch.is_autocast_enabled(device.type) and not field.exact_features
        dtype = torch.get_autocast_dtype(device.type) if autocast else next(field.parameters()).dtype
        if rows * width * dtype.itemsize > self.feature_megabytes * 2**20:
            return None
        return tabulated(field, dataset, dtype, device)


class _Compiled:
    """Falls back to the function as it is, and says so, if compiling it fails."""

    def __init__(self, function: Callable[[Tensor], Tensor], mode: str) -> None:
        self.plain = function
        self.function = torch.compile(function, mode=mode)

    def __call__(self, inputs: Tensor) -> Tensor:
        try:
            return self.function(inputs)
        except Exception as error:  # whatever a compiler, its back end or a missing C++ compiler may raise
            if self.function is self.plain:
                raise
            log.warning("torch.compile failed, going on without it: %s", str(error).strip().splitlines()[0])
            self.function = self.plain
            return self.plain(inputs)


def automatic_precision(accelerator: str) -> str:
    """Lightning's name for the precision that is fastest here at no measurable cost in PSNR.

    bfloat16 products with float32 weights where the device multiplies bfloat16 natively, else float32.
    """
    if accelerator in ("cuda", "gpu") or (accelerator == "auto" and torch.cuda.is_available()):
        return "bf16-mixed" if torch.cuda.is_bf16_supported(including_emulation=False) else "32-true"
    if accelerator in ("cpu", "auto") and (torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()):
        return "bf16-mixed"
    return "32-true"
