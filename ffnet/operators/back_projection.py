"""Filtered back-projection, the classical inverse of line integrals."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def ramp_filter(count: int, spacing: float) -> Float[Tensor, "n"]:
    """The band-limited ramp at distances 0, 1, ..., count - 1, -count, ..., -1 times ``spacing``, as a circular
    convolution takes it (Kak & Slaney 1988, eq. 61)."""
    n = torch.fft.fftfreq(2 * count, 1 / (2 * count), dtype=torch.float64)
    odd = -1 / (math.pi * n * spacing).square()
    return torch.where(n == 0, 1 / (4 * spacing**2), torch.where(n.remainder(2) == 1, odd, torch.zeros_like(n)))


def filtered_back_projection(sinogram: Float[Tensor, "a m"], size: int) -> Float[Tensor, "size size"]:
    """An image of the unit square from its integrals over parallel lines: ``a`` angles evenly on [0, pi), each with
    ``m`` lines evenly over the width of the square."""
    angles, detectors = sinogram.shape
    spacing = 1 / detectors
    spectrum = torch.fft.rfft(ramp_filter(detectors, spacing))
    projections = torch.fft.rfft(sinogram.double(), n=2 * detectors)
    filtered = spacing * torch.fft.irfft(projections * spectrum, n=2 * detectors)[:, :detectors]
    axis = (torch.arange(size, dtype=torch.float64) + 0.5) / size - 0.5
    image = torch.zeros(size, size, dtype=torch.float64)
    for angle, values in zip(math.pi * torch.arange(angles) / angles, filtered, strict=True):
        offset = axis * angle.cos() + axis[:, None] * angle.sin()
        place = (offset / spacing + detectors / 2 - 0.5).clamp(0, detectors - 1)
        left = place.long().clamp(max=max(0, detectors - 2))
        right = (left + 1).clamp(max=detectors - 1)
        image += torch.lerp(values[left], values[right], place - left)
    return (image * math.pi / angles).to(sinogram.dtype)
