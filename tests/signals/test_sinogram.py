"""Measured sinograms."""

import numpy as np
import pytest
import torch

from ffnet.operators.line_integrals import even_offsets, fan_lines, parallel_lines
from ffnet.signals.sinogram import Sinogram

GOOD = {"sinogram": np.ones((4, 6)), "angles": np.arange(4) * np.pi / 4}


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **{name: value for name, value in (GOOD | arrays).items() if value is not None})
    return tmp_path / "a.npz"


def test_detectors_lie_evenly_over_the_square(tmp_path):
    found = Sinogram(saved(tmp_path))
    expected = parallel_lines(torch.from_numpy(GOOD["angles"]), even_offsets(6)).float()
    torch.testing.assert_close(found.lines, expected)
    assert found.even


def test_offsets_and_a_source_make_a_fan(tmp_path):
    fan = np.linspace(-0.2, 0.2, 6)
    found = Sinogram(saved(tmp_path, offsets=fan, source=np.array(2.0)))
    expected = fan_lines(torch.from_numpy(GOOD["angles"]), torch.from_numpy(fan), 2.0).float()
    torch.testing.assert_close(found.lines, expected)
    assert not found.even
    assert not Sinogram(saved(tmp_path, angles=np.arange(4.0))).even


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"angles": None}, "has no angles"),
        ({"angles": np.zeros(3)}, "expected 4 angles, as the sinogram has rows"),
        ({"sinogram": np.zeros(4)}, "expected a sinogram \\(angles, detectors\\)"),
        ({"sinogram": np.zeros((0, 6))}, "expected a sinogram \\(angles, detectors\\)"),
        ({"sinogram": np.full((4, 6), np.nan)}, "expected finite integrals"),
        ({"offsets": np.zeros(5)}, "expected 6 offsets, as the sinogram has columns"),
        ({"offsets": np.full(6, np.inf)}, "expected finite offsets"),
        ({"source": np.array([2.0, 3.0]), "offsets": np.zeros(6)}, "expected a source's distance above 0"),
        ({"source": np.array(2.0)}, "expected a source's distance above 0 with offsets"),
        ({"sinogram": np.array([["a"] * 6] * 4)}, "expected an .npz file with a sinogram"),
    ],
)
def test_what_does_not_fit_together_is_refused(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        Sinogram(saved(tmp_path, **arrays))


def test_damaged_and_missing_files_are_refused(tmp_path):
    (tmp_path / "b.npz").write_bytes(saved(tmp_path).read_bytes()[:100])
    with pytest.raises(ValueError, match=r"expected an \.npz file with a sinogram"):
        Sinogram(tmp_path / "b.npz")
    with pytest.raises(FileNotFoundError, match="no such file"):
        Sinogram(tmp_path / "c.npz")
