"""Operators: how an instrument observes a field."""

from ffnet.operators.base import Operator
from ffnet.operators.line_integrals import ParallelBeam
from ffnet.operators.points import PointEvaluation
from ffnet.operators.volume_rendering import Opacity, VolumeRendering

__all__ = ["Opacity", "Operator", "ParallelBeam", "PointEvaluation", "VolumeRendering"]
