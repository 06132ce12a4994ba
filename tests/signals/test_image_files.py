"""Every mode in, and the same mode out."""

import numpy as np
import pytest
import torch
from PIL import Image, features

from ffnet.datasets import ImageDataset
from ffnet.signals.image_files import display, natural_suffix, read_image, resized, to_array, to_image

RANDOM = np.random.default_rng(0).integers(0, 256, (9, 7, 4), dtype=np.uint8)


def image(mode: str) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(RANDOM[..., 0].astype(np.uint16) * 257)
    if mode == "1":
        return Image.fromarray(RANDOM[..., 0]).convert("1")
    if mode == "P":
        return Image.fromarray(RANDOM[..., :3]).quantize(8)
    if mode == "LA":
        return Image.fromarray(RANDOM).convert("LA")
    if mode == "CMYK":
        return Image.frombytes("CMYK", (7, 9), RANDOM.tobytes())
    return Image.fromarray(RANDOM).convert(mode)


@pytest.mark.parametrize(
    ("mode", "suffix", "channels"),
    [
        ("1", ".png", 1),
        ("L", ".png", 1),
        ("LA", ".png", 2),
        ("I;16", ".png", 1),
        ("P", ".png", 3),
        ("RGB", ".png", 3),
        ("RGBA", ".png", 4),
        ("CMYK", ".tif", 4),
        ("RGB", ".bmp", 3),
        ("RGB", ".webp", 3),
    ],
)
def test_what_is_read_can_be_written_in_the_same_mode_with_the_same_pixels(tmp_path, mode, suffix, channels):
    original = image(mode)
    original.save(tmp_path / f"in{suffix}", **({"lossless": True} if suffix == ".webp" else {}))
    read = read_image(tmp_path / f"in{suffix}")
    pixels = to_array(read)
    assert pixels.shape == (9, 7, channels)
    again = to_image(pixels, **read.info["ffnet"])
    again.save(tmp_path / f"out{natural_suffix(read.info['ffnet']['mode'])}")
    with Image.open(tmp_path / f"out{natural_suffix(read.info['ffnet']['mode'])}") as written:
        assert written.mode == original.mode
        compared = "RGB" if mode == "P" else mode  # a palette may be stored in another order
        np.testing.assert_array_equal(np.asarray(written.convert(compared)), np.asarray(original.convert(compared)))


def test_sixteen_bits_survive(tmp_path):
    values = np.arange(63, dtype=np.uint16).reshape(9, 7) * 1000
    Image.fromarray(values).save(tmp_path / "deep.png")
    dataset = ImageDataset(tmp_path / "deep.png")
    np.testing.assert_array_equal(dataset.pixels[..., 0].numpy(), values)
    batch = dataset.evaluations[0].source.batch(torch.arange(63))
    np.testing.assert_allclose(batch.targets.numpy().reshape(9, 7), values / 65535, atol=1e-7)


def test_sixteen_bits_are_resized_smoothly(tmp_path):
    ramp = np.linspace(0, 65535, 64).astype(np.uint16)[None].repeat(64, 0)
    Image.fromarray(ramp).save(tmp_path / "ramp.png")
    pixels = ImageDataset(tmp_path / "ramp.png", size=16).pixels[..., 0].to(int).numpy()
    np.testing.assert_allclose(pixels[8, 2:-2], ramp.reshape(64, 16, 4)[8, 2:-2].mean(-1), atol=1500)


def test_transparent_palettes_become_rgba(tmp_path):
    indexed = image("P")
    indexed.save(tmp_path / "in.png", transparency=0)
    read = read_image(tmp_path / "in.png")
    assert read.mode == "RGBA"
    assert to_image(to_array(read), **read.info["ffnet"]).mode == "RGBA"


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path, orientation):
    upright = Image.new("L", (40, 24))
    upright.paste(255, (0, 0, 8, 8))  # a mark in the upper left corner
    undo = {
        1: None,
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }[orientation]
    stored = upright if undo is None else upright.transpose(undo)
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored.save(tmp_path / "turned.jpg", exif=exif, quality=100)
    read = to_array(read_image(tmp_path / "turned.jpg"))
    assert read.shape == (24, 40, 1)
    assert read[2:6, 2:6].min() > 200
    assert read[:, 20:].max() < 50


def test_animations_give_their_first_frame(tmp_path):
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    frames[0].save(tmp_path / "two.gif", save_all=True, append_images=frames[1:])
    assert to_array(read_image(tmp_path / "two.gif"))[0, 0].tolist() == [255, 0, 0]


def test_other_colour_spaces_become_rgb(tmp_path):
    Image.new("LAB", (8, 8)).save(tmp_path / "lab.tif")
    assert read_image(tmp_path / "lab.tif").mode == "RGB"


def test_floating_point_images_are_refused(tmp_path):
    Image.fromarray(np.ones((4, 4), np.float32)).save(tmp_path / "float.tif")
    with pytest.raises(ValueError, match="floating-point"):
        read_image(tmp_path / "float.tif")


def test_wide_integers_are_taken_as_16_bit_if_they_fit(tmp_path):
    for top, message in ((65535, None), (70000, "outside 0 ... 65535")):
        Image.fromarray(np.full((4, 4), top, np.int32)).save(tmp_path / "wide.tif")
        if message is None:
            assert to_array(read_image(tmp_path / "wide.tif")).max() == 65535
        else:
            with pytest.raises(ValueError, match=message):
                read_image(tmp_path / "wide.tif")


def test_the_pixel_limit_is_exact_and_is_put_back(tmp_path):
    before = Image.MAX_IMAGE_PIXELS
    Image.new("L", (100, 100)).save(tmp_path / "large.png")
    read_image(tmp_path / "large.png", max_pixels=10_000)
    with pytest.raises(ValueError, match=r"more than 9999 pixels; raise dataset\.max_pixels"):
        read_image(tmp_path / "large.png", max_pixels=9_999)
    assert before == Image.MAX_IMAGE_PIXELS


def test_images_are_shown_on_white():
    transparent = torch.tensor([[[0.0, 0.0, 0.0, 0.0]]])
    assert display(transparent, "RGBA").tolist() == [[[1, 1, 1]]]
    no_ink, black = torch.zeros(1, 1, 4), torch.tensor([[[0.0, 0.0, 0.0, 1.0]]])
    assert display(no_ink, "CMYK").tolist() == [[[1, 1, 1]]]
    assert display(black, "CMYK").tolist() == [[[0, 0, 0]]]
    assert display(torch.full((1, 1, 1), 0.5), "L").tolist() == [[[0.5, 0.5, 0.5]]]


def test_every_real_image_opens(shared):
    names = sorted((shared / "data" / "images" / "skimage").iterdir())
    assert len(names) >= 9
    for name in names:
        assert to_array(read_image(name)).min() >= 0


@pytest.mark.parametrize(
    ("own", "size", "expected"),
    [
        ((300, 400), 100, (75, 100)),
        ((400, 300), 100, (100, 75)),
        ((1, 1000), 10, (1, 10)),
        ((300, 400), [100, 100], (100, 100)),
    ],
)
def test_one_number_is_the_longer_side(own, size, expected):
    image = Image.new("RGB", own[::-1])
    assert resized(image, size).size == expected[::-1]


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif", "avif"])
@pytest.mark.parametrize("count", [1, 3])
def test_the_first_frame_of_an_animation_is_read_and_the_number_of_frames_noted(tmp_path, suffix, count):
    if suffix == "avif" and not features.check("avif"):
        pytest.skip("this Pillow has no AVIF")
    frames = [Image.new("RGB", (16, 16), (40 + 90 * number, 0, 0)) for number in range(count)]
    path = tmp_path / f"moving.{suffix}"
    frames[0].save(path, **({"save_all": True, "append_images": frames[1:]} if count > 1 else {}))
    read = read_image(path)
    assert read.info["frames"] == count
    assert abs(to_array(read)[0, 0, 0].astype(int) - 40) < 8


def test_damage_in_a_later_frame_leaves_the_first(tmp_path):
    frames = [Image.fromarray(RANDOM[..., :3]).rotate(angle) for angle in (0, 90, 180)]
    frames[0].save(tmp_path / "whole.gif", save_all=True, append_images=frames[1:])
    whole = (tmp_path / "whole.gif").read_bytes()
    (tmp_path / "cut.gif").write_bytes(whole[: len(whole) * 9 // 10])
    first, cut = (read_image(tmp_path / f"{name}.gif") for name in ("whole", "cut"))
    assert first.info["frames"] == 3
    assert np.array_equal(to_array(first), to_array(cut))
