"""Magnetic resonance imaging: trained on Fourier samples, scored on pixels and voxels."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import MRIDataset
from ffnet.datasets.inverse import interpolated
from ffnet.fitting import evaluate
from ffnet.signals.phantom import phantom_pixels


def volume(tmp_path, shape=(6, 7, 8)):
    """A NIfTI volume of random integers, turned and shifted."""
    nibabel = pytest.importorskip("nibabel")
    values = np.random.default_rng(0).integers(0, 255, shape[::-1]).astype(np.uint8)
    affine = np.array([[0, -2.0, 0, 5], [1.5, 0, 0, -3], [0, 0, 3.0, 1], [0, 0, 0, 1]])
    nibabel.save(nibabel.Nifti1Image(values, affine), tmp_path / "head.nii.gz")
    return tmp_path / "head.nii.gz", values.transpose(), affine


def test_the_phantom_itself_explains_its_samples():
    dataset = MRIDataset(size=32)
    truth = torch.from_numpy(phantom_pixels(32))
    scores = evaluate(lambda x: interpolated(truth, x), dataset)
    assert scores["psnr"] > 100
    assert scores["kspace/rmse"] < 1e-6


def test_samples_are_numpys_transform_at_the_mask():
    dataset = MRIDataset(size=16, keep=0.3)
    spectrum = np.fft.fft2(phantom_pixels(16)[..., 0], norm="ortho")[dataset.known.numpy()]
    expected = np.stack([spectrum.real, spectrum.imag], axis=-1)
    np.testing.assert_allclose(dataset.source.targets.numpy(), expected, atol=1e-6)


def test_the_mean_is_measured_and_zero_filling_is_the_baseline():
    dataset = MRIDataset(size=32, keep=0.2)
    assert dataset.mean() == pytest.approx([phantom_pixels(32).mean()], abs=1e-6)
    filled = dataset.zero_filled().clamp(0, 1).numpy()
    error = np.square(filled - phantom_pixels(32)[..., 0]).mean()
    assert dataset.baselines()["zero-filled"]["psnr"] == pytest.approx(-10 * np.log10(error), abs=1e-4)
    assert MRIDataset(size=32, keep=1.0).baselines()["zero-filled"]["psnr"] > 100


def test_noise_has_its_standard_deviation():
    clean, noisy = (MRIDataset(size=64, keep=0.5, noise=noise).source.targets for noise in (0.0, 0.05))
    assert (noisy - clean).std().item() == pytest.approx(0.05, rel=0.05)


def test_a_crop_of_a_volume_keeps_its_place(tmp_path):
    path, values, affine = volume(tmp_path)
    dataset = MRIDataset(path, crop=[4, 5, 6])
    assert dataset.grid == (4, 5, 6)
    low, high = values.min(), values.max()
    torch.testing.assert_close(
        dataset.pixels.batch(torch.arange(120)).targets.view(4, 5, 6),
        torch.from_numpy((values[1:5, 1:6, 1:7].astype(np.float32) - low) / (high - low)),
    )
    np.testing.assert_allclose(np.array(dataset.record.affine)[:, 3], (affine @ [1, 1, 1, 1])[:3])
    assert set(dataset.views(lambda x: x[:, :1], 64)) == {"target", "reconstruction", "zero_filled", "error", "kspace"}


def test_a_plane_of_a_volume_is_an_image(tmp_path):
    path, values, _ = volume(tmp_path)
    dataset = MRIDataset(path, plane=2)
    assert dataset.grid == (7, 8)
    low, high = values.min(), values.max()
    shown = np.asarray(dataset.image(), np.float32) / 255
    np.testing.assert_allclose(shown, (values[2].astype(np.float32) - low) / (high - low), atol=1 / 255)


def test_measured_samples_are_fitted_by_a_complex_field(tmp_path):
    """With a phase, as coils have it; the true field explains them."""
    image = phantom_pixels(16)[..., 0] * np.exp(0.8j)
    np.savez(tmp_path / "scan.npz", kspace=30 * np.fft.fftshift(np.fft.fft2(image, norm="ortho")))
    dataset = MRIDataset(tmp_path / "scan.npz")
    assert (dataset.out_features, dataset.mean(), dataset.baselines()) == (2, None, {})
    parts = torch.from_numpy(np.stack([image.real, image.imag], -1)).float() * 30 / dataset.record.scale

    def field(x):
        return (interpolated(parts, x) + 1) / 2

    assert list(evaluate(field, dataset)) == ["kspace/rmse"]
    assert evaluate(field, dataset)["kspace/rmse"] < 1e-6
    np.testing.assert_allclose(dataset.record.reconstruct(field), 30 * image, atol=1e-4)
    views = dataset.views(field, 64)
    assert set(views) == {"reconstruction", "zero_filled", "kspace"}
    measured, fitted, difference = views["kspace"].chunk(3)
    torch.testing.assert_close(fitted, measured, atol=0.01, rtol=0)
    assert measured.max() == measured[8, 8, 0] == 1  # the frequency 0
    assert difference.max() < 0.01 < measured.mean()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mask": "spiral"}, "mask: expected one of gaussian, lines, got 'spiral'"),
        ({"keep": 0.0}, "keep: expected a fraction in"),
        ({"width": -1.0}, "width: expected a finite number above 0"),
        ({"noise": -1.0}, "noise: expected a finite number of at least 0"),
        ({"seed": -1}, r"seed: expected an integer in \[0, 2\^63\), got -1"),
        ({"path": np.zeros((16, 16))}, "path: expected an image that is not black, got one whose samples are all 0"),
        ({"size": 0}, "size: expected an integer of at least 1"),
        ({"plane": 3}, "crop, plane: expected null for an image"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        MRIDataset(**{"size": 16} | arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": [9, 5, 5]}, r"crop: expected \[depth, height, width\] of at most \[6, 7, 8\]"),
        ({"crop": [5, 5]}, "crop: expected"),
        ({"plane": 6}, r"plane: expected an integer in \[0, 6\)"),
    ],
)
def test_parts_of_a_volume_are_checked(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        MRIDataset(volume(tmp_path)[0], **arguments)


SMALL = ["logger=none", "encoder.num_frequencies=8", "model.hidden_features=16", "model.hidden_layers=1"]


def test_fits_from_the_command_line(command, tmp_path):
    code, _, err = command("fit", "dataset=mri", "dataset.size=16", *SMALL, "trainer.max_steps=60", "hydra.run.dir=run")
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert list(metrics["higher_is_better"]) == ["psnr", "kspace/rmse"]
    assert metrics["psnr"] > 12
    with Image.open(tmp_path / "run" / "reconstruction.png") as image:
        assert (image.mode, image.size) == ("L", (16, 16))


def test_measured_samples_and_volumes_fit_from_the_command_line(command, tmp_path):
    image = np.fft.fftshift(np.fft.fft2(phantom_pixels(16)[..., 0], norm="ortho"))
    np.savez(tmp_path / "scan.npz", kspace=image)
    small = ["dataset=mri", *SMALL, "trainer.max_steps=5"]
    assert command("fit", *small, "dataset.path=scan.npz", "hydra.run.dir=scan")[0] == 0
    assert np.load(tmp_path / "scan" / "reconstruction.npy").shape == (16, 16)
    volume(tmp_path)
    code, _, err = command("fit", *small, "dataset.path=head.nii.gz", "dataset.crop=[4,4,4]", "hydra.run.dir=head")
    assert code == 0, err
    assert (tmp_path / "head" / "reconstruction.nii.gz").exists()
    assert command("evaluate", "checkpoint=head")[0] == 0
