"""Images from gradients: trained on slopes, scored on pixels up to a constant."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import GradientDataset
from ffnet.fitting import evaluate
from ffnet.operators import Laplacian

PIXELS = np.random.default_rng(0).integers(60, 160, (10, 14, 3), dtype=np.uint8)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_the_interpolated_image_fits_its_own_gradients_and_pixels():
    dataset = GradientDataset(PIXELS)
    exact = dataset.observed.interpolated
    assert evaluate(exact, dataset) == {"psnr": math.inf, "gradient/rmse": 0.0}
    scores = evaluate(lambda x: exact(x) + torch.tensor([0.25, -0.5, 2.0]), dataset)
    assert scores["psnr"] > 120
    assert scores["gradient/rmse"] < 1e-6
    assert evaluate(lambda x: 0.5 * exact(x), dataset)["psnr"] < 30


def test_slopes_at_the_pixels_are_central_differences_in_values_per_pixel():
    """As cubic convolution with a = -1/2 has them."""
    dataset = GradientDataset(PIXELS)
    found = dataset.observed.observe(dataset.grid.batch(torch.arange(140)).queries).view(10, 14, 3, 2)
    down, right = np.gradient(PIXELS / 255, axis=(0, 1))
    expected = torch.from_numpy(np.stack([right, down], axis=-1)).float()
    torch.testing.assert_close(found[1:-1, 1:-1], expected[1:-1, 1:-1], atol=1e-5, rtol=0)


@pytest.mark.parametrize("points", [None, 500])
def test_training_sees_no_values(points):
    """A constant more makes no difference."""
    one, two = (GradientDataset(pixels, points=points).sample(generator()) for pixels in (PIXELS, PIXELS + 80))
    assert one.targets.shape == (4096, 6)
    assert torch.equal(one.queries, two.queries)
    torch.testing.assert_close(one.targets, two.targets, atol=1e-5, rtol=0)


def test_noise_has_its_size_and_seed():
    settings = ((0.0, 0), (0.1, 0), (0.1, 0), (0.1, 1))
    clean, one, two, other = (GradientDataset(PIXELS, points=4000, noise=n, seed=s).source for n, s in settings)
    assert torch.equal(one.targets, two.targets)
    assert not torch.equal(one.queries, other.queries)
    assert torch.equal(one.queries, clean.queries)
    assert (one.targets - clean.targets).std().item() == pytest.approx(0.1, rel=0.02)


def test_another_operator_observes_image_and_field_alike():
    dataset = GradientDataset(PIXELS, operator=Laplacian(1 / 14))
    assert dataset.sample(generator()).targets.shape == (4096, 3)
    assert evaluate(dataset.observed.interpolated, dataset)["gradient/rmse"] == 0.0


def test_what_is_written_has_the_originals_mean():
    dataset = GradientDataset(PIXELS)
    field = lambda x: dataset.observed.interpolated(x) + 0.4  # noqa: E731
    assert np.array_equal(np.array(dataset.record.reconstruct(field)), PIXELS)
    larger = dataset.record.render(field, (20, 28))
    assert larger.mean() == pytest.approx(PIXELS.mean(), abs=1)


def test_views_show_image_and_gradient():
    dataset = GradientDataset(PIXELS)
    views = dataset.views(lambda x: dataset.observed.interpolated(x) - 0.3, 512)
    assert views.keys() == {"target", "reconstruction", "error", "target_gradient", "gradient"}
    assert all(view.shape == (10, 14, 3) and view.min() >= 0 and view.max() <= 1 for view in views.values())
    torch.testing.assert_close(views["reconstruction"], views["target"])
    torch.testing.assert_close(views["gradient"], views["target_gradient"], atol=1e-4, rtol=0)
    assert not dataset.views(lambda x: 0 * x.sum(-1, keepdim=True).expand(-1, 3), 512)["gradient"].any()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"points": 0}, "points: expected an integer of at least 1, got 0"),
        ({"batch_size": None}, "batch_size: expected an integer of at least 1, got None"),
        ({"noise": math.nan, "points": 9}, "noise: expected a finite number of at least 0, got nan"),
        ({"noise": 0.1}, r"noise: expected 0 with points=null, whose new points average it out; say dataset.points=N"),
        ({"seed": -1, "points": 9}, r"seed: expected an integer in \[0, 2\^63\), got -1"),
        ({"path": np.zeros((1, 1))}, "size: expected an image of at least 2 pixels, got one pixel, which has no"),
        ({"size": [1, 1]}, "size: expected an image of at least 2 pixels"),
        ({"operator": torch.nn.Identity()}, "operator: expected an ffnet.operators.Operator, got Identity"),
        ({"path": np.full((4, 4), math.nan)}, "image: expected finite values, found NaN or infinity"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        GradientDataset(**arguments)


def test_a_row_of_pixels_has_a_gradient():
    dataset = GradientDataset(np.linspace(0, 1, 9)[None])
    slopes = dataset.source.observe(torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(slopes, torch.tensor([[1 / 8, 0.0]]))


def test_fits_from_the_command_line_and_resumes_to_the_same_bits(command, tmp_path):
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    small = ["dataset=gradient", "dataset.path=a.png", "dataset.batch_size=256", "model.hidden_features=16"]
    small += ["trainer.max_steps=40", "schedule=constant", "logger=none", "callbacks.checkpoints.every_n_steps=10"]
    assert command("fit", *small, "hydra.run.dir=whole")[0] == 0
    assert command("fit", *small, "trainer.max_steps=17", "hydra.run.dir=parts")[0] == 0
    assert command("fit", "resume=parts", "trainer.max_steps=40")[0] == 0
    one, two = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "parts")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert metrics["higher_is_better"] == {"psnr": True, "gradient/rmse": False}
    assert metrics["psnr"] > 20
    with Image.open(tmp_path / "whole" / "reconstruction.png") as image:
        written = np.array(image)
    assert written.mean() == pytest.approx(PIXELS.mean(), abs=0.5)
    error = (written - PIXELS.astype(float)) / 255
    assert -10 * np.log10(error.var(axis=(0, 1)).mean()) == pytest.approx(metrics["psnr"], abs=0.2)
    code, out, _ = command("evaluate", "checkpoint=whole")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(metrics["psnr"], abs=1e-9)


def test_bad_input_is_one_line(command, tmp_path):
    (tmp_path / "a.png").write_bytes(b"no image")
    for settings, message in ((["dataset.path=a.png"], "a.png"), (["dataset.noise=0.1"], "noise: expected 0")):
        code, _, err = command("fit", "dataset=gradient", *settings, "hydra.run.dir=run")
        assert code == 2
        assert message in err
        assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()
