"""This process's share of the work of several processes."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Processes:
    """The rank of this process among several.

    Attributes:
        rank: of this process, from 0.
        count: number of processes.
        pooled: sums a tensor over the processes in place and returns it.
    """

    rank: int = 0
    count: int = 1
    pooled: Callable[[Tensor], Tensor] = lambda tensor: tensor

    def share(self, count: int) -> range:
        """The indices out of ``count`` that this process handles; sizes differ by at most one between processes."""
        return share(count, self.rank, self.count)


def share(count: int, rank: int, processes: int) -> range:
    """The indices out of ``count`` that process ``rank`` handles; sizes differ by at most one between processes."""
    return range(count * rank // processes, count * (rank + 1) // processes)
