"""Training: everything that knows Lightning."""

from ffnet.training.checkpoint_io import WholeFileCheckpointIO
from ffnet.training.checkpoints import Checkpoints, Interrupted
from ffnet.training.engine import Engine, automatic_precision
from ffnet.training.evaluation import Evaluation, evaluate
from ffnet.training.kernel_watch import KernelWatch
from ffnet.training.losses import HalfMSELoss
from ffnet.training.module import Fitting, NonFiniteLoss
from ffnet.training.optimizers import MuonAdam
from ffnet.training.overview import Overview
from ffnet.training.pictures import Pictures
from ffnet.training.processes import SharedBatch
from ffnet.training.progress import Progress
from ffnet.training.scalars import Scalars

__all__ = [
    "Checkpoints",
    "Engine",
    "Evaluation",
    "Fitting",
    "HalfMSELoss",
    "Interrupted",
    "KernelWatch",
    "MuonAdam",
    "NonFiniteLoss",
    "Overview",
    "Pictures",
    "Progress",
    "Scalars",
    "SharedBatch",
    "WholeFileCheckpointIO",
    "automatic_precision",
    "evaluate",
]
