"""Training: everything that knows Lightning."""

from ffnet.training.checkpoint_io import WholeFileCheckpointIO
from ffnet.training.checkpoints import Checkpoints, Interrupted
from ffnet.training.evaluation import Evaluation, evaluate
from ffnet.training.losses import HalfMSELoss
from ffnet.training.module import Fitting, NonFiniteLoss
from ffnet.training.pictures import Pictures
from ffnet.training.progress import Progress
from ffnet.training.scalars import Scalars

__all__ = [
    "Checkpoints",
    "Evaluation",
    "Fitting",
    "HalfMSELoss",
    "Interrupted",
    "NonFiniteLoss",
    "Pictures",
    "Progress",
    "Scalars",
    "WholeFileCheckpointIO",
    "evaluate",
]
