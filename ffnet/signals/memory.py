"""Signals in memory: NumPy arrays and tensors."""

from typing import Any

import numpy as np
from torch import Tensor


def array_of(noun: str, signal: Any, expected: str = "a path, an array or a tensor") -> np.ndarray:
    """A NumPy array with the values of an array or a tensor; of float32 where NumPy lacks the type, such as bfloat16.

    Raises:
        ValueError: if ``signal`` is neither; the message begins with ``noun`` and says what is ``expected``.
    """
    if isinstance(signal, Tensor):
        narrow = signal.is_floating_point() and signal.dtype.itemsize < 4
        signal = (signal.float() if narrow else signal).detach().cpu().numpy()
    if not isinstance(signal, np.ndarray):
        raise ValueError(f"{noun}: expected {expected}, got {type(signal).__name__}")
    return signal
