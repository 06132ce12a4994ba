"""Operators: how an instrument observes a field."""

from ffnet.operators.base import Operator
from ffnet.operators.derivatives import Divergence, Gradient, Laplacian
from ffnet.operators.fourier_samples import CartesianFourier, FourierSums
from ffnet.operators.grid import GridOperator, OnGrid
from ffnet.operators.images import Blur, CellAverage
from ffnet.operators.line_integrals import LineIntegrals
from ffnet.operators.points import OrientedPoints, PointEvaluation
from ffnet.operators.volume_rendering import Opacity, VolumeRendering

__all__ = [
    "Blur",
    "CartesianFourier",
    "CellAverage",
    "Divergence",
    "FourierSums",
    "Gradient",
    "GridOperator",
    "Laplacian",
    "LineIntegrals",
    "OnGrid",
    "Opacity",
    "Operator",
    "OrientedPoints",
    "PointEvaluation",
    "VolumeRendering",
]
