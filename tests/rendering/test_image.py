"""Rendering against direct evaluation."""

import numpy as np
import pytest
import torch

from ffnet.rendering import image as image_file
from ffnet.rendering import render


def waves(x):
    return torch.stack([x[:, 0], x[:, 1], 0.5 + 0.5 * torch.sin(6 * x[:, 0] * x[:, 1])], -1)


def expected(height, width):
    y, x = np.meshgrid((np.arange(height) + 0.5) / height, (np.arange(width) + 0.5) / width, indexing="ij")
    return np.stack([x, y, 0.5 + 0.5 * np.sin(6 * x * y)], -1)


@pytest.mark.parametrize("bits", [8, 16])
def test_pixels_are_the_fields_values_at_their_centres(bits):
    pixels = render(waves, (13, 29), channels=3, bits=bits)
    assert pixels.dtype == np.dtype(f"uint{bits}")
    top = 2**bits - 1
    assert np.abs(pixels / top - expected(13, 29)).max() <= 0.5 / top + 1e-6


@pytest.mark.parametrize("points", [1, 7, 29, 100])
def test_bands_change_no_pixel(monkeypatch, points):
    whole = render(waves, (13, 29), channels=3)
    monkeypatch.setattr(image_file, "BAND_POINTS", points)
    np.testing.assert_array_equal(render(waves, (13, 29), channels=3), whole)


def test_values_outside_the_unit_interval_are_clipped():
    pixels = render(lambda x: torch.cat([x[:, :1] * 0 - 1, x[:, :1] * 0 + 2], -1), (2, 2), channels=2)
    assert pixels[..., 0].max() == 0
    assert pixels[..., 1].min() == 255


def test_progress_sees_every_band(monkeypatch):
    monkeypatch.setattr(image_file, "BAND_POINTS", 29)
    seen = []
    render(waves, (13, 29), channels=3, progress=lambda bands: (seen.append(band) or band for band in bands))
    assert [row for band in seen for row in band] == list(range(13))
