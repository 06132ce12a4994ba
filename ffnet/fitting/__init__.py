"""Fitting without Lightning: the training step, its engine, the objective, and evaluation."""

from ffnet.fitting.clipping import Clipping
from ffnet.fitting.engine import Engine
from ffnet.fitting.evaluation import directions, evaluate, units, worse_than_mean
from ffnet.fitting.features import FeatureCache
from ffnet.fitting.losses import HalfMSELoss, Objective, Regularizer, RelativeMSELoss
from ffnet.fitting.optimizers import MuonAdam, OptimizerGroup
from ffnet.fitting.precision import automatic_precision, observed_type
from ffnet.fitting.processes import Processes, share
from ffnet.fitting.regularizers import Eikonal, Normals, Smoothness, Sparsity, TotalVariation
from ffnet.fitting.rehearsal import rehearse
from ffnet.fitting.step import Outcome, Stepper, anneal

__all__ = [
    "Clipping",
    "Eikonal",
    "Engine",
    "FeatureCache",
    "HalfMSELoss",
    "MuonAdam",
    "Normals",
    "Objective",
    "OptimizerGroup",
    "Outcome",
    "Processes",
    "Regularizer",
    "RelativeMSELoss",
    "Smoothness",
    "Sparsity",
    "Stepper",
    "TotalVariation",
    "anneal",
    "automatic_precision",
    "directions",
    "evaluate",
    "observed_type",
    "rehearse",
    "share",
    "units",
    "worse_than_mean",
]
