"""One line for every linear operator: how to make it, its queries, and the number of coordinates of its field."""

import torch

from ffnet.operators import Blur, CartesianFourier, CellAverage, FourierSums, LineIntegrals, OnGrid, PointEvaluation
from ffnet.operators.fourier_samples import frequencies
from ffnet.operators.grid import cell_centres
from ffnet.operators.line_integrals import even_offsets, fan_lines, parallel_lines


def _random(count: int, width: int, scale: float = 1.0) -> torch.Tensor:
    return scale * torch.rand(count, width, generator=torch.Generator().manual_seed(5), dtype=torch.float64)


def _numbers(count: int) -> torch.Tensor:
    return torch.arange(count, dtype=torch.float64)[:, None]


def _squares(image: torch.Tensor) -> torch.Tensor:
    """Means of 2 x 2 pixels: a function of an image, as an instrument of somebody else's."""
    return torch.nn.functional.avg_pool2d(image, 2)


ANGLES = torch.linspace(0, 3, 6, dtype=torch.float64)

LINEAR = {
    "points": (PointEvaluation(), _random(30, 2)),
    "parallel beam": (LineIntegrals(32), parallel_lines(ANGLES, even_offsets(8))),
    "fan beam": (LineIntegrals(32), fan_lines(2 * ANGLES, even_offsets(8), 2.0)),
    "Cartesian Fourier": (CartesianFourier((9, 8)), frequencies((9, 8)).double()[::3]),
    "Cartesian Fourier of a volume": (CartesianFourier((4, 5, 6)), frequencies((4, 5, 6)).double()[::3]),
    "Fourier sums": (FourierSums((9, 8)), _random(20, 2, 9.0) - 4),
    "Fourier sums of a volume": (FourierSums((4, 5, 6)), _random(20, 3, 5.0) - 2),
    "blur": (Blur((9, 8), 0.8), _numbers(72)),
    "cell averages": (CellAverage((5, 4), 3), cell_centres((5, 4), dtype=torch.float64)),
    "a function on a grid": (OnGrid(_squares, (8, 6)), _numbers(12)),
}
