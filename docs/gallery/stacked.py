"""Many small networks of one shape, trained at once: their parameters are stacked, and each step is one batch of
matrix products.
"""

import copy
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn
from torch.func import functional_call, stack_module_state, vmap


class Stack:
    """``n`` networks as one function of points (p, d), or of points of their own (n, p, d), to values (n, p, c).

    Args:
        networks: of one architecture; their sizes are the same, their parameters and buffers differ.
    """

    def __init__(self, networks: Sequence[nn.Module]) -> None:
        self.count = len(networks)
        self.parameters, self.buffers = stack_module_state(list(networks))
        self.base = copy.deepcopy(networks[0]).to("meta")

    def __call__(self, x: Tensor) -> Tensor:
        def one(parameters: dict[str, Tensor], buffers: dict[str, Tensor], points: Tensor) -> Tensor:
            return functional_call(self.base, (parameters, buffers), (points,))

        own = 0 if x.ndim == 3 else None
        return vmap(one, in_dims=(0, 0, own))(self.parameters, self.buffers, x)

    def steps(
        self,
        x: Tensor,
        y: Tensor,
        count: int,
        optimizer: Callable[..., torch.optim.Optimizer],
        weights: Tensor | float = 1.0,
    ) -> Iterator[Tensor]:
        """Full-batch training on half the sum of squared errors of each network, times its weight: (n,) or one number.

        Plain gradient descent with the learning rate 1 thus has a network's weight as its learning rate. Yields the
        outputs (n, p, c) before each step, and at last those after it: ``count + 1`` in all.
        """
        optimizer_ = optimizer(list(self.parameters.values()))
        for _ in range(count):
            optimizer_.zero_grad()
            outputs = self(x)
            yield outputs.detach()
            (0.5 * weights * (outputs - y).square().sum((1, 2))).sum().backward()
            optimizer_.step()
        with torch.no_grad():
            yield self(x)

    def train(
        self, x: Tensor, y: Tensor, count: int, optimizer: Callable[..., torch.optim.Optimizer], weights: float = 1.0
    ) -> None:
        """The same without the outputs."""
        for _ in self.steps(x, y, count, optimizer, weights):
            pass
