"""A signal on a grid of any dimension."""

from typing import NamedTuple

import torch
from torch import Tensor, nn

from ffnet.kernels import grid_points


class Batch(NamedTuple):
    queries: Tensor
    targets: Tensor
    weights: Tensor | None = None
    index: Tensor | None = None


class GridSignal(nn.Module):
    """``values`` (*grid, c) at the centres of the cells of the unit cube."""

    def __init__(self, values):
        super().__init__()
        self.grid = tuple(values.shape[:-1])
        self.register_buffer("x", grid_points(self.grid, dtype=torch.float32))
        self.register_buffer("y", values.flatten(0, -2))

    def batch(self, index):
        return Batch(self.x[index], self.y[index], None, index)


def noise(*size, channels=1, seed=0):
    return torch.rand(*size, channels, generator=torch.Generator().manual_seed(seed))


def wave(size, frequency):
    """``sin 2 pi f.x`` (*size, 1); ``frequency`` in the order of ``size``."""
    phase = grid_points(size) @ torch.tensor(frequency[::-1], dtype=torch.float64)
    return torch.sin(2 * torch.pi * phase).reshape(*size, 1)
