"""Whether what a file holds is plain data: dictionaries, lists, text, numbers and tensors, of limited depth and number.

Every check of what data mean comes after this one, and may walk through them without limits of its own.
"""

from typing import Any

import torch
from torch import Tensor, nn

# Levels of nesting, and values in all, counted once for each place where they are; ffnet's own take 6 and some hundred.
DEEPEST, MOST_VALUES = 32, 1_000_000
_SCALARS = (str, int, float, bool, type(None))


def check_plain(value: Any, name: str, tensors: bool = False) -> None:
    """Checks that ``value`` consists of plain values; errors name ``name``.

    Args:
        value: what was read.
        name: what it is called.
        tensors: whether dense tensors are allowed as well.

    Raises:
        ValueError: if it holds anything else, refers to itself, or is too large.
    """
    waiting, count = [(value, 0)], 0
    while waiting:
        part, depth = waiting.pop()
        count += 1
        if depth > DEEPEST or count > MOST_VALUES:
            limit = f"{DEEPEST} levels" if depth > DEEPEST else f"{MOST_VALUES} values"
            raise ValueError(f"{name}: expected at most {limit} of nested values, got more")
        if isinstance(part, dict):
            if not all(type(key) in (str, int) for key in part):
                raise ValueError(f"{name}: expected names as the keys of its values")
            waiting += [(inner, depth + 1) for inner in part.values()]
        elif isinstance(part, list | tuple):
            waiting += [(inner, depth + 1) for inner in part]
        elif not (type(part) in _SCALARS or (tensors and is_dense(part))):
            raise ValueError(f"{name}: expected plain values, got one of type {type(part).__name__}")


def is_dense(value: Any) -> bool:
    """Whether ``value`` is an ordinary tensor with numbers in memory."""
    ordinary = type(value) in (Tensor, nn.Parameter)
    return ordinary and value.layout is torch.strided and not value.is_meta and not value.is_quantized


def check_type(value: Any, expected: type | tuple[type, ...], name: str) -> None:
    """Raises ValueError, which names ``name``, if ``value`` is of another type."""
    if not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool):
        names = " or ".join(cls.__name__ for cls in (expected if isinstance(expected, tuple) else (expected,)))
        raise ValueError(f"{name}: expected {names}, got {type(value).__name__}")
