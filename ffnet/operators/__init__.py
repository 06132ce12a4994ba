"""Operators: how an instrument observes a field."""

from ffnet.operators.base import Operator
from ffnet.operators.line_integrals import ParallelBeam
from ffnet.operators.points import PointEvaluation

__all__ = ["Operator", "ParallelBeam", "PointEvaluation"]
