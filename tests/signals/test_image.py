"""Images in memory, and what a field becomes again."""

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import ImageDataset
from ffnet.signals import ImageRecord, ImageSignal

RANDOM = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)


def test_a_field_fitted_at_pixel_corners_is_rendered_in_place():
    """Fitted at i / n, a field knows pixel i under i / n: the shift leads from centres to there."""
    record = ImageRecord((4, 8), 1, offset=0.0, mode="L")
    known = (torch.arange(8) / 8).tolist()
    seen = []

    def field(x):
        seen.extend(x[:8, 0].tolist())
        return x[:, :1]

    record.render(field)
    assert seen[:8] == pytest.approx(known)


def test_a_reconstruction_has_the_mode_and_size_of_the_signal(tmp_path):
    record = ImageRecord((5, 4), 1, 16, 0.5, "I;16")
    path = record.write(lambda x: x[:, :1], tmp_path)
    with Image.open(path) as written:
        assert written.mode == "I;16"
        assert written.size == (4, 5)
        np.testing.assert_allclose(np.asarray(written)[0], (np.arange(4) + 0.5) / 4 * 65535, atol=1)
        held = record.reconstruct(lambda x: x[:, :1])
        assert held.mode == "I;16"
        np.testing.assert_array_equal(np.asarray(held), np.asarray(written))


def test_what_cannot_be_written_is_refused_before_the_work(tmp_path):
    rgba = ImageRecord((2, 2), 4, mode="RGBA")
    rgba.check_writable(tmp_path / "a.png", (9, 7))
    assert not list(tmp_path.iterdir())
    with pytest.raises(ValueError, match="JPEG cannot hold an image of mode RGBA"):
        rgba.check_writable(tmp_path / "a.jpg", (9, 7))
    with pytest.raises(ValueError, match="expected an image's name"):
        rgba.check_writable(tmp_path / "a.doc", (9, 7))
    with pytest.raises(FileNotFoundError, match="is not a directory"):
        rgba.check_writable(tmp_path / "missing" / "a.png", (9, 7))


def test_an_image_that_cannot_be_saved_leaves_the_old_one(tmp_path):
    grey = ImageRecord((2, 2), 1, mode="L")
    grey.save(np.zeros((2, 2, 1), np.uint8), tmp_path / "a.png")
    before = (tmp_path / "a.png").read_bytes()
    with pytest.raises((ValueError, TypeError, SystemError)):
        grey.save(np.zeros((0, 0, 1), np.uint8), tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


GREY = RANDOM[..., 0].astype(np.uint16) * 257
COLOUR = Image.fromarray(RANDOM[..., :3])
# An image in memory, and the Pillow image whose lossless file it is compared with.
HELD = {
    "Pillow RGB": lambda: (COLOUR, COLOUR),
    "Pillow 1": lambda: (COLOUR.convert("1"), COLOUR.convert("1")),
    "Pillow P": lambda: (COLOUR.quantize(8), COLOUR.quantize(8)),
    "Pillow I;16": lambda: (Image.fromarray(GREY), Image.fromarray(GREY)),
    "uint8 RGB": lambda: (RANDOM[..., :3], COLOUR),
    "uint8 RGBA": lambda: (RANDOM, Image.fromarray(RANDOM)),
    "uint8 grey": lambda: (RANDOM[..., 0], Image.fromarray(RANDOM[..., 0])),
    "uint8 one channel": lambda: (RANDOM[..., :1], Image.fromarray(RANDOM[..., 0])),
    "uint16 grey": lambda: (GREY, Image.fromarray(GREY)),
    "tensor": lambda: (torch.tensor(RANDOM[..., :3]), COLOUR),
    "view": lambda: (RANDOM[::-1, :, :3].copy()[::-1], COLOUR),
}


@pytest.mark.parametrize("arguments", [{}, {"crop": [5, 4]}, {"size": 6}], ids=str)
@pytest.mark.parametrize("kind", HELD)
def test_an_image_in_memory_has_the_pixels_and_the_record_of_the_file(tmp_path, kind, arguments):
    image, original = HELD[kind]()
    original.save(tmp_path / "a.png")
    filed, signal = ImageSignal(tmp_path / "a.png", **arguments), ImageSignal(image, **arguments)
    assert signal.pixels.dtype == filed.pixels.dtype
    assert torch.equal(signal.pixels, filed.pixels)
    assert signal.record == filed.record


@pytest.mark.parametrize("make", [np.asarray, torch.as_tensor], ids=["array", "tensor"])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize("channels", [None, 1, 2, 3, 4])
def test_floating_point_values_stay_what_they_are(make, dtype, channels):
    values = np.random.default_rng(0).random((9, 7) if channels is None else (9, 7, channels)).astype(dtype)
    dataset = ImageDataset(make(values))
    targets = dataset.evaluations[0].source.batch(torch.arange(63)).targets
    expected = torch.tensor(values.astype(np.float32).reshape(63, -1))
    assert torch.equal(targets, expected)
    assert dataset.out_features == (channels or 1)
    assert dataset.record.mode == {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}[channels or 1]
    assert dataset.mean() == pytest.approx(expected.mean(0).tolist(), abs=1e-6)


def test_sixteen_bits_of_several_channels_survive():
    values = np.random.default_rng(0).integers(0, 65536, (9, 7, 3), dtype=np.uint16)
    pixels = ImageSignal(values).pixels
    np.testing.assert_array_equal(pixels.numpy(), values)


def test_tensors_may_have_gradients_and_types_that_numpy_has_not():
    values = torch.rand(9, 7, 3, requires_grad=True)
    assert torch.equal(ImageSignal(values).pixels, values.detach())
    assert torch.equal(ImageSignal(values.bfloat16()).pixels, values.detach().bfloat16().float())


def test_pixels_of_an_array_are_copied():
    for values in (RANDOM.copy(), np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)):
        pixels = ImageSignal(values).pixels
        before = pixels.clone()
        values[:] = 0
        assert torch.equal(pixels, before)


def test_an_image_in_memory_is_not_changed():
    image = Image.fromarray(RANDOM[..., :3])
    image.info["comment"] = "mine"
    ImageSignal(image)
    assert image.info == {"comment": "mine"}


def test_exif_orientation_of_an_image_in_memory_is_applied(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(RANDOM[..., :3]).save(tmp_path / "a.png", exif=exif)
    with Image.open(tmp_path / "a.png") as opened:
        assert torch.equal(ImageSignal(opened).pixels, ImageSignal(tmp_path / "a.png").pixels)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("image", "message"),
    [
        (3, "image: expected a path, a Pillow image, an array or a tensor, got int"),
        ([[0.0]], "got list"),
        (np.zeros((3, 3, 5)), r"image: expected shape \(height, width\) or \(height, width, 1 to 4\), got \(3, 3, 5\)"),
        (np.zeros((1, 3, 3, 3)), r"got \(1, 3, 3, 3\)"),
        (np.zeros(3), r"got \(3,\)"),
        (np.zeros((0, 3, 3)), r"got \(0, 3, 3\)"),
        (np.zeros((3, 3, 0)), r"got \(3, 3, 0\)"),
        (np.zeros((3, 3), int), "image: expected uint8, uint16 or floating-point values, got int64"),
        (np.zeros((3, 3), bool), "got bool"),
        (np.zeros((3, 3), complex), "got complex128"),
        (np.full((3, 3), 1.01), r"image: expected values in \[0, 1\], got 1.01 to 1.01"),
        (np.full((3, 3), -0.5), "got -0.5 to -0.5"),
        (np.full((3, 3), np.nan), "image: expected finite values, found NaN or infinity"),
        (np.array([[0.0, np.inf]]), "found NaN or infinity"),
        (np.full((3, 3), 1e300), "found NaN or infinity"),
        (Image.fromarray(np.full((4, 4), 70000, np.int32)), "image: has grey values outside 0 ... 65535"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_image_is_refused(image, message):
    with pytest.raises(ValueError, match=message):
        ImageSignal(image)


def test_floating_point_values_are_cropped_and_resized_as_pillow_does_each_channel():
    values = np.random.default_rng(0).random((9, 7, 3)).astype(np.float32)
    pixels = ImageSignal(values, crop=[7, 5], size=[4, 6]).pixels.numpy()
    for channel in range(3):
        whole = Image.fromarray(np.ascontiguousarray(values[1:8, 1:6, channel]))
        expected = np.asarray(whole.resize((6, 4), Image.Resampling.LANCZOS))
        np.testing.assert_allclose(pixels[..., channel], expected, atol=1e-6)


@pytest.mark.parametrize("value", [2.0, -0.1, float("nan")])
def test_an_offset_lies_in_the_cell(value):
    with pytest.raises(ValueError, match=r"offset: expected a number in \[0, 1\]"):
        ImageSignal(RANDOM, offset=value)
