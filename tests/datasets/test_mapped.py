"""Images that stay on disk: what is read, drawn, scored, and written in bands."""

import json
import math
import pickle
import re
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import ImageDataset, MappedImageDataset
from ffnet.datasets.block_pool import BlockPool
from ffnet.fitting import evaluate
from ffnet.signals import ImageRecord, image_record
from ffnet.signals.mapped import Rectangle, open_mapped

tifffile = pytest.importorskip("tifffile")
zarr = pytest.importorskip("zarr")
pytest.importorskip("imagecodecs")

PIXELS = np.random.default_rng(0).integers(0, 256, (70, 90, 3), dtype=np.uint8)
WRITERS = {
    "npy": lambda path: np.save(path / "a.npy", PIXELS),
    "fortran.npy": lambda path: np.save(path / "a.npy", np.asfortranarray(PIXELS)),
    "tif": lambda path: tifffile.imwrite(path / "a.tif", PIXELS, photometric="rgb"),
    "tiles": lambda path: tifffile.imwrite(
        path / "a.tif", PIXELS, photometric="rgb", tile=(32, 48), compression="zlib", predictor=True, bigtiff=True
    ),
    "strips": lambda path: tifffile.imwrite(
        path / "a.tif", PIXELS, photometric="rgb", rowsperstrip=9, compression="lzw"
    ),
    "big-endian": lambda path: tifffile.imwrite(path / "a.tif", PIXELS, photometric="rgb", byteorder=">"),
    "zarr": lambda path: zarr.create_array(str(path / "a.zarr"), data=PIXELS, chunks=(32, 40, 3)),
}


def written(folder, kind):
    WRITERS[kind](folder)
    return next(folder.glob("a.*"))


@pytest.mark.parametrize("kind", WRITERS)
def test_every_part_is_that_of_the_image(tmp_path, kind):
    image = open_mapped(written(tmp_path, kind))
    assert (image.shape, image.dtype) == ((70, 90, 3), np.dtype("uint8"))
    for part in (Rectangle(0, 0, 70, 90), Rectangle(5, 7, 66, 89), Rectangle(69, 89, 70, 90)):
        np.testing.assert_array_equal(image.read(part), PIXELS[part.top : part.bottom, part.left : part.right])
    rows, columns = image.windows()
    covered = np.zeros((70, 90), int)
    for number in range(len(rows) * len(columns)):
        part = image.rectangle(number)
        covered[part.top : part.bottom, part.left : part.right] += 1
    assert (covered == 1).all()


@pytest.mark.parametrize("dtype", ["uint16", ">u2", "float32", "float64"])
def test_types_and_byte_orders_are_read(tmp_path, dtype):
    pixels = (PIXELS[..., 0] * np.int64(257)).astype(dtype)
    np.save(tmp_path / "a.npy", pixels)
    found = open_mapped(tmp_path / "a.npy").read(Rectangle(0, 0, 70, 90))
    np.testing.assert_array_equal(found[..., 0], pixels)
    assert found.dtype.isnative


def small_windows(image, window=(8, 8)):
    image.window = window
    return image


def test_every_pixel_is_drawn_with_the_same_probability(tmp_path):
    """Windows at the borders are smaller. Counts are binomial: a chi-squared statistic of mean n and variance 2 n."""
    np.save(tmp_path / "a.npy", PIXELS[:21, :19])
    counts = np.zeros((21, 19))
    for seed in range(60):
        pool = BlockPool(small_windows(open_mapped(tmp_path / "a.npy")), seed)
        pool.slots, pool.places = 4, torch.zeros(4, 4, dtype=torch.int64)
        generator = torch.Generator().manual_seed(seed)
        for _ in range(12):
            pixels, row, column = pool.draw(100, generator)
            np.testing.assert_array_equal(pixels, PIXELS[row, column])
            np.add.at(counts, (row.numpy(), column.numpy()), 1)
    whole, borders = counts[:16, :16].mean(), np.concatenate([counts[16:].ravel(), counts[:16, 16:].ravel()]).mean()
    total = 60 * 12 * 100 / counts.size
    assert whole == pytest.approx(total, rel=0.03)
    assert borders == pytest.approx(total, rel=0.06)


def test_the_pool_moves_on_by_as_many_pixels_as_are_drawn(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS[:64, :64])
    pool = BlockPool(small_windows(open_mapped(tmp_path / "a.npy")))
    pool.slots, pool.places = 16, torch.zeros(16, 4, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    seen = set()
    for number in range(64):
        pool.draw(64, generator)
        assert pool.filled == range(number, number + 16)
        seen |= {tuple(place) for place in pool.places[:, :2].tolist()}
    assert len(seen) == 64  # in 64 draws of a window's pixels, all of 64 windows


def test_a_pool_that_goes_on_draws_what_it_would_have_drawn(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    one, other = (BlockPool(small_windows(open_mapped(tmp_path / "a.npy"))) for _ in range(2))
    for pool in (one, other):
        pool.slots, pool.places = 5, torch.zeros(5, 4, dtype=torch.int64)
    generator = torch.Generator().manual_seed(0)
    for _ in range(7):
        one.draw(50, generator)
    other.drawn = one.drawn
    state = generator.get_state()
    expected = one.draw(50, generator)
    generator.set_state(state)
    for mine, theirs in zip(other.draw(50, generator), expected, strict=True):
        assert torch.equal(mine, theirs)


def test_a_sample_estimates_the_score_of_all_pixels(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    field = lambda x: torch.full((len(x), 3), 0.4)  # noqa: E731
    exact = -10 * math.log10(np.square(PIXELS / 255 - 0.4).mean())
    whole, sample = (MappedImageDataset(tmp_path / "a.npy", scored=count) for count in (None, 4000))
    assert evaluate(field, whole)["psnr"] == pytest.approx(exact, abs=1e-4)
    assert sample.scored.size >= 4000
    assert evaluate(field, sample)["psnr"] == pytest.approx(exact, abs=0.1)
    assert sample.mean() == pytest.approx((PIXELS / 255).mean((0, 1)).tolist(), abs=0.02)


def test_the_queries_are_those_of_the_image_in_memory(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    mapped, held = MappedImageDataset(tmp_path / "a.npy"), ImageDataset(PIXELS)
    index = torch.tensor([0, 5, 89, 90, 3000, 6299])
    for mine, theirs in zip(mapped.regular.batch(index)[:2], held.regular.batch(index)[:2], strict=True):
        assert torch.equal(mine, theirs)
    drawn = mapped.sample(torch.Generator().manual_seed(0))
    column, row = (drawn.queries * torch.tensor([90, 70])).long().unbind(1)
    assert torch.equal(drawn.targets, torch.from_numpy(PIXELS / np.float32(255))[row, column])
    views = mapped.views(lambda x: x[:, [0, 1, 1]], 20)
    np.testing.assert_allclose(views["target"], PIXELS[25:45, 35:55] / 255, atol=1e-6)


def test_values_of_high_range_are_read_once_for_their_range(tmp_path):
    bright = np.random.default_rng(0).lognormal(0, 3, (40, 30)).astype(np.float32)
    np.save(tmp_path / "a.npy", bright)
    record, held = MappedImageDataset(tmp_path / "a.npy").record, ImageDataset(bright).record
    assert (record.transfer, record.peak) == ("log", bright.max())
    assert record.scale == pytest.approx(held.scale, rel=1e-6)


@pytest.mark.parametrize("suffix", ["tif", "npy"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_bands_are_written_as_the_whole_image_is(tmp_path, monkeypatch, suffix, channels):
    mode = {1: "L", 3: "RGB", 4: "RGBA"}[channels]
    record = ImageRecord((300, 520), channels, mode=mode)
    field = lambda x: torch.stack([x[:, 0], x[:, 1], x[:, 0] * x[:, 1], x[:, 0]], -1)[:, :channels]  # noqa: E731
    whole = record.render(field)
    monkeypatch.setattr(image_record, "AT_ONCE", 1000)
    path = tmp_path / f"a.{suffix}"
    record.check_writable(path, record.size)
    record.render_to(path, field, record.size)
    found = np.load(path) if suffix == "npy" else tifffile.imread(path)
    np.testing.assert_array_equal(found.reshape(whole.shape), whole)
    if suffix == "tif":
        with tifffile.TiffFile(path) as file:
            assert file.is_bigtiff
            assert file.pages[0].is_tiled
        with Image.open(path) as opened:
            np.testing.assert_array_equal(np.asarray(opened).reshape(whole.shape), whole)


def test_a_run_of_a_large_image_writes_a_view_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(image_record, "WHOLE", 1000)
    monkeypatch.setattr(image_record, "VIEW", 32)
    written = ImageRecord((128, 64), 3).write(lambda x: x[:, [0, 1, 1]], tmp_path)
    with Image.open(written) as view:
        assert (written.name, view.size) == ("reconstruction.png", (16, 32))


OPTIONS = (
    *("dataset=mapped", "dataset.path=a.tif", "dataset.batch_size=256", "dataset.scored=2000", "trainer.max_steps=20"),
    *("encoder=positional", "encoder.num_frequencies=4", "model.hidden_features=16", "model.hidden_layers=1"),
    *("trainer.accelerator=cpu", "schedule=constant"),
)


def test_a_run_is_resumed_to_the_same_bits_and_rendered(command, tmp_path):
    WRITERS["tiles"](tmp_path)
    assert command("fit", *OPTIONS, "hydra.run.dir=whole")[0] == 0
    assert command("fit", *OPTIONS, "trainer.max_steps=9", "hydra.run.dir=half")[0] == 0
    assert command("fit", "resume=half", "trainer.max_steps=20")[0] == 0
    whole, half = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True) for name in ("whole", "half")
    )
    assert whole["ffnet"]["sampler"] == half["ffnet"]["sampler"]
    for name, value in whole["state_dict"].items():
        assert torch.equal(value, half["state_dict"][name]), name
    assert command("evaluate", "whole")[0] == 0
    assert command("render", "whole", "scale=2", "output=b.tif")[0] == 0
    assert tifffile.imread(tmp_path / "b.tif").shape == (140, 180, 3)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.npy", np.zeros((2, 3, 4, 5)), r"expected shape \(height, width\)"),
        ("a.npy", np.float32(1), r"got \(\)"),
        ("a.npy", np.zeros((0, 4)), r"got \(0, 4\)"),
        ("a.npy", np.full((40, 40), np.nan), "expected finite values, found NaN or infinity"),
        ("a.npy", np.zeros((40, 40), np.int32), "expected uint8, uint16 or floating-point values, got int32"),
        ("a.npy", b"\x93NUMPY\x01\x00", "damaged image"),
        ("a.tif", b"II*\x00\x08\x00\x00\x00", "damaged image"),
        ("a.png", b"\x89PNG", "is an image, which dataset=mapped does not fit; say dataset=image"),
    ],
    ids=range(8),
)
def test_what_cannot_be_fitted_ends_the_command_with_one_line(command, tmp_path, name, content, message):
    if isinstance(content, bytes):
        (tmp_path / name).write_bytes(content)
    else:
        np.save(tmp_path / name, content)
    code, _, error = command("fit", *OPTIONS[2:], "dataset=mapped", f"dataset.path={name}", "hydra.run.dir=run")
    assert code == 2
    assert re.search(message, error)
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "run").exists()


class Malicious:
    def __reduce__(self):
        return (Path.touch, (Path("code-ran"),))


def test_codecs_of_zarr_that_run_code_are_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "a.zarr"
    zarr.create_array(str(folder), data=PIXELS, chunks=(70, 90, 3), zarr_format=2, filters=None, compressors=None)
    settings = json.loads((folder / ".zarray").read_text())
    (folder / "0.0.0").write_bytes(pickle.dumps(Malicious()))
    for key, value in (("filters", [{"id": "pickle", "protocol": 5}]), ("compressor", {"id": "pickle", "protocol": 5})):
        (folder / ".zarray").write_text(json.dumps(settings | {key: value}))
        with pytest.raises(ValueError, match=r"a\.zarr: expected codecs blosc, .*, found pickle|damaged image"):
            open_mapped(folder)
    assert not (tmp_path / "code-ran").exists()
    (folder / ".zarray").write_text(json.dumps(settings | {"compressor": {"id": "zlib", "level": 1}}))
    (folder / "0.0.0").write_bytes(zlib.compress(PIXELS.tobytes()))
    np.testing.assert_array_equal(open_mapped(folder).read(Rectangle(0, 0, 70, 90)), PIXELS)


def test_a_truncated_or_endless_file_is_refused(tmp_path):
    np.save(tmp_path / "a.npy", PIXELS)
    contents = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(contents[:-1])
    with pytest.raises(ValueError, match=r"a\.npy: damaged image"):
        open_mapped(tmp_path / "a.npy")
    header = contents[:128].replace(b"(70, 90, 3)", b"(800000, 900000, 3)")
    with (tmp_path / "b.npy").open("wb") as file:
        file.write(header[:127].ljust(127)[:127] + b"\n")
        file.truncate(2**41)
    with pytest.raises(ValueError, match=r"expected at most 8388608 pixels a side and 17179869184 in all, got 800000"):
        open_mapped(tmp_path / "b.npy")
    WRITERS["tiles"](tmp_path)
    contents = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "a.tif").write_bytes(contents[: len(contents) // 2])
    with pytest.raises(ValueError, match=r"a\.tif: damaged image"):
        open_mapped(tmp_path / "a.tif").read(Rectangle(0, 0, 70, 90))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"batch_size": 0}, "batch_size: expected at least 1 pixel, or auto, got 0"),
        ({"scored": 0}, "scored: expected at least 1 pixel, or null for all, got 0"),
        ({"alpha": "no"}, "alpha: expected one of straight, premultiplied"),
        ({"offset": 2.0}, r"offset: expected a number in \[0, 1\]"),
        ({"transfer": "gamma"}, "transfer: expected auto"),
        ({"path": None}, "path: expected a .npy or TIFF file"),
    ],
)
def test_settings_out_of_range_are_refused(tmp_path, settings, message):
    np.save(tmp_path / "a.npy", PIXELS)
    with pytest.raises(ValueError, match=message):
        MappedImageDataset(**{"path": tmp_path / "a.npy"} | settings)
