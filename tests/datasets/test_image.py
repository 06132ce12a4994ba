"""The image dataset: where its points are, what it draws, and how it scores."""

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import ImageDataset
from ffnet.datasets.base import IN_MEMORY
from ffnet.fitting import evaluate
from ffnet.rendering import bands, grid_coordinates
from ffnet.sampling import FullBatch

HEIGHT, WIDTH = 6, 5


@pytest.fixture
def path(tmp_path):
    """An image whose red counts the columns, green the rows."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    Image.fromarray(np.stack([columns * 40, rows * 40, rows * 0], -1).astype(np.uint8)).save(tmp_path / "a.png")
    return tmp_path / "a.png"


def nearest(path):
    """A field that knows the image, exactly."""
    pixels = torch.tensor(np.asarray(Image.open(path))) / 255

    def field(x):
        column, row = (x[:, 0] * WIDTH).long(), (x[:, 1] * HEIGHT).long()
        return pixels[row, column]

    return field


def test_coordinates_are_pixel_centres_x_first():
    x = grid_coordinates(range(2), (2, 4)).tolist()
    assert x == [[(j + 0.5) / 4, (i + 0.5) / 2] for i in range(2) for j in range(4)]


def test_offset_zero_is_the_corner_as_in_the_paper():
    assert grid_coordinates(range(1), (4, 4), offset=0.0)[:, 0].tolist() == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("height", "width", "points"), [(7, 3, 4), (1, 100, 10), (5, 5, 1000), (10, 1, 3)])
def test_bands_cover_every_row_once(height, width, points):
    rows = [row for band in bands(height, width, points) for row in band]
    assert rows == list(range(height))


@pytest.mark.parametrize("batch_size", [None, 1000])
@pytest.mark.parametrize("split", ["all", "half"])
def test_batches_hold_the_pixels_that_lie_at_their_coordinates(path, split, batch_size):
    dataset = ImageDataset(path, split=split, batch_size=batch_size)
    batch = dataset.sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(nearest(path)(batch.queries), batch.targets)
    columns = (batch.queries[:, 0] * WIDTH - 0.5).round().int().tolist()
    rows = (batch.queries[:, 1] * HEIGHT - 0.5).round().int().tolist()
    step = 2 if split == "half" else 1
    assert set(zip(rows, columns, strict=True)) == {
        (i, j) for i in range(0, HEIGHT, step) for j in range(0, WIDTH, step)
    }


def test_random_batches_are_uniform_and_repeat_with_the_seed(path):
    dataset = ImageDataset(path, batch_size=30_000)
    one = dataset.sample(torch.Generator().manual_seed(3))
    assert torch.equal(one.queries, dataset.sample(torch.Generator().manual_seed(3)).queries)
    counts = torch.unique(one.queries, dim=0, return_counts=True)[1].double()
    # Chi-square with 29 degrees of freedom; 99.99 % lie below 66.
    assert ((counts - 1000).square() / 1000).sum() < 66


@pytest.mark.parametrize("points", [1, 7, 1000])
@pytest.mark.parametrize("split", ["all", "half"])
def test_evaluation_visits_every_pixel_once(path, split, points):
    dataset = ImageDataset(path, split=split)
    chunks = [
        evaluation.source.batch(torch.arange(start, min(start + points, evaluation.source.size)))
        for evaluation in dataset.evaluations
        for start in range(0, evaluation.source.size, points)
    ]
    coordinates = torch.cat([batch.queries for batch in chunks])
    targets = torch.cat([batch.targets for batch in chunks])
    assert len(coordinates) == HEIGHT * WIDTH
    row_by_row = coordinates[(coordinates[:, 1] * 1000 + coordinates[:, 0]).argsort()]
    assert torch.equal(row_by_row, grid_coordinates(range(HEIGHT), (HEIGHT, WIDTH)))
    torch.testing.assert_close(nearest(path)(coordinates), targets)


def test_half_scores_the_papers_pixels_the_rest_and_the_training_pixels_apart(path):
    dataset = ImageDataset(path, split="half")
    error = {"psnr": 0.1, "rest/psnr": 0.2, "train/psnr": 0.3}

    def field(x):
        row, column = (x[:, 1] * HEIGHT).long(), (x[:, 0] * WIDTH).long()
        odd = (row % 2) + (column % 2)
        size = torch.where(odd == 2, error["psnr"], torch.where(odd == 1, error["rest/psnr"], error["train/psnr"]))
        return nearest(path)(x) + size[:, None]

    scores = evaluate(field, dataset, points=7)
    for name, size in error.items():
        assert scores[name] == pytest.approx(-20 * np.log10(size), abs=1e-4)


def test_scores_are_pooled_and_not_averaged_over_chunks(path):
    dataset = ImageDataset(path)

    def field(x):  # wrong in the first row only
        return nearest(path)(x) + 0.5 * (x[:, 1:] < 1 / HEIGHT)

    expected = -10 * np.log10(0.25 / HEIGHT)
    for points in (1, 5, 13, 1000):
        assert evaluate(field, dataset, points)["psnr"] == pytest.approx(expected, abs=1e-5)


def test_a_perfect_field_scores_infinity(path):
    assert evaluate(nearest(path), ImageDataset(path))["psnr"] == float("inf")


@pytest.mark.parametrize(
    "hold", [Image.open, lambda p: np.asarray(Image.open(p)), lambda p: torch.tensor(np.array(Image.open(p)))]
)
@pytest.mark.parametrize("arguments", [{}, {"split": "half"}, {"crop": 4, "size": [8, 6], "batch_size": 10}], ids=str)
def test_an_image_in_memory_is_the_one_in_the_file(path, hold, arguments):
    filed, held = ImageDataset(path, **arguments), ImageDataset(hold(path), **arguments)
    assert held.record == filed.record
    assert held.mean() == filed.mean()
    one, other = (dataset.sample(torch.Generator().manual_seed(0)) for dataset in (filed, held))
    assert torch.equal(one.queries, other.queries)
    assert torch.equal(one.targets, other.targets)
    field = nearest(path)
    assert evaluate(lambda x: 0.9 * field(x), held) == evaluate(lambda x: 0.9 * field(x), filed)
    np.testing.assert_array_equal(np.asarray(held.image()), np.asarray(filed.image()))
    assert held.baselines() == filed.baselines()


def test_where_an_image_came_from_is_recorded(path):
    assert ImageDataset(path).resolved() == {"path": str(path)}
    assert ImageDataset(Image.open(path)).resolved() == {"path": IN_MEMORY}
    with pytest.raises(ValueError, match=r"path: the run was fitted to a signal in memory; give dataset\.path"):
        ImageDataset(IN_MEMORY)


def test_floating_point_pixels_are_fitted_as_they_are(path):
    values = np.random.default_rng(0).random((6, 5, 3), np.float32)
    dataset = ImageDataset(values, split="half")
    np.testing.assert_array_equal(dataset.sample(torch.Generator()).targets, values[::2, ::2].reshape(-1, 3))
    np.testing.assert_allclose(np.asarray(dataset.image()) / 255, values, atol=0.51 / 255)
    rounded = ImageDataset((values * 255).round().astype(np.uint8), split="half")
    for kind, scores in dataset.baselines().items():
        assert scores["psnr"] == pytest.approx(rounded.baselines()[kind]["psnr"], abs=0.05)


def test_crop_takes_the_middle_and_size_resizes(path):
    assert ImageDataset(path, crop=[4, 3]).pixels[..., :2].flatten(0, 1)[0].tolist() == [40, 40]
    assert ImageDataset(path, crop=3, size=[10, 12]).pixels.shape == (10, 12, 3)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"crop": 0}, r"crop: expected \[height, width\] of at least 1 pixel each, got 0"),
        ({"crop": [7, 3]}, r"crop: expected at most the image's \[6, 5\], got \[7, 3\]"),
        ({"size": [3]}, r"size: expected \[height, width\]"),
        ({"size": "large"}, r"size: expected \[height, width\]"),
        ({"split": "third"}, "split: expected one of all, half"),
        ({"batch_size": 0}, "batch_size: expected at least 1 pixel"),
        ({"offset": 2.0}, r"offset: expected a number in \[0, 1\]"),
        ({"crop": 1, "split": "half"}, "split=half: expected at least 2x2 pixels"),
    ],
)
def test_arguments_are_checked(path, arguments, message):
    with pytest.raises(ValueError, match=message):
        ImageDataset(path, **arguments)


def test_views_show_target_reconstruction_and_error(path):
    dataset = ImageDataset(path)
    views = dataset.views(nearest(path), max_side=512)
    assert views["target"].shape == (HEIGHT, WIDTH, 3)
    torch.testing.assert_close(views["reconstruction"], views["target"])
    assert views["error"].max() == 0
    assert max(dataset.views(nearest(path), max_side=3)["target"].shape[:2]) <= 3


def test_pixels_keep_their_type_and_stay_out_of_checkpoints(path):
    dataset = ImageDataset(path)
    assert dataset.pixels.dtype == torch.uint8
    assert dataset.state_dict() == {}


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("band", [1, 7, 10**6])
def test_its_mean_is_that_of_the_training_pixels(monkeypatch, tmp_path, dtype, band):
    monkeypatch.setattr("ffnet.signals.image.BAND", band)
    pixels = np.random.default_rng(0).integers(np.iinfo(dtype).max, size=(7, 4)).astype(dtype)
    Image.fromarray(pixels).save(tmp_path / "grey.png")
    full = np.iinfo(dtype).max
    for split, trained in {"all": pixels, "half": pixels[::2, ::2]}.items():
        assert ImageDataset(tmp_path / "grey.png", split=split).mean() == pytest.approx([trained.mean() / full])


def test_the_bundled_image_is_found():
    dataset = ImageDataset()
    assert min(dataset.record.size) >= 256
    assert dataset.out_features == 3


@pytest.mark.parametrize("size", [(8, 10), (9, 11)])
@pytest.mark.parametrize("band", [1, 7, 10**6])
def test_interpolated_pixels_are_scored_in_bands_of_any_size(monkeypatch, size, band):
    """Bilinear against the mean of the four diagonal neighbours, of the two or the one that there are at the border."""
    monkeypatch.setattr("ffnet.datasets.image.BAND", band)
    dataset = ImageDataset(size=size, split="half")
    pixels = np.pad(dataset.pixels.double().numpy() / 255, ((0, 2), (0, 2), (0, 0)))
    errors = []
    for y in range(1, size[0], 2):
        for x in range(1, size[1], 2):
            around = [pixels[b, a] for b in (y - 1, y + 1) for a in (x - 1, x + 1) if b < size[0] and a < size[1]]
            errors.append((np.mean(around, axis=0) - pixels[y, x]) ** 2)
    assert dataset.baselines()["bilinear"]["psnr"] == pytest.approx(-10 * np.log10(np.mean(errors)), abs=1e-4)


@pytest.mark.parametrize("split", ["all", "half"])
@pytest.mark.parametrize("offset", [0.5, 0.0])
def test_points_between_pixels_have_interpolated_values(tmp_path, split, offset):
    rows, columns = np.mgrid[:12, :10] / 20
    array = np.stack([rows, columns, rows * columns], -1)
    dataset = ImageDataset(array, split=split, batch_size=400, between=0.25, offset=offset)
    batch = dataset.sample(torch.Generator().manual_seed(0))
    x, y = batch.queries[:, 0] * 10 - offset, batch.queries[:, 1] * 12 - offset
    expected = torch.stack([y / 20, x / 20, x * y / 400], -1)
    inner = (x > 2) & (x < 6) & (y > 2) & (y < 8)  # else the border's pixels are repeated
    torch.testing.assert_close(batch.targets[inner], expected[inner], atol=1e-5, rtol=0)
    step = 2 if split == "half" else 1
    at_pixels = ((x % step).round(decimals=3) % step == 0) & ((y % step).round(decimals=3) % step == 0)
    assert at_pixels[:300].all()
    assert not at_pixels[300:].any()
    # One of each of equally many consecutive pixels: with as many as there are, every pixel.
    pixels = {(float(a), float(b)) for a, b in batch.queries[:300].tolist()}
    assert len(pixels) == dataset.regular.size


def test_numbered_pixels_have_no_points_between():
    array = np.zeros((6, 5), np.uint8)
    for settings in ({"batch_size": None}, {"batch_size": 8, "sampler": FullBatch()}, {"batch_size": 8, "between": 0}):
        dataset = ImageDataset(array, **{"between": 0.25, **settings})
        assert dataset.source is dataset.regular


@pytest.mark.parametrize("between", [-0.1, 1.5, float("nan"), True])
def test_between_is_a_fraction(between):
    with pytest.raises(ValueError, match=r"between: expected a fraction in \[0, 1\], got"):
        ImageDataset(np.zeros((6, 5), np.uint8), batch_size=8, between=between)
