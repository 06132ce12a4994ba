"""Enlarged images against kernel regression by dense matrices, and laws."""

import numpy as np
import pytest
import torch

from ffnet.signals import ImageSignal
from ffnet.signals.enlarging import EXPONENT, enlarged


def regression(pixels: np.ndarray, factor: int) -> np.ndarray:
    """The mean of a Gaussian process of which averages over cells are known, from its covariance matrix: cosines in
    each direction whose power is that of ``enlarged``."""
    height, width = pixels.shape
    rows, columns = height * factor, width * factor

    def cosines(count):
        k, i = np.arange(count), np.arange(count)
        return np.cos(np.pi * k * (i[:, None] + 0.5) / count) * np.where(k > 0, np.sqrt(2), 1)

    f, g = np.arange(rows)[:, None] / (2 * height), np.arange(columns) / (2 * width)
    power = (f**2 + g**2 + (1 / (2 * max(height, width))) ** 2) ** -EXPONENT
    basis = np.einsum("ik,jl->ijkl", cosines(rows), cosines(columns)).reshape(rows * columns, -1)
    average = np.kron(
        np.kron(np.eye(height), np.full((1, factor), 1 / factor)), np.kron(np.eye(width), np.full(factor, 1 / factor))
    )
    covariance = (basis * power.ravel()) @ basis.T
    known = average @ covariance @ average.T
    return (covariance @ average.T @ np.linalg.solve(known, pixels.ravel())).reshape(rows, columns)


@pytest.mark.parametrize(("size", "factor"), [((3, 5), 2), ((4, 3), 3)])
def test_is_the_regression_from_averages(size, factor):
    # Values in the middle of the range, so that none is clamped.
    pixels = 0.5 + 0.1 * np.random.default_rng(0).uniform(-1, 1, size)
    found = enlarged(torch.from_numpy(pixels)[..., None], factor, rounds=0)[..., 0]
    np.testing.assert_allclose(found, regression(pixels, factor), atol=1e-5)


def test_pixels_are_averages_over_their_cells_and_values_stay_in_range():
    pixels = (torch.rand(12, 9, 2, generator=torch.Generator().manual_seed(0)) > 0.5).float()  # black and white

    def residual(rounds: int, pixels: torch.Tensor) -> float:
        found = enlarged(pixels, 4, rounds=rounds)
        assert 0 <= found.min() <= found.max() <= 1
        return (found.view(12, 4, 9, 4, 2).mean((1, 3)) - pixels).square().mean().item()

    assert residual(0, 0.3 + 0.4 * pixels) < 1e-3  # few values are clamped
    assert residual(20, pixels) < 0.2 * residual(0, pixels)


def test_a_constant_stays_constant():
    torch.testing.assert_close(enlarged(torch.full((5, 7, 3), 0.25), 3), torch.full((15, 21, 3), 0.25))


def test_a_signal_is_enlarged(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (6, 5, 3), np.uint8)
    signal = ImageSignal(array, enlarge=2)
    assert (signal.height, signal.width, signal.record.size, signal.record.bits) == (12, 10, (12, 10), 8)
    torch.testing.assert_close(signal.pixels, enlarged(torch.from_numpy(array) / 255, 2))


@pytest.mark.parametrize("factor", [1, 0, -2, True])
def test_a_factor_is_an_integer_of_at_least_2(factor):
    with pytest.raises(ValueError, match="enlarge: expected an integer of at least 2, or null, got"):
        ImageSignal(np.zeros((4, 4), np.uint8), enlarge=factor)
