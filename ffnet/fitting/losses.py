"""The objective: a data term and any number of weighted regularizers."""

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.datasets import Batch


class HalfMSELoss(nn.MSELoss):
    """``0.5 * mean((prediction - target)^2)``, the loss in the code of Tancik et al. 2020."""

    def forward(self, input: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> Float[Tensor, "*m"]:
        return 0.5 * super().forward(input, target)


class RelativeMSELoss(nn.Module):
    """``mean((prediction - target)^2 / (prediction^2 + epsilon))`` with a constant denominator, for high range
    (Lehtinen et al. 2018, Noise2Noise; Müller et al. 2021, neural radiance caching).

    Args:
        epsilon: added to the denominator; its root is the magnitude below which errors count as they are.
        reduction: ``mean``, or ``none`` for one loss an entry, as losses of torch have it.

    Raises:
        ValueError: if epsilon is not a finite number of at least 0, or the reduction is unknown.
    """

    def __init__(self, epsilon: float = 0.01, reduction: str = "mean") -> None:
        super().__init__()
        if type(epsilon) not in (int, float) or not 0 <= epsilon < float("inf"):
            raise ValueError(f"epsilon: expected a finite number of at least 0, got {epsilon!r}")
        if reduction not in ("mean", "none"):
            raise ValueError(f"reduction: expected mean or none, got {reduction!r}")
        self.epsilon, self.reduction = epsilon, reduction

    def forward(self, input: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> Float[Tensor, "*m"]:
        each = (input - target).square() / (input.detach().square() + self.epsilon)
        return each.mean() if self.reduction == "mean" else each


class Regularizer(nn.Module, ABC):
    """A term of the objective that depends on the field itself.

    Args:
        weight: weight of the term.

    Raises:
        ValueError: if the weight is not a finite number of at least 0.
    """

    def __init__(self, weight: Any) -> None:
        super().__init__()
        if not isinstance(weight, int | float) or not 0 <= weight < float("inf"):
            raise ValueError(f"weight: expected a finite number of at least 0, got {weight!r}")
        self.weight = float(weight)

    @abstractmethod
    def forward(self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        """The unweighted term, computed once per step. ``batch`` is the whole batch of the step; use ``generator`` for
        random points."""


class Objective:
    """``loss(prediction, targets)`` plus the weighted sum of the regularizers.

    Args:
        loss: a mean over all entries. For weighted batches it needs the ``reduction`` attribute of torch's losses.
        regularizers: the regularizers by name.

    Raises:
        ValueError: if a regularizer is not a ``Regularizer``.
    """

    def __init__(
        self, loss: Callable[[Tensor, Tensor], Tensor], regularizers: Mapping[str, Regularizer] | None = None
    ) -> None:
        self.loss = loss
        self.regularizers = dict(regularizers or {})
        for name, term in self.regularizers.items():
            if not isinstance(term, Regularizer):
                raise ValueError(
                    f"regularizers.{name}: expected an ffnet.fitting.Regularizer, got {type(term).__name__}"
                )

    def data(self, prediction: Tensor, targets: Tensor, weights: Tensor | None = None) -> Float[Tensor, ""]:
        """The data term of the given queries; ``weights`` (n,) multiply the losses of the queries."""
        if weights is None:
            return self.loss(prediction, targets)
        each: Any = copy.copy(self.loss)
        if not hasattr(each, "reduction"):
            raise ValueError(
                f"loss: expected one of torch's, with a reduction, to weigh queries; got {type(each).__name__}"
            )
        each.reduction = "none"
        return (weights.unsqueeze(-1) * each(prediction, targets)).mean()

    def regularization(
        self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator
    ) -> Float[Tensor, ""]:
        """The weighted sum of the regularizers."""
        terms = [term.weight * term(field, batch, generator) for term in self.regularizers.values()]
        return torch.stack(terms).sum()
