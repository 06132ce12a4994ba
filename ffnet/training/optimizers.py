"""Optimizers for networks whose weights are not all alike."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn
from torch.optim import Adam, Muon, Optimizer


class Together(Optimizer):
    """Several optimizers, each with parameters of its own, that look and are saved like one.

    Args:
        parts: the optimizers. Their parameter groups are this one's, so a scheduler reaches them all.
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


class MuonAdam(Together):
    """Muon (Jordan et al. 2024) on the network's weight matrices, Adam on all else.

    Muon replaces a matrix's momentum by the nearest orthogonal matrix, so every direction of the matrix learns at
    the same rate. It suits maps between hidden layers; the last layer, biases and an encoder's parameters are
    Adam's.

    Args:
        parameters: (name, parameter) pairs, as ``Module.named_parameters`` gives them, in the order of the layers.
        lr: Adam's rate.
        muon_lr: Muon's rate, in units of the matrices' root mean square entry as Adam's is
            (``match_rms_adamw``).
        momentum: Muon's.
        betas, eps: Adam's.
    """

    def __init__(
        self,
        parameters: Iterable[tuple[str, nn.Parameter]],
        lr: float = 4e-3,
        muon_lr: float = 8e-3,
        momentum: float = 0.95,
        betas: tuple[float, float] = (0.9, 0.999),
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
