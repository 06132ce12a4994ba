"""Lightning's strategy for several processes."""

import torch
from lightning.pytorch.strategies import DDPStrategy


class SharedBatch(DDPStrategy):
    """Distributed training in which every process draws the whole batch and processes its share.

    All processes have the same generator, so the global batch does not depend on their number. ``Fitting`` sums the
    gradients once per step. DistributedDataParallel would do so for every micro-batch, average shares that may differ
    in size, and broadcast the signal, which is a buffer.
    """

    def configure_ddp(self) -> None:
        assert self.model is not None
        for tensor in self.model.state_dict().values():  # also for classes whose weights have no seed
            torch.distributed.broadcast(tensor, 0)
