"""Several processes in one: threads that add their tensors up as processes would."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

from ffnet.datasets import Dataset
from ffnet.fitting import Processes


class Group:
    """``count`` processes that wait for one another where they exchange tensors."""

    def __init__(self, count: int) -> None:
        self.count, self.barrier = count, threading.Barrier(count, timeout=60)
        self.held = [torch.empty(0)] * count

    def gathered(self, rank: int, tensor: Tensor) -> list[Tensor]:
        """The tensors of all processes."""
        self.held[rank] = tensor.clone()
        self.barrier.wait()
        every = list(self.held)
        self.barrier.wait()  # until all have read
        return every

    def processes(self, rank: int) -> Processes:
        def pooled(tensor: Tensor) -> Tensor:
            return tensor.copy_(torch.stack(self.gathered(rank, tensor)).sum(0))

        return Processes(rank, self.count, pooled)

    def joins(self, dataset: Dataset, rank: int) -> None:
        """Lets the metrics of ``dataset`` gather their states from all processes, as torch.distributed would."""
        for evaluation in dataset.evaluations:
            for metric in evaluation.metrics.values():
                metric.distributed_available_fn = lambda: True
                metric.dist_sync_fn = lambda state, group=None: self.gathered(rank, state)


def together(count: int, work: Callable[[Processes, Group], Any]) -> list[Any]:
    """What ``work`` returns in each of ``count`` processes."""
    group = Group(count)
    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(lambda rank: work(group.processes(rank), group), range(count)))
