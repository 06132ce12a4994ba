"""Scores: their names, what metrics get, and that neither chunks nor processes change them."""

import copy
import math

import pytest
import torch
from torch import nn
from torchmetrics import Metric
from torchmetrics.functional.image import peak_signal_noise_ratio, structural_similarity_index_measure
from torchmetrics.image import StructuralSimilarityIndexMeasure

from ffnet.datasets import Evaluation, ImageDataset
from ffnet.fitting import directions, evaluate, units, worse_than_mean
from ffnet.fitting.precision import observed_type
from ffnet.metrics import PSNR
from ffnet.operators import PointEvaluation
from tests.fitting.processes import together
from tests.operators.blur import Blur
from tests.training.helpers import field_of, image


class Shapes(Metric):
    """Keeps what it gets."""

    higher_is_better = None
    full_state_update = False

    def __init__(self):
        super().__init__()
        self.add_state("count", torch.zeros(()), dist_reduce_fx="sum")
        self.seen = []

    def update(self, prediction, target):
        self.seen.append((prediction, target))
        self.count += 1

    def compute(self):
        return self.count


def source(split="all"):
    return ImageDataset(size=[13, 11], split=split).source


def test_scores_are_named_by_evaluation_and_metric():
    assert Evaluation("", source(), {"psnr": PSNR()}).score("psnr") == "psnr"
    assert Evaluation("rest", source(), {"psnr": PSNR()}).score("psnr") == "rest/psnr"


def test_an_evaluation_is_at_points_unless_it_has_an_operator():
    assert isinstance(Evaluation("", source(), {}).operator, PointEvaluation)
    blur = Blur()
    assert Evaluation("", source(), {}, blur).operator is blur


@pytest.mark.parametrize("layout", [(11, 12), (13,), (143, 2)])
def test_a_layout_has_as_many_pixels_as_there_are_queries(layout):
    with pytest.raises(ValueError, match=f"layout: expected 143 pixels, got {' x '.join(map(str, layout))}"):
        Evaluation("", source(), {}, layout=layout)


def test_queries_that_form_no_image_have_no_scores_of_images():
    ssim = {"ssim": StructuralSimilarityIndexMeasure(data_range=1.0)}
    assert Evaluation("", source(), {}, None, (13, 11), ssim).image_metrics == ssim
    assert Evaluation("rest", source(), {}, None, None, ssim).image_metrics == {}


def test_directions_are_those_of_the_metrics_in_their_order():
    ssim = StructuralSimilarityIndexMeasure(data_range=1.0)
    found = directions(ImageDataset(size=[26, 24], split="half", metrics={"ssim": ssim, "count": Shapes()}))
    expected = {"psnr": True, "ssim": True, "count": None, "rest/psnr": True}
    expected |= {"train/psnr": True, "train/ssim": True, "train/count": None}
    assert found == expected
    assert list(found) == list(expected)


@pytest.mark.parametrize("points", [1, 7, 143, 10**6])
def test_metrics_get_every_query_once_and_image_metrics_whole_images(points):
    dataset = ImageDataset(size=[13, 11], metrics={"shapes": Shapes()})
    dataset.evaluations[0].metrics["each"] = Shapes()
    field = field_of(dataset)
    assert evaluate(field, dataset, points)["shapes"] == 1
    each = dataset.evaluations[0].metrics["each"].seen
    every = dataset.source.batch(torch.arange(143))
    assert torch.equal(torch.cat([target for _, target in each]), every.targets)
    torch.testing.assert_close(torch.cat([prediction for prediction, _ in each]), field(every.queries).detach())
    assert max(len(prediction) for prediction, _ in each) <= points
    ((prediction, target),) = dataset.evaluations[0].image_metrics["shapes"].seen
    assert prediction.shape == target.shape == (1, 3, 13, 11)
    pixels = dataset.pixels.permute(2, 0, 1)[None] / 255
    torch.testing.assert_close(target, pixels)
    torch.testing.assert_close(prediction[0].permute(1, 2, 0).reshape(-1, 3), field(every.queries).detach())


def whole_images(field, dataset, evaluation=0):
    source = dataset.evaluations[evaluation].source
    batch = source.batch(torch.arange(source.size))
    return (
        values.detach().view(1, *source.grid, 3).permute(0, 3, 1, 2) for values in (field(batch.queries), batch.targets)
    )


@pytest.mark.parametrize("processes", [1, 2, 3])
@pytest.mark.parametrize(("split", "points"), [("all", 100), ("all", 10**6), ("half", 70)])
@pytest.mark.filterwarnings("ignore:The ``compute`` method of metric:UserWarning")  # see test_processes.py
def test_scores_of_images_equal_torchmetrics_also_over_several_processes(processes, split, points):
    ssim = {"ssim": StructuralSimilarityIndexMeasure(data_range=1.0)}
    dataset = ImageDataset(size=[37, 27], split=split, metrics=ssim)
    field = field_of(dataset)

    def score(mine, group):
        part = copy.deepcopy(dataset)
        group.joins(part, mine.rank)
        return evaluate(field, part, points, mine)

    for scores in together(processes, score):
        assert set(scores) == set(directions(dataset))
        for number, prefix in {0: "", 2: "train/"}.items():
            if number < len(dataset.evaluations):
                prediction, target = whole_images(field, dataset, number)
                expected = structural_similarity_index_measure(prediction, target, data_range=1.0).item()
                assert scores[f"{prefix}ssim"] == pytest.approx(expected, abs=1e-6)
                expected = peak_signal_noise_ratio(prediction, target, data_range=1.0).item()
                assert scores[f"{prefix}psnr"] == pytest.approx(expected, abs=1e-4)


def test_scores_repeat_and_training_goes_on_after_them():
    dataset = ImageDataset(size=[13, 11], metrics={"ssim": StructuralSimilarityIndexMeasure(data_range=1.0)})
    field = field_of(dataset)
    once = evaluate(field, dataset)
    assert evaluate(field, dataset) == once
    batch = dataset.sample(torch.Generator().manual_seed(0))
    nn.functional.mse_loss(field(batch.queries), batch.targets).backward()
    assert all(parameter.grad is not None for parameter in field.parameters())


def test_an_evaluation_has_an_operator_of_its_own():
    """Trained on what a blur shows, scored at the points and through the blur."""
    dataset, blur = image(operator=Blur(3, 0.2)), Blur(5, 0.1)
    dataset.add_evaluation(Evaluation("blurred", dataset.source, {"psnr": PSNR()}, blur))
    field = field_of(dataset)
    every = dataset.source.batch(torch.arange(dataset.source.size))
    seen = {"psnr": field(every.queries), "blurred/psnr": blur(field, every.queries)}
    for name, scores in seen.items():
        expected = -10 * (scores - every.targets).detach().double().square().mean().log10().item()
        assert evaluate(field, dataset)[name] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("points", "most"), [(60, 60), (61, 60), (4, 5), (1, 5)])
def test_chunks_count_field_evaluations(points, most):
    dataset, sizes = image(), []
    dataset.add_evaluation(Evaluation("blurred", dataset.source, {"psnr": PSNR()}, Blur(5)))
    del dataset._evaluations[0]
    field = field_of(dataset)
    evaluate(lambda x: sizes.append(len(x)) or field(x), dataset, points)
    assert max(sizes) == most


def test_evaluation_is_without_noise():
    class Loud(Blur):
        def forward(self, field, queries, noise=None):
            assert noise is None
            return super().forward(field, queries)

    dataset = image()
    dataset.evaluations[0].operator = Loud()
    assert evaluate(field_of(dataset), dataset)["psnr"] > 0


def test_a_score_is_one_number():
    class Pair(Shapes):
        def compute(self):
            return torch.zeros(2)

    dataset = ImageDataset(size=[13, 11], metrics={"pair": Pair()})
    with pytest.raises(ValueError, match=r"metrics\.pair: expected one number, got a tensor"):
        evaluate(field_of(dataset), dataset)


def test_sums_stay_in_float64_whatever_the_module_is_cast_to():
    dataset = ImageDataset(size=[13, 11])
    field = field_of(dataset)
    before = evaluate(field, dataset)
    dataset.to(torch.bfloat16)
    assert evaluate(field, dataset) == before
    assert dataset.evaluations[0].metrics["psnr"].squares.dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
def test_observations_are_float32(dtype):
    assert observed_type(torch.rand(3, 1).to(dtype)).dtype == torch.float32


def test_complex_observations_stay_complex():
    values = torch.randn(3, 1, dtype=torch.complex64)
    assert observed_type(values) is values


def test_worse_than_the_mean_is_below_the_psnr_of_the_variance():
    dataset = ImageDataset(size=[26, 24])
    pixels = dataset.pixels.double() / 255
    psnr = -10 * math.log10((pixels - pixels.mean((0, 1))).square().mean().item())
    assert worse_than_mean({"psnr": psnr - 1e-3}, dataset)
    assert not worse_than_mean({"psnr": psnr + 1e-3}, dataset)


def test_scores_have_the_units_of_their_metrics():
    assert units(ImageDataset(size=[26, 24], split="half")) == dict.fromkeys(("psnr", "rest/psnr", "train/psnr"), "dB")
