"""Baselines for held-out pixels: interpolation from their neighbours."""

from typing import Literal

import torch
from jaxtyping import Float, Shaped
from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]

# Weights of the neighbours of the point halfway between two samples; cubic by Keys 1981, a = -1/2.
_HALFWAY = {"bilinear": (1 / 2, 1 / 2), "bicubic": (-1 / 16, 9 / 16, 9 / 16, -1 / 16)}


def halfway(samples: Shaped[Tensor, "h w c"], rows: range, columns: int, kind: Interpolation) -> Float[Tensor, "n m c"]:
    """Values at (i + 1/2, j + 1/2) for i in ``rows`` and j < ``columns``; border samples are replicated.

    In float32; only the required rows are converted. "bilinear", or "bicubic" (Keys 1981, "Cubic convolution
    interpolation for digital image processing", equation 4), in each direction in turn.
    """
    across = _halfway(samples, rows, _HALFWAY[kind])
    return _halfway(across.transpose(0, 1), range(columns), _HALFWAY[kind]).transpose(0, 1)


def _halfway(samples: Tensor, places: range, weights: tuple[float, ...]) -> Tensor:
    first = torch.arange(places.start, places.stop, device=samples.device) - (len(weights) // 2 - 1)
    neighbours = (samples[(first + k).clamp(0, len(samples) - 1)].float() for k in range(len(weights)))
    return torch.stack([weight * values for weight, values in zip(weights, neighbours, strict=True)]).sum(0)
