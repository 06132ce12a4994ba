"""What every encoder has in common."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn


class FullPrecision(nn.Module):
    """A module whose tensors move with it to a device or to float64, but are never cast below float32.

    Attributes:
        roundable: names of its own parameters that hold values, not phases: exports may store them with fewer bits.
    """

    roundable: ClassVar[tuple[str, ...]] = ()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Any:
        # .half() and .bfloat16() would round the encoder's tensors: frequencies with 8 significant bits are those of
        # another encoder, and a table with 8 bits cannot take a small optimizer step.
        held = {name: t.data for name, t in (self._buffers | self._parameters).items() if t is not None}
        super()._apply(fn, recurse)
        for name, original in held.items():
            tensor = getattr(self, name)
            if tensor.dtype in (torch.float16, torch.bfloat16):
                tensor.data = original.to(tensor.device)
        return self


class Encoder(FullPrecision, ABC):
    """Maps coordinates (..., in_features) to features (..., out_features), for any leading dimensions.

    A subclass sets ``in_features`` and ``out_features`` and implements ``encode``. Precision is handled here:
    ``encode`` gets float32 or float64 coordinates whatever the input (in bfloat16 a phase of 100 cycles has no
    correct digit after the decimal point), and the features are cast back to the dtype of the coordinates.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features = in_features
        self.out_features = out_features

    @abstractmethod
    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        """Features of coordinates that are float32 or float64."""

    def levels(self) -> Int[Tensor, "k"]:
        """Level of detail of each feature: 1 is the coarsest; 0 is a feature without one, such as a coordinate."""
        return torch.zeros(self.out_features, dtype=torch.int64)

    def forward(self, coordinates: Shaped[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        """Features of ``coordinates``, which lie in [0, 1]^d, x first.

        Raises:
            ValueError: if the last dimension of ``coordinates`` is not ``in_features``.
        """
        if coordinates.ndim == 0 or coordinates.shape[-1] != self.in_features:
            raise ValueError(f"coordinates: expected shape (..., {self.in_features}), got {tuple(coordinates.shape)}")
        exact = torch.promote_types(coordinates.dtype, torch.float32)
        features = self.encode(coordinates.to(exact))
        return features.to(coordinates.dtype) if coordinates.is_floating_point() else features

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


def ranks(frequencies: Float[Tensor, "*shape"]) -> Int[Tensor, "*shape"]:
    """1 for the lowest frequency, 2 for the next one above it, ..."""
    return torch.unique(frequencies, return_inverse=True)[1] + 1


def positive(name: str, value: Any) -> float:
    """Returns ``value``; raises ValueError, with its name, unless it is a finite number above 0."""
    if not isinstance(value, int | float) or not 0 < value < float("inf"):
        raise ValueError(f"{name}: expected a finite number above 0, got {value!r}")
    return float(value)


def positive_integer(name: str, value: Any) -> int:
    """Returns ``value``; raises ValueError, with its name, unless it is an integer of at least 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
    return int(value)
