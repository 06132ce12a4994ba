"""Spectrograms as pictures."""

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image

# Samples of a window, and decibels below full scale that are black.
WINDOW, RANGE = 1024, 90.0


def spectrogram(samples: Float[np.ndarray, "n c"], width: int = 1024) -> Float[np.ndarray, "h w 3"]:
    """Grey, as RGB in [0, 1]: the power in decibels of the mean of the channels, time to the right, frequency upwards.

    Amplitudes are in [-1, 1]; a sine of amplitude 1 is the brightest. Hann windows, half of one or less apart, averaged
    to at most ``width`` columns.
    """
    mono = torch.from_numpy(np.ascontiguousarray(samples.mean(1), dtype=np.float32))
    step = -(-len(mono) // width)  # samples of a column
    windows = -(-step // (WINDOW // 2))  # in a column
    padded = torch.nn.functional.pad(mono, (WINDOW // 2, WINDOW // 2))
    hann = torch.hann_window(WINDOW)
    spectrum = torch.stft(padded, WINDOW, -(-step // windows), window=hann, center=False, return_complex=True)
    power = (spectrum.abs() * 2 / hann.sum()).square()
    power = torch.nn.functional.avg_pool1d(power, windows, ceil_mode=True)[:, :width]
    bright = (1 + 10 * power.clamp(min=1e-24).log10() / RANGE).clamp(0, 1).flip(0)
    return bright[..., None].expand(-1, -1, 3).numpy()


def picture(samples: Float[np.ndarray, "n c"]) -> Image.Image:
    """The spectrogram as an image of 8 bits."""
    return Image.fromarray((spectrogram(samples) * 255).round().astype(np.uint8))
