"""The bandwidth that short fits choose follows the signal's."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from ffnet.analysis import bandwidth
from ffnet.analysis.bandwidth import candidates, peak
from ffnet.datasets import ImageDataset
from ffnet.encoders import GaussianEncoder
from ffnet.models import CoordinateMLP


def waves(side: int, band: float) -> np.ndarray:
    """A grey image of 24 waves of at most ``band`` cycles, sampled at the centres of ``side`` x ``side`` pixels."""
    generator = np.random.default_rng(0)
    y, x = (np.mgrid[:side, :side] + 0.5) / side
    values = np.zeros((side, side))
    for _ in range(24):
        u, v = generator.uniform(-1, 1, 2) * band
        values += np.cos(2 * math.pi * (u * x + v * y + generator.random()))
    values = 0.5 + 0.15 * values / values.std()
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


def chosen(image: np.ndarray, seed: int = 0):
    dataset = ImageDataset(image)

    def make(sigma: float) -> nn.Module:
        return CoordinateMLP(GaussianEncoder(2, 64, sigma), 1, 48, 2, output_activation=nn.Sigmoid(), seed=0)

    return bandwidth(make, dataset.regular, seed)


def test_a_signal_of_twice_the_band_gets_a_larger_sigma():
    narrow, middle, wide = (chosen(waves(64, band)).sigma for band in (2, 5, 12))
    assert 1.2 * narrow < middle
    assert 1.2 * middle < wide


def test_the_number_of_pixels_hardly_matters():
    few, many = (chosen(waves(side, 5)).sigma for side in (64, 128))
    assert abs(math.log2(many / few)) < 0.5


def test_the_same_image_gets_the_same_numbers_and_no_global_generator_is_used():
    before = torch.get_rng_state()
    first, second = (chosen(waves(32, 4)) for _ in range(2))
    assert first == second
    assert torch.equal(torch.get_rng_state(), before)


def test_a_constant_image_gets_the_smallest():
    found = chosen(np.full((32, 32), 200, np.uint8))
    assert found.sigma == pytest.approx(found.tried[0], rel=0.01)


def test_a_small_image_is_refused():
    with pytest.raises(ValueError, match="expected an image of at least 16x16 pixels for auto, got 15x20"):
        chosen(waves(32, 4)[:15, :20])


@pytest.mark.parametrize("length", [16, 100, 256, 5000])
def test_candidates_are_octaves_below_the_nyquist_frequency(length):
    found = candidates(length)
    assert all(after == pytest.approx(2 * before) for before, after in itertools.pairwise(found))
    assert found[-1] < length / 2


@pytest.mark.parametrize("top", [1.6, 2.3, 3.9, 4.5])
def test_the_peak_of_a_parabola_is_found_at_and_beyond_the_sigmas(top):
    sigmas = [2.0, 4.0, 8.0, 16.0]
    assert peak(sigmas, [7 - (math.log2(sigma) - top) ** 2 for sigma in sigmas]) == pytest.approx(2**top)


def test_scores_that_rise_or_fall_throughout_have_their_peak_at_an_end():
    assert peak([2.0, 4.0, 8.0], [1.0, 2.0, 4.0]) == pytest.approx(8 * 2**0.75)
    assert peak([2.0, 4.0, 8.0], [4.0, 2.0, 1.0]) == 2.0
    assert peak([2.0, 4.0], [1.0, 2.0]) == 4.0
