"""Builds modules within a limit of parameters, so that a setting cannot ask for more memory than there is."""

import math
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_any

from ffnet.budget import Excess, limit

# Bytes of the widest type in which a weight is drawn.
WIDEST = 8
# Bytes that a tensor takes at least, with its Python objects, so that endless lists of tiny layers are refused as well.
LEAST = 2**14
# Bytes beyond those of the weights, for constants and small tensors.
SLACK = 2**24


def check_size(settings: dict[str, Any]) -> None:
    """Raises ``Excess`` if the numbers among the settings of a model alone say that it has too many parameters, so that
    it is refused before its signal is read."""
    most = limit("parameters")
    if most is not None and (large := _large(settings, most)):
        raise _excess(large, most)


def _large(settings: Any, most: int) -> list[str]:
    """The keys of numbers that ask for more than ``most`` parameters, by themselves or, in ffnet's models, together: of
    two hidden layers, one has ``hidden_features`` squared weights; the first has ``hidden_features`` per frequency.
    """
    if large := [key for key, value in _integers("", settings) if value > most]:
        return large
    if not isinstance(settings, dict) or not str(settings.get("_target_")).startswith("ffnet.models."):
        return []
    encoder = settings.get("encoder")
    numbers = {**(encoder if isinstance(encoder, dict) else {}), **settings}
    width, depth, frequencies = (
        value if type(value := numbers.get(name)) is int else 0
        for name in ("hidden_features", "hidden_layers", "num_frequencies")
    )
    if width * width * (depth - 1) > most:
        return ["hidden_features", "hidden_layers"]
    return ["encoder.num_frequencies"] if width * frequencies > most else []


def _excess(asked: list[str], most: int) -> Excess:
    asking = ", ".join(asked) or "model"
    return Excess(f"{asking}: expected a field of at most {most} parameters; limits.parameters=... allows more")


def built(settings: Any, make: Callable[[Any], nn.Module], held: int = 0) -> nn.Module:
    """``make(settings)``, a field.

    Args:
        settings: the field's constructor call as plain values.
        make: builds it.
        held: number of weights that are in memory already, such as those of a checkpoint; the field may have as many
            even if that is more than ``limits.parameters``.

    Raises:
        Excess: if it has more parameters, before they are allocated.
    """
    most = limit("parameters")
    if most is None:
        return make(settings)
    most = max(most, held)
    large = _large(settings, most)
    refusal = _excess(large, most)
    if large:  # a loop over so many levels or layers would take too long
        raise refusal
    with _Bounded(WIDEST * most + SLACK, refusal):
        field = make(settings)
    if sum(parameter.numel() for parameter in field.parameters()) > most:
        raise refusal
    return field


def _integers(key: str, settings: Any) -> Iterator[tuple[str, int]]:
    """The integers in nested settings that may be counts, with their keys."""
    if isinstance(settings, dict | list):
        for name, value in settings.items() if isinstance(settings, dict) else enumerate(settings):
            if name != "seed":
                yield from _integers(f"{key}.{name}" if key else str(name), value)
    elif type(settings) is int:
        yield key, settings


class _Bounded(TorchDispatchMode):
    """Raises ``refusal`` before torch allocates more than ``most`` bytes in all."""

    def __init__(self, most: int, refusal: Exception) -> None:
        super().__init__()
        self.left, self.refusal = most, refusal

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # True would import torch's compiler, which takes seconds, for a field that is only loaded

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if not tree_any(
            lambda value: isinstance(value, Tensor), (args, kwargs)
        ):  # a factory function, such as torch.empty
            self.left -= max(_bytes(func, args, kwargs), LEAST)
            if self.left < 0:
                raise self.refusal
        return func(*args, **kwargs)


def _bytes(func: Any, args: Any, kwargs: Any) -> int:
    shape = next((value for value in args if isinstance(value, list | tuple)), None)
    if shape is not None and all(type(side) is int for side in shape):
        return int(math.prod(shape) * (kwargs.get("dtype") or torch.get_default_dtype()).itemsize)
    made = func(*args, **kwargs | {"device": torch.device("meta")})  # arange and the like
    return made.numel() * made.element_size() if isinstance(made, Tensor) else 0
