"""Optimizers that update different parameters with different methods."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Muon, Optimizer

# A map from or to so few numbers is that of coordinates or colours, not one between hidden layers.
COORDINATES = 3


class OptimizerGroup(Optimizer):
    """Several optimizers with disjoint parameters that act and are saved as one.

    Args:
        parts: the optimizers. Their parameter groups are shared, so a scheduler acts on all of them.
    """

    def __init__(self, parts: list[Optimizer]) -> None:
        self.parts = parts
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._share()

    def _share(self) -> None:
        self.param_groups = [group for part in self.parts for group in part.param_groups]

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()


class MuonAdam(OptimizerGroup):
    """Muon (Jordan et al. 2024) for hidden weight matrices, Adam for all other parameters.

    Muon replaces the momentum of a matrix by the nearest orthogonal matrix, so that all directions learn at the same
    rate. It suits maps between hidden layers and from features to them; the last layer, maps of up to three coordinates
    (the frequencies of sines and filters), biases and parameters of the encoder use Adam. The real and imaginary parts
    of a complex map (WIRE) are one matrix, one part above the other.

    Args:
        parameters: (name, parameter) pairs, as ``Module.named_parameters`` gives them, in the order of the layers.
        lr: Adam's learning rate.
        muon_lr: Muon's learning rate, scaled to the root mean square update of Adam (``match_rms_adamw``).
        momentum: Muon's momentum.
        betas, eps: Adam's parameters.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        lr: float = 4e-3,
        muon_lr: float = 8e-3,
        momentum: float = 0.95,
        betas: Sequence[float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        named = list(parameters)
        matrices = [name for name, p in named if p.ndim >= 2 and not name.startswith("encoder.") and "bias" not in name]
        hidden = [p for name, p in named if name in matrices[:-1] and min(p.shape[-2:]) > COORDINATES]
        rest = [p for _, p in named if all(p is not matrix for matrix in hidden)]
        if not hidden:
            raise ValueError("parameters: expected at least one hidden weight matrix for Muon")
        self.stacks = [p for p in hidden if p.ndim > 2]
        with flattened(self.stacks):
            muon = Muon(hidden, lr=muon_lr, weight_decay=0.0, momentum=momentum, adjust_lr_fn="match_rms_adamw")
        super().__init__([muon, Adam(rest, lr=lr, betas=(betas[0], betas[1]), eps=eps, fused=True)])

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        with flattened(self.stacks):
            super().step()
        return loss


@contextmanager
def flattened(stacks: list[nn.Parameter]) -> Iterator[None]:
    """Parameters (k, o, i) and their gradients are matrices (k o, i) of the same memory: Muon takes matrices only."""
    shapes = [p.shape for p in stacks]

    def shape(sizes: list[torch.Size]) -> None:
        for p, size in zip(stacks, sizes, strict=True):
            gradient, p.grad = p.grad, None  # a gradient has its parameter's shape at any time
            p.data = p.data.view(size)
            p.grad = None if gradient is None else gradient.reshape(size)

    shape([torch.Size((size[:-1].numel(), size[-1])) for size in shapes])
    try:
        yield
    finally:
        shape(shapes)
