"""Tomography: trained on integrals, scored on pixels."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import CTDataset
from ffnet.fitting import evaluate
from ffnet.signals.phantom import phantom, phantom_pixels


def true_field(x):
    return torch.from_numpy(phantom(x.double().numpy())).float()[:, None]


def test_the_phantom_itself_fits_its_integrals_and_its_pixels():
    dataset = CTDataset(size=32, samples=2000)
    scores = evaluate(true_field, dataset)
    assert scores["sinogram/rmse"] < 2e-3
    # The pixels are means over their cells; their centres are not, along edges.
    expected = -10 * np.log10(np.square(phantom_pixels(32, 1) - phantom_pixels(32)).mean())
    assert scores["psnr"] == pytest.approx(expected, abs=1e-3)


def test_training_sees_lines_and_not_pixels():
    dataset = CTDataset(size=32, angles=5, batch_size=7)
    batch = dataset.sample(torch.Generator().manual_seed(0))
    assert batch.queries.shape == (7, 2)
    assert dataset.source.size == 5 * 32
    assert dataset.mean() == pytest.approx([phantom_pixels(32).mean()], abs=5e-3)


def test_an_images_integrals_are_those_of_its_interpolation(tmp_path):
    """Of a ramp along x, lines along y measure its value there; lines along x its mean."""
    ramp = np.tile(np.arange(32) * 8, (32, 1)).astype(np.uint8)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    dataset = CTDataset(tmp_path / "ramp.png", size=None, angles=2, samples=4000)
    along_y, along_x = dataset.source.targets.view(2, 32)
    torch.testing.assert_close(along_y, torch.from_numpy(ramp[0] / 255).float(), atol=2e-3, rtol=0)
    torch.testing.assert_close(along_x, torch.full((32,), ramp[0].mean() / 255).float(), atol=2e-3, rtol=0)


def test_noise_has_its_size_and_seed():
    settings = ((0, 0), (0.1, 0), (0.1, 0), (0.1, 1))
    clean, one, two, other = (CTDataset(size=32, noise=noise, seed=seed).source.targets for noise, seed in settings)
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert ((one - clean) / clean.max()).std() == pytest.approx(0.1, rel=0.1)


def test_photons_make_the_integrals_of_dense_lines_noisier():
    """The phantom's integrals are small, so photons are few: the spread follows the fewer that arrive."""
    clean, noisy = (CTDataset(size=64, counts=counts).source.targets for counts in (None, 1e4))
    error = (noisy - clean).abs()
    assert error[clean < 0.01].mean() < 0.95 * error[clean > 0.2].mean()
    assert error.max() < 0.1


def test_a_fan_sees_the_same_phantom():
    """Each of its lines is one of a parallel beam's: the integrals are those of the ellipses."""
    dataset = CTDataset(size=32, geometry="fan", angles=9, samples=2000)
    assert dataset.source.size == 9 * 32
    assert evaluate(true_field, dataset)["sinogram/rmse"] < 2e-3
    assert dataset.baselines() == {}
    assert dataset.source.targets.view(9, 32)[:, [0, -1]].max() < 0.02  # outside of the circle around the square


def test_back_projection_is_the_baseline_and_improves_with_angles():
    few, many = (CTDataset(size=64, angles=angles).baselines() for angles in (10, 90))
    assert few["filtered back-projection"]["psnr"] < many["filtered back-projection"]["psnr"] - 3


def test_a_measured_sinogram_has_no_image_to_be_scored_against(tmp_path):
    """The phantom's integrals from a file, in another unit: the fit is scaled to [0, 1]."""
    made = CTDataset(size=32, angles=12)
    integrals = made.source.targets.view(12, 32).numpy()
    np.savez(tmp_path / "scan.npz", sinogram=50 * integrals, angles=np.arange(12) * np.pi / 12)
    read = CTDataset(tmp_path / "scan.npz", size=None)
    assert read.record.size == (32, 32)
    assert [evaluation.name for evaluation in read.evaluations] == ["sinogram"]
    torch.testing.assert_close(read.source.queries, made.source.queries)
    torch.testing.assert_close(read.source.targets / read.scale, 50 * made.source.targets)
    assert 0.3 < read.back_projection().max() <= 1
    views = read.views(lambda x: x.new_full((len(x), 1), 0.2), 64)
    assert set(views) == {"reconstruction", "sinogram"}
    assert "1 is" in read.extra_repr()


def test_a_dicom_slice_is_projected(tmp_path):
    pytest.importorskip("pydicom")
    from tests.signals.test_dicom import written

    dataset = CTDataset(written(tmp_path / "a.dcm"), size=8, angles=4)
    assert dataset.record.size == (8, 8)
    assert dataset.source.targets.min() >= 0


def test_the_sinogram_is_shown_measured_fitted_and_as_their_difference():
    dataset = CTDataset(size=32, angles=8)
    shown = dataset.views(true_field, 64)["sinogram"]
    assert shown.shape[1:] == (32, 3)
    measured, fitted, difference = shown.chunk(3)
    torch.testing.assert_close(measured, fitted, atol=0.2, rtol=0)
    assert measured.max() == 1
    assert difference.mean() < 0.3


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"geometry": "cone"}, "geometry: expected one of parallel, fan, got 'cone'"),
        ({"source": 0.5}, "source: expected a distance outside of the square"),
        ({"counts": -1}, "counts: expected a finite number above 0"),
        ({"seed": -1}, r"seed: expected an integer in \[0, 2\^63\), got -1"),
        ({"path": np.zeros((8, 8))}, "path: expected an image that is not black, got one whose integrals are all 0"),
        ({"path": np.zeros((8, 8)), "counts": 100}, "path: expected an image that is not black"),
        ({"angles": 0}, "angles: expected an integer of at least 1, got 0"),
        ({"noise": -1}, "noise: expected a finite number of at least 0, got -1"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        CTDataset(**arguments)


def test_only_squares_are_taken(tmp_path):
    Image.new("L", (8, 6)).save(tmp_path / "a.png")
    with pytest.raises(ValueError, match="size: expected a square image, got 6x8"):
        CTDataset(tmp_path / "a.png", size=None)


def test_fits_from_the_command_line_and_resumes_to_the_same_bits(command, tmp_path):
    small = ["dataset=ct", "dataset.size=16", "encoder.num_frequencies=16", "model.hidden_features=16", "logger=none"]
    small += [
        "model.hidden_layers=1",
        "trainer.max_steps=30",
        "schedule=constant",
        "callbacks.checkpoints.every_n_steps=10",
    ]
    assert command("fit", *small, "hydra.run.dir=whole")[0] == 0
    assert command("fit", *small, "trainer.max_steps=17", "hydra.run.dir=parts")[0] == 0
    assert command("fit", "resume=parts", "trainer.max_steps=30")[0] == 0
    one, two = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "parts")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert metrics["higher_is_better"] == {"psnr": True, "sinogram/rmse": False}
    assert metrics["psnr"] > 12
    with Image.open(tmp_path / "whole" / "reconstruction.png") as image:
        assert (image.mode, image.size) == ("L", (16, 16))
    code, out, _ = command("evaluate", "checkpoint=whole")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(metrics["psnr"], abs=1e-9)
