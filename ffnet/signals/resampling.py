"""Recordings at another rate."""

import numpy as np
from jaxtyping import Float


def resampled(samples: Float[np.ndarray, "n c"], count: int) -> Float[np.ndarray, "count c"]:
    """Band-limited interpolation at ``count`` times ``(i + 0.5) / count`` of samples at ``(i + 0.5) / n``.

    Frequencies that one of the two rates cannot have are 0: there is no aliasing. The Fourier series takes recordings
    as periodic, so that the last few samples ring if the end does not meet the beginning.
    """
    spectrum = np.fft.rfft(samples.astype(np.float64), axis=0)[: (min(count, len(samples)) + 1) // 2]
    shift = 0.5 / count - 0.5 / len(samples)
    turned = spectrum * np.exp(2j * np.pi * shift * np.arange(len(spectrum)))[:, None]
    return (np.fft.irfft(turned, count, axis=0) * (count / len(samples))).astype(np.float32)
