"""Several processes that train as one."""

import torch
from lightning.pytorch.strategies import DDPStrategy


class SharedBatch(DDPStrategy):
    """Distributed data parallel for batches that every process draws whole and of which it takes its share.

    Every process has the same generator, so the global batch is that of a single process whatever their number.
    ``Fitting`` adds the shares' gradients up, once a step. DistributedDataParallel would do so for every block of
    a batch, take the mean of shares that may differ in size, and send the signal itself, which is a buffer.
    """

    def configure_ddp(self) -> None:
        assert self.model is not None
        for tensor in self.model.state_dict().values():  # also of classes that draw weights without a seed
            torch.distributed.broadcast(tensor, 0)


def share(count: int, rank: int, processes: int) -> range:
    """Which of ``count`` things are those of process ``rank``; the shares' sizes differ by at most one."""
    return range(count * rank // processes, count * (rank + 1) // processes)
