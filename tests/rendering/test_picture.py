"""Rendering against direct evaluation."""

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.rendering import check_writable, render, save_picture, write_reconstruction
from ffnet.rendering import picture as picture_file
from ffnet.rendering.picture import shift_of


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
    monkeypatch.setattr(picture_file, "BAND_POINTS", points)
    np.testing.assert_array_equal(render(waves, (13, 29), channels=3), whole)


def test_values_outside_the_unit_interval_are_clipped():
    pixels = render(lambda x: torch.cat([x[:, :1] * 0 - 1, x[:, :1] * 0 + 2], -1), (2, 2), channels=2)
    assert pixels[..., 0].max() == 0
    assert pixels[..., 1].min() == 255


def test_a_field_fitted_at_pixel_corners_is_rendered_in_place():
    """Fitted at i / n, a field knows pixel i under i / n: the shift leads from centres to there."""
    signal = {"size": [4, 8], "offset": 0.0}
    known = (torch.arange(8) / 8).tolist()
    seen = []

    def field(x):
        seen.extend(x[:8, 0].tolist())
        return x[:, :1]

    render(field, (4, 8), channels=1, shift=shift_of(signal))
    assert seen[:8] == pytest.approx(known)


def test_a_reconstruction_has_the_mode_and_size_of_the_signal(tmp_path):
    signal = {"kind": "picture", "size": [5, 4], "channels": 1, "bits": 16, "offset": 0.5, "mode": "I;16"}
    path = write_reconstruction(lambda x: x[:, :1], signal, tmp_path)
    with Image.open(path) as written:
        assert written.mode == "I;16"
        assert written.size == (4, 5)
        np.testing.assert_allclose(np.asarray(written)[0], (np.arange(4) + 0.5) / 4 * 65535, atol=1)


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    rgba = {"channels": 4, "bits": 8, "mode": "RGBA"}
    check_writable(tmp_path / "a.png", rgba)
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="JPEG cannot hold a picture of mode RGBA"):
        check_writable(tmp_path / "a.jpg", rgba)
    with pytest.raises(ValueError, match="expected a picture's name"):
        check_writable(tmp_path / "a.doc", rgba)
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        check_writable(tmp_path / "missing" / "a.png", rgba)


def test_a_picture_that_cannot_be_saved_leaves_the_old_one(tmp_path):
    signal = {"channels": 1, "bits": 8, "mode": "L"}
    save_picture(np.zeros((2, 2, 1), np.uint8), signal, tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises((ValueError, TypeError, SystemError)):
        save_picture(np.zeros((0, 0, 1), np.uint8), signal, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1
