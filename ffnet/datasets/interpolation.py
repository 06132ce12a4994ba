"""What a picture's held-out pixels are without any fit: interpolated from their neighbours."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

Interpolation = Literal["bilinear", "bicubic"]

# What the neighbours of the point halfway between two samples weigh; cubic by Keys 1981, a = -1/2.
_HALFWAY = {"bilinear": (1 / 2, 1 / 2), "bicubic": (-1 / 16, 9 / 16, 9 / 16, -1 / 16)}


def halfway(samples: Float[Tensor, "h w c"], size: tuple[int, int], kind: Interpolation) -> Float[Tensor, "n m c"]:
    """Values at (i + 1/2, j + 1/2) for i < ``size[0]``, j < ``size[1]``; samples at the border count on beyond it.

    ``size`` is at most that of ``samples``. "bilinear", or "bicubic" (Keys 1981, "Cubic convolution interpolation for
    digital image processing", equation 4), in each direction in turn.
    """
    rows = _halfway(samples, size[0], _HALFWAY[kind])
    return _halfway(rows.transpose(0, 1), size[1], _HALFWAY[kind]).transpose(0, 1)


def _halfway(samples: Tensor, count: int, weights: tuple[float, ...]) -> Tensor:
    before = len(weights) // 2 - 1
    numbers = torch.arange(count, device=samples.device) - before
    neighbours = (samples[(numbers + k).clamp(0, len(samples) - 1)] for k in range(len(weights)))
    return torch.stack([weight * values for weight, values in zip(weights, neighbours, strict=True)]).sum(0)
