"""Images beyond 8 bits and with alpha: what is fitted, scored, and written back."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn.functional import grid_sample

from ffnet.datasets import ImageDataset
from ffnet.fitting import RelativeMSELoss, evaluate
from ffnet.signals import ImageRecord
from tests.conftest import SMALL

OpenEXR = pytest.importorskip("OpenEXR")
imagecodecs = pytest.importorskip("imagecodecs")


def sky(height: int = 12, width: int = 20) -> np.ndarray:
    """From 0.001 to 10,000."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    return np.stack([10 ** (7 * x - 3), 10 ** (5 * y - 3), 0.5 + x * y], -1).astype(np.float32)


def interpolated(dataset: ImageDataset):
    """A field that interpolates the fitted values bilinearly."""
    source = dataset.fitted
    values = source.batch(torch.arange(source.size)).targets.view(*source.grid, -1).movedim(-1, 0)[None]

    def field(x):
        grid = (2 * x - 1).view(1, 1, -1, 2)
        return grid_sample(values, grid, padding_mode="border", align_corners=False)[0, :, 0].T

    return field


def exr(path) -> np.ndarray:
    with OpenEXR.File(str(path)) as file:
        return next(iter(file.channels().values())).pixels


def test_a_field_that_knows_an_image_of_high_range_is_written_as_that_image(tmp_path):
    np.save(tmp_path / "sky.npy", sky())
    with OpenEXR.File({"type": OpenEXR.scanlineimage}, {"RGB": sky()}) as file:
        file.write(str(tmp_path / "sky.exr"))
    for name in ("sky.npy", "sky.exr"):
        dataset = ImageDataset(tmp_path / name)
        assert dataset.record.transfer == "log"
        written = dataset.record.write(interpolated(dataset), tmp_path)
        again = np.load(written) if name.endswith("npy") else exr(written)
        np.testing.assert_allclose(again, sky(), rtol=1e-3, atol=1e-5)
        with Image.open(tmp_path / "views.png") as views:
            assert views.size == (20, 12)


def test_scores_of_high_range_are_those_of_logarithms(tmp_path):
    dataset = ImageDataset(sky())
    wrong = interpolated(dataset)
    scores = evaluate(lambda x: wrong(x) + 0.01, dataset)
    assert scores == {"log_psnr": pytest.approx(40, abs=1e-3)}
    targets = dataset.fitted.batch(torch.arange(240)).targets.numpy().reshape(12, 20, 3)
    record = dataset.record
    np.testing.assert_allclose(
        targets, np.log1p(sky() / record.scale) / math.log1p(sky().max() / record.scale), atol=1e-6
    )
    assert record.peak == sky().max()
    assert dataset.resolved()["transfer"] == "log"


def test_values_as_they_are_are_scored_in_logarithms_too():
    logarithms = evaluate(interpolated(ImageDataset(sky())), ImageDataset(sky()))
    dataset = ImageDataset(sky(), transfer="none")
    values = interpolated(dataset)
    found = evaluate(lambda x: 1.1 * values(x), dataset)
    scale, peak = dataset.record.scale, dataset.record.peak
    error = (np.log1p(1.1 * sky() / scale) - np.log1p(sky() / scale)) / math.log1p(peak / scale)
    assert found == {"log_psnr": pytest.approx(-10 * math.log10(np.square(error).mean()), abs=1e-3)}
    assert logarithms["log_psnr"] > 80
    assert np.abs(dataset.record.reconstruct(values) / sky() - 1).max() < 1e-4


def test_the_relative_loss_weighs_all_magnitudes_alike():
    loss = RelativeMSELoss(epsilon=0.0)
    targets = torch.tensor([0.01, 1.0, 1e4])
    each = [loss(1.1 * value, value).item() for value in targets]
    assert each == pytest.approx(3 * [(0.1 / 1.1) ** 2], rel=1e-4)
    prediction = torch.tensor([2.0], requires_grad=True)
    RelativeMSELoss(epsilon=0.01)(prediction, torch.tensor([1.0])).backward()
    assert prediction.grad.item() == pytest.approx(2 * (2 - 1) / (2**2 + 0.01))  # the denominator is a constant


def test_linear_light_is_fitted_and_written_as_srgb(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    dataset = ImageDataset(pixels, transfer="linear")
    v = pixels / 255
    light = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    np.testing.assert_allclose(dataset.pixels.numpy(), light, atol=1e-6)
    np.testing.assert_array_equal(np.asarray(dataset.record.reconstruct(interpolated(dataset))), pixels)
    field = interpolated(dataset)
    scores = evaluate(lambda x: field(x) + 0.01, dataset)
    assert scores["linear_psnr"] == pytest.approx(40, abs=1e-3)
    plain = np.asarray(dataset.record.reconstruct(lambda x: field(x) + 0.01)) / 255
    assert scores["psnr"] == pytest.approx(-10 * math.log10(np.square(plain - v).mean()), abs=0.3)


def cut_out(hidden: int) -> np.ndarray:
    """A red disc; transparent pixels have the colour ``hidden``."""
    y, x = np.mgrid[:16, :16] - 7.5
    inside = x**2 + y**2 < 30
    image = np.full((16, 16, 4), hidden, np.uint8)
    image[..., 3] = 255 * inside
    image[inside, :3] = (200, 0, 0)
    return image


@pytest.mark.parametrize("hidden", [0, 255])
def test_a_cut_out_has_no_fringe_at_any_size(hidden):
    """Over a background of its own colour a disc is invisible, however its edge was interpolated."""
    fringes = {}
    for alpha in ("premultiplied", "straight"):
        dataset = ImageDataset(cut_out(hidden), alpha=alpha)
        pixels = dataset.record.render(interpolated(dataset), (64, 64)) / 255
        over = pixels[..., :3] * pixels[..., 3:] + np.array([200, 0, 0]) / 255 * (1 - pixels[..., 3:])
        fringes[alpha] = np.abs(over - np.array([200, 0, 0]) / 255).max()
    assert fringes["premultiplied"] < 1.5 / 255
    assert fringes["straight"] > 0.1  # the test can fail


def test_colours_of_transparent_pixels_are_neither_fitted_nor_scored():
    black, white = (ImageDataset(cut_out(hidden), alpha="premultiplied") for hidden in (0, 255))
    assert torch.equal(black.pixels, white.pixels)
    assert evaluate(interpolated(black), white)["psnr"] > 100


def test_images_without_alpha_are_what_they_were():
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 3), dtype=np.uint8)
    for options in ({}, {"alpha": "premultiplied", "transfer": "none"}):
        dataset = ImageDataset(pixels, **options)
        assert dataset.pixels.dtype == torch.uint8
        assert dataset.record.coding.plain
        assert [type(m).__name__ for m in dataset.metrics.values()] == ["PSNR"]


def test_a_fitted_ramp_of_sixteen_bits_is_not_quantised(command, tmp_path):
    ramp = np.linspace(20000, 22000, 600).astype(np.uint16)[None, :, None].repeat(4, 0).repeat(3, 2)
    (tmp_path / "ramp.png").write_bytes(imagecodecs.png_encode(np.ascontiguousarray(ramp)))
    flat = ("encoder=identity", "model.hidden_features=16", "model.output_activation=null", "precision=32-true")
    options = [value for value in SMALL if not value.startswith(("dataset.size", "encoder", "model.hidden_features"))]
    longer = ("trainer.max_steps=60", "optimizer.lr=3e-3", "~callbacks.views", "hydra.run.dir=run")
    assert command("fit", "dataset.path=ramp.png", *options, *flat, *longer)[0] == 0
    written = imagecodecs.png_decode((tmp_path / "run" / "reconstruction.png").read_bytes())
    assert (written.dtype, written.shape) == (np.uint16, (4, 600, 3))
    assert len(np.unique(written[0, :, 0])) > 100  # of 8 bits, the ramp has 8 values
    assert "psnr" in json.loads((tmp_path / "run" / "metrics.json").read_text())


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"transfer": "gamma"}, "transfer: expected auto, none, linear, log, symlog, got 'gamma'"),
        ({"alpha": "none"}, "alpha: expected one of straight, premultiplied, got 'none'"),
        ({"metadata": 1}, "metadata: expected true or false, got 1"),
        ({"transfer": "none", "enlarge": 2}, r"enlarge: expected null for values beyond \[0, 1\]"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        ImageDataset(sky(), **settings)


def test_a_logarithm_of_negative_values_is_refused():
    with pytest.raises(ValueError, match="transfer: expected symlog for values from -1 to 1, got log"):
        ImageDataset(np.array([[-1.0, 1.0]]), transfer="log")


def test_bad_files_end_the_command_with_one_line(command, tmp_path):
    np.save(tmp_path / "nan.npy", np.full((4, 4, 3), np.nan, np.float32))
    (tmp_path / "cut.exr").write_bytes(b"v/1\x01" + bytes(60))
    for name in ("nan.npy", "cut.exr"):
        code, _, error = command("fit", f"dataset.path={name}", *SMALL, "hydra.run.dir=run")
        assert code == 2
        assert name in error
        assert len(error.strip().splitlines()) == 1
        assert not (tmp_path / "run").exists()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    "change",
    [
        {"bits": 32},
        {"bits": 8, "floating": True},
        {"transfer": "gamma"},
        {"scale": 0.0},
        {"peak": float("nan")},
        {"suffix": ".sh"},
        {"suffix": "/../a.png"},
        {"icc": "%"},
        {"exif": "A" * 100_000},
        {"exif": 3},
    ],
    ids=str,
)
def test_a_record_that_a_checkpoint_makes_up_is_refused(change):
    with pytest.raises(
        ValueError, match=r"bits at|transfer: expected|scale, peak: expected|base64|Only|Incorrect|padd"
    ):
        ImageRecord((4, 5), 3, **change)
