"""Spectra of waves whose frequency and power are known."""

import math

import pytest
import torch

from ffnet.datasets import ImageDataset
from ffnet.datasets.spectrum import octave_power


def wave(height, width, fy, fx):
    y = (torch.arange(height) + 0.5) / height
    x = (torch.arange(width) + 0.5) / width
    return torch.sin(2 * math.pi * (fy * y[:, None] + fx * x)).unsqueeze(-1)


@pytest.mark.parametrize(("fy", "fx", "octave"), [(0, 6, 4), (12, 0, 8), (15, 16, 16), (-10, 3, 8)])
def test_a_wave_is_in_its_octave(fy, fx, octave):
    ends, power = octave_power(wave(64, 96, fy, fx), (1, 1))
    assert ends.tolist() == [1, 2, 4, 8, 16, 32]
    assert power[ends == octave] > 0.97 * power.sum()


def test_a_part_has_the_frequencies_of_the_whole():
    """A quarter of a picture's width holds a quarter of its cycles, and they count the same."""
    ends, power = octave_power(wave(64, 256, 0, 24)[:, 64:128], (1, 4))
    assert ends.tolist() == [4, 8, 16, 32]
    assert power[ends == 16] > 0.9 * power.sum()


def test_power_is_that_of_the_windowed_values():
    """Parseval: the power of all frequencies is that of the values, but for the corners of the spectrum."""
    values = wave(32, 32, 3, 5) + 0.7 * wave(32, 32, 9, 1) + 4
    window = torch.hann_window(32, periodic=False, dtype=torch.float64)
    centred = (values - values.mean()).double() * window[:, None, None] * window[:, None]
    _, power = octave_power(values, (1, 1))
    # All but frequency 0, where the window has brought a little of the waves.
    assert power.sum().item() == pytest.approx(32 * 32 * centred.square().sum().item(), rel=0.01)


def test_what_is_missing_is_one_for_nothing_learned_and_zero_for_all():
    dataset = ImageDataset(size=[96, 80])
    mean = (dataset.pixels.float() / 255).mean((0, 1))
    nothing = dataset.missing(lambda x: mean.expand(len(x), 3), 64)
    assert set(nothing) == {"0001", "0002", "0004", "0008", "0016", "0032"}
    assert list(nothing.values()) == pytest.approx([1] * 6, rel=1e-4)

    def exactly(x):
        rows, columns = (x[:, 1] * 96 - 0.5).round().long(), (x[:, 0] * 80 - 0.5).round().long()
        return dataset.pixels[rows, columns].float() / 255

    assert max(dataset.missing(exactly, 64).values()) < 1e-10
    half = dataset.missing(lambda x: 0.5 * exactly(x), 1000)
    assert list(half.values()) == pytest.approx([0.25] * len(half), rel=1e-4)
