"""Masks and measured k-space."""

import numpy as np
import pytest
import torch

from ffnet.operators.fourier_samples import frequencies
from ffnet.signals import ComplexRecord
from ffnet.signals.kspace import mask_of, read_kspace, zero_filled


@pytest.mark.parametrize("size", [(64, 64), (33, 48), (20, 24, 28)])
@pytest.mark.parametrize("keep", [0.05, 0.126, 0.5, 1.0])
def test_a_mask_keeps_its_fraction(size, keep):
    count = np.prod(size)
    kept = [mask_of("gaussian", size, keep, 0.5, seed).float().mean().item() for seed in range(5)]
    assert np.mean(kept) == pytest.approx(keep, abs=4 * np.sqrt(keep * (1 - keep) / count / 5) + 1 / count)


def test_a_masks_density_is_a_gaussian_of_the_frequency():
    """Counted over many masks, in rings: the logarithm falls with the square of the frequency."""
    size, width = (48, 48), 0.4
    chance = torch.stack([mask_of("gaussian", size, 0.1, width, seed) for seed in range(150)]).float().mean(0).flatten()
    radius = (frequencies(size) / 24).norm(dim=1)
    ring = (radius > 0.35) & (radius < 0.9)  # where it is neither 1 nor rare
    slope = np.polyfit(radius[ring].square().numpy(), chance[ring].clamp(min=1e-6).log().numpy(), 1)[0]
    assert slope == pytest.approx(-0.5 / width**2, rel=0.1)


def test_lines_are_whole_and_the_mean_is_always_measured():
    mask = mask_of("lines", (40, 32), 0.2, 0.5, 0)
    assert torch.equal(mask.any(1), mask.all(1))
    assert mask[0].all()
    assert mask_of("gaussian", (40, 32), 0.001, 0.5, 3)[0, 0]


def test_all_samples_are_the_image():
    image = torch.rand(6, 7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(zero_filled(torch.fft.fftn(image, norm="ortho")).real, image)


def saved(tmp_path, **arrays):
    np.savez(tmp_path / "a.npz", **arrays)
    return tmp_path / "a.npz"


def test_k_space_has_its_middle_first(tmp_path):
    image = np.random.default_rng(0).random((6, 8))
    kspace = np.fft.fftshift(np.fft.fft2(image, norm="ortho"))
    found, known = read_kspace(saved(tmp_path, kspace=kspace))
    np.testing.assert_allclose(zero_filled(found).real.numpy(), image, atol=1e-6)
    assert known.all()
    mask = np.zeros((6, 8), bool)
    mask[3, 4] = True
    assert read_kspace(saved(tmp_path, kspace=kspace, mask=mask))[1].nonzero().tolist() == [[0, 0]]


GOOD = np.ones((4, 5), np.complex64)


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"image": GOOD}, "has no kspace"),
        ({"kspace": np.ones(4)}, "got shape \\(4,\\)"),
        ({"kspace": np.array(1j)}, "got shape \\(\\)"),
        ({"kspace": np.ones((0, 4))}, "got shape \\(0, 4\\)"),
        ({"kspace": GOOD * np.nan}, "expected finite samples"),
        ({"kspace": 0 * GOOD}, "expected a mask that is true somewhere"),
        ({"kspace": GOOD, "mask": np.zeros((4, 5))}, "expected a mask that is true somewhere"),
        ({"kspace": GOOD, "mask": np.ones((5, 4))}, "expected a mask of shape"),
        ({"kspace": 0 * GOOD, "mask": np.ones((4, 5))}, "expected samples that are not all 0"),
        ({"kspace": np.array([["a"]])}, "expected an .npz file with a complex array"),
    ],
)
def test_what_is_no_k_space_is_refused(tmp_path, arrays, message):
    with pytest.raises(ValueError, match=message):
        read_kspace(saved(tmp_path, **arrays))


def test_a_record_writes_complex_values_and_their_picture(tmp_path):
    record = ComplexRecord((3, 4), 2.0)

    def field(x):
        return torch.stack([x[:, 0], 0.5 + 0 * x[:, 1]], dim=-1)

    found = record.reconstruct(field)
    expected = 2 * (2 * (np.arange(4) + 0.5) / 4 - 1)
    np.testing.assert_allclose(found, np.tile(expected, (3, 1)).astype(complex), atol=1e-6)
    path = record.write(field, tmp_path)
    np.testing.assert_array_equal(np.load(path), found)
    assert (tmp_path / "views.png").exists()
