"""Training with Lightning: the module, callbacks and strategy around ``ffnet.fitting``."""

from ffnet.training.averaging import Averaging
from ffnet.training.checkpoint_io import WholeFileCheckpointIO
from ffnet.training.checkpoints import Checkpoints, Interrupted
from ffnet.training.evaluation import Evaluation
from ffnet.training.history import History
from ffnet.training.kernel_watch import KernelWatch
from ffnet.training.module import Fitting, NonFiniteLoss
from ffnet.training.overview import Overview
from ffnet.training.periodic import Periodic
from ffnet.training.progress import Progress
from ffnet.training.scalars import Scalars
from ffnet.training.spans import KnowsSpans
from ffnet.training.strategy import SharedBatch
from ffnet.training.target import Target
from ffnet.training.views import Views

__all__ = [
    "Averaging",
    "Checkpoints",
    "Evaluation",
    "Fitting",
    "History",
    "Interrupted",
    "KernelWatch",
    "KnowsSpans",
    "NonFiniteLoss",
    "Overview",
    "Periodic",
    "Progress",
    "Scalars",
    "SharedBatch",
    "Target",
    "Views",
    "WholeFileCheckpointIO",
]
