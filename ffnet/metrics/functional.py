"""Scores as pure functions of pooled sums."""

import math


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in decibels, ``-10 log10(mse)``, for values in [0, 1].

    ``mse`` is the mean squared error over all points, channels and processes. The average PSNR of batches is a
    different, larger number (Jensen's inequality).

    Raises:
        ValueError: if ``mse`` is negative.
    """
    if mse < 0:
        raise ValueError(f"mse: expected a number of at least 0, got {mse}")
    return math.inf if mse == 0 else -10 * math.log10(mse)


def iou(intersection: float, union: float) -> float:
    """Intersection over union, from pooled counts; 1 if both sets are empty.

    Raises:
        ValueError: if ``0 <= intersection <= union`` does not hold.
    """
    if not 0 <= intersection <= union:
        raise ValueError(f"intersection: expected a number in [0, {union}], got {intersection}")
    return intersection / union if union else 1.0
