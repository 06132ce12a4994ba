"""Figures of merit, as pure functions of pooled sums."""

import math


def psnr(mse: float) -> float:
    """Peak signal-to-noise ratio in decibels, ``-10 log10(mse)``, of values in [0, 1].

    ``mse`` is the squared error pooled over every point, channel and process. An average of the PSNRs of
    batches is another, larger number (Jensen's inequality).

    Raises:
        ValueError: if ``mse`` is negative.
    """
    if mse < 0:
        raise ValueError(f"mse: expected a number of at least 0, got {mse}")
    return math.inf if mse == 0 else -10 * math.log10(mse)
