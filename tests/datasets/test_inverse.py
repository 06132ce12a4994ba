"""Inverse problems of images: trained on measurements, scored on pixels."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter

from ffnet.datasets import InverseDataset
from ffnet.datasets.inverse import interpolated
from ffnet.fitting import evaluate
from ffnet.fitting.evaluation import worse_than_mean
from ffnet.operators import OnGrid


@pytest.fixture
def photo(tmp_path):
    """A smooth colour image of 16 x 12 pixels with some texture."""
    rng = np.random.default_rng(0)
    pixels = gaussian_filter(rng.random((12, 16, 3)), (1.5, 1.5, 0))
    pixels = (pixels - pixels.min()) / (pixels.max() - pixels.min())
    Image.fromarray((255 * pixels).round().astype(np.uint8)).save(tmp_path / "photo.png")
    return tmp_path / "photo.png"


def pixels_of(path):
    return torch.from_numpy(np.asarray(Image.open(path)).astype(np.float32) / 255)


PROBLEMS = pytest.mark.parametrize("problem", ["inpainting", "superresolution", "deblurring", "denoising"])


@PROBLEMS
def test_the_image_itself_explains_its_measurements(photo, problem):
    dataset = InverseDataset(photo, problem=problem, noise=0.0, keep=0.5)
    truth = pixels_of(photo)
    scores = evaluate(lambda x: interpolated(truth, x), dataset)
    assert scores["psnr"] > 100
    assert scores["data/rmse"] < 1e-6
    assert ("missing/psnr" in scores) == (problem == "inpainting")


@PROBLEMS
def test_no_value_of_the_image_reaches_training(photo, problem):
    """The measurements are what SciPy and NumPy make of the image, and nothing else is in a batch."""
    truth = pixels_of(photo).numpy()
    dataset = InverseDataset(photo, problem=problem, noise=0.0, blur=1.0)
    targets = dataset.source.targets.numpy()
    if problem == "deblurring":
        blurred = gaussian_filter(truth, (1, 1, 0), mode="nearest", truncate=4)
        np.testing.assert_allclose(targets, blurred.reshape(-1, 3), atol=1e-5)
    elif problem == "superresolution":
        np.testing.assert_allclose(targets, truth.reshape(3, 4, 4, 4, 3).mean((1, 3)).reshape(-1, 3), atol=1e-6)
    elif problem == "inpainting":
        np.testing.assert_allclose(targets, truth[dataset.known.numpy()], atol=1e-6)
        assert dataset.known.sum() == round(0.1 * 192)
    else:
        np.testing.assert_allclose(targets, truth.reshape(-1, 3), atol=1e-6)


def test_denoising_has_noise_unless_told_otherwise(photo):
    noisy = InverseDataset(photo, problem="denoising").source.targets - pixels_of(photo).flatten(0, 1)
    assert noisy.std().item() == pytest.approx(0.1, rel=0.1)
    counted = InverseDataset(photo, problem="denoising", noise=0.0, counts=20.0).source.targets * 20
    torch.testing.assert_close(counted, counted.round(), atol=1e-4, rtol=0)


def test_a_mask_says_what_is_known(photo, tmp_path):
    mask = np.zeros((12, 16), np.uint8)
    mask[2:5, 3:9] = 200
    Image.fromarray(mask).save(tmp_path / "mask.png")
    dataset = InverseDataset(photo, mask=str(tmp_path / "mask.png"))
    assert dataset.source.size == 18
    np.testing.assert_array_equal(dataset.known.numpy(), mask > 0)
    shown = dataset.measurement()
    assert torch.equal(shown[dataset.known], dataset.source.targets)
    assert shown[~dataset.known].abs().max() == 0


def test_a_measured_file_is_the_measurement(photo):
    """A low-resolution photo to be enlarged: nothing is known of the image but its means over cells."""
    dataset = InverseDataset(photo, problem="superresolution", factor=3, measured=True)
    assert dataset.record.size == (36, 48)
    assert dataset.source.size == 192
    assert [evaluation.name for evaluation in dataset.evaluations] == ["data"]
    views = dataset.views(lambda x: x.new_full((len(x), 3), 0.5), 64)
    assert set(views) == {"data", "reconstruction"}
    blurred = InverseDataset(photo, problem="deblurring", measured=True)
    assert torch.equal(blurred.source.targets, pixels_of(photo).flatten(0, 1))


@PROBLEMS
def test_a_measured_colour_image_is_compared_with_its_mean(photo, problem):
    dataset = InverseDataset(photo, problem=problem, factor=2, measured=True)
    spread = dataset.source.targets.double().std(0, correction=0).square().mean().sqrt().item()
    assert worse_than_mean({"data/rmse": 1.01 * spread}, dataset)
    assert not worse_than_mean({"data/rmse": 0.99 * spread}, dataset)


def test_baselines_are_the_measurement_or_its_interpolation(photo):
    noisy = InverseDataset(photo, problem="denoising")
    assert noisy.baselines()["data"]["psnr"] == pytest.approx(20, abs=1)
    assert set(InverseDataset(photo, problem="superresolution").baselines()) == {"bilinear", "bicubic"}
    assert InverseDataset(photo).baselines() == {}


def test_any_function_of_an_image_can_be_the_instrument(photo):
    rows = OnGrid(lambda image: image.sum(-1, keepdim=True), (12, 16))
    dataset = InverseDataset(photo, operator=rows)
    torch.testing.assert_close(dataset.source.targets, pixels_of(photo).sum(1))
    assert "data" not in dataset.views(lambda x: x.new_zeros(len(x), 3), 64)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"problem": "sharpening"}, "problem: expected one of inpainting"),
        ({"keep": 0}, "keep: expected a fraction in"),
        (
            {"problem": "superresolution", "factor": 5},
            "factor: expected sides that 5 divides, got 12x16; say dataset.crop=",
        ),
        ({"measured": "maybe"}, "measured: expected true or false, got 'maybe'"),
        ({"problem": "denoising", "mask": "mask.png"}, "mask: expected null unless the problem is inpainting"),
        ({"factor": 1}, "factor: expected an integer of at least 2"),
        ({"noise": -0.1}, "noise: expected a finite number of at least 0"),
        ({"seed": -1}, r"seed: expected an integer in \[0, 2\^63\), got -1"),
        ({"seed": 1.5}, r"seed: expected an integer in \[0, 2\^63\), got 1\.5"),
        ({"seed": 2**63}, "seed: expected an integer in"),
        ({"counts": 0}, "counts: expected a finite number above 0"),
        ({"batch_size": 0}, "batch_size: expected an integer of at least 1"),
        ({"operator": OnGrid(torch.nn.Identity(), (5, 5))}, "operator.size: expected \\[12, 16\\], the image's"),
        ({"operator": OnGrid(lambda image: image / 0, (12, 16))}, "operator: expected finite measurements"),
    ],
)
def test_arguments_are_checked(photo, arguments, message):
    with pytest.raises(ValueError, match=message):
        InverseDataset(photo, **arguments)


def test_an_empty_or_odd_mask_is_refused(photo, tmp_path):
    for name, size, message in (("black", (16, 12), "is black"), ("odd", (3, 4), "expected an image of 12x16 pixels")):
        Image.new("L", size).save(tmp_path / f"{name}.png")
        with pytest.raises(ValueError, match=message):
            InverseDataset(photo, mask=str(tmp_path / f"{name}.png"))


@PROBLEMS
def test_fits_from_the_command_line(command, photo, tmp_path, problem):
    small = [
        "dataset=inverse",
        f"dataset.problem={problem}",
        "dataset.path=photo.png",
        "dataset.keep=0.5",
        "logger=none",
    ]
    small += ["encoder.num_frequencies=8", "model.hidden_features=16", "model.hidden_layers=1", "trainer.max_steps=20"]
    code, _, err = command("fit", *small, "hydra.run.dir=run")
    assert code == 0, err
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert next(iter(metrics["higher_is_better"])) == "psnr"
    with Image.open(tmp_path / "run" / "reconstruction.png") as image:
        assert (image.mode, image.size) == ("RGB", (16, 12))
