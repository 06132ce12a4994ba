"""Operators: how an instrument observes a field."""

from ffnet.operators.base import Operator
from ffnet.operators.fourier_samples import CartesianFourier, FourierSums
from ffnet.operators.grid import GridOperator, OnGrid
from ffnet.operators.images import Blur, CellAverage
from ffnet.operators.line_integrals import LineIntegrals
from ffnet.operators.points import PointEvaluation
from ffnet.operators.volume_rendering import Opacity, VolumeRendering

__all__ = [
    "Blur",
    "CartesianFourier",
    "CellAverage",
    "FourierSums",
    "GridOperator",
    "LineIntegrals",
    "OnGrid",
    "Opacity",
    "Operator",
    "PointEvaluation",
    "VolumeRendering",
]
