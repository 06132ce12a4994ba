"""Spectrograms as pictures."""

import numpy as np
import torch
from jaxtyping import Float

# Samples of a window, and decibels below full scale that are black.
WINDOW, RANGE = 1024, 90.0


def spectrogram(samples: Float[np.ndarray, "n c"], width: int = 1024) -> Float[np.ndarray, "h w 3"]:
    """Grey, as RGB in [0, 1]: the power in decibels of the mean of the channels, time to the right, frequency upwards.

    Amplitudes are in [-1, 1]; a sine of amplitude 1 is the brightest. A Hann window, at most ``width`` columns.
    """
    mono = torch.from_numpy(np.ascontiguousarray(samples.mean(1), dtype=np.float32))
    window = torch.hann_window(WINDOW)
    hop = max(WINDOW // 4, -(-len(mono) // width))
    padded = torch.nn.functional.pad(mono, (WINDOW // 2, WINDOW // 2))
    power = torch.stft(padded, WINDOW, hop, window=window, center=False, return_complex=True).abs() * 2 / window.sum()
    decibels = 20 * power.clamp(min=1e-12).log10()
    bright = (1 + decibels / RANGE).clamp(0, 1).flip(0)
    return bright[..., None].expand(-1, -1, 3).numpy()
