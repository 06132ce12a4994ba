"""Optimizers that update different parameters with different methods."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Muon, Optimizer


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
    rate. It suits maps between hidden layers; the last layer, biases and parameters of the encoder use Adam.

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
        matrices = [name for name, p in named if p.ndim == 2 and not name.startswith("encoder.")][:-1]
        hidden = [p for name, p in named if name in matrices]
        rest = [p for name, p in named if name not in matrices]
        if not hidden:
            raise ValueError("parameters: expected at least one hidden weight matrix for Muon")
        super().__init__(
            [
                Muon(hidden, lr=muon_lr, weight_decay=0.0, momentum=momentum, adjust_lr_fn="match_rms_adamw"),
                Adam(rest, lr=lr, betas=(betas[0], betas[1]), eps=eps, fused=True),
            ]
        )
