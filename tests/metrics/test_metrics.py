"""Metrics against their functional forms, alone and over processes."""

import pytest
import torch
from torchmetrics import Metric
from torchmetrics.functional.classification import binary_jaccard_index
from torchmetrics.functional.image import peak_signal_noise_ratio

from ffnet.metrics import PSNR, IoU, iou, psnr


def pairs(metric, parts=3, seed=0):
    generator = torch.Generator().manual_seed(seed)
    for number in range(parts):
        prediction, target = torch.rand(2, 40 + 7 * number, 3, generator=generator)
        yield (prediction, target) if metric is PSNR else (4 * prediction - 2, (target > 0.3).float())


def functional(metric, prediction, target):
    if metric is PSNR:
        return psnr((prediction.double() - target.double()).square().mean().item())
    inside, labelled = prediction > 0, target > 0.5
    return iou((inside & labelled).sum().item(), (inside | labelled).sum().item())


def independent(metric, prediction, target):
    if metric is PSNR:
        return peak_signal_noise_ratio(prediction, target, data_range=1.0).item()
    return binary_jaccard_index((prediction > 0).int(), target.int()).item()


METRICS = pytest.mark.parametrize("metric", [PSNR, IoU])


@METRICS
def test_a_metric_of_all_parts_is_that_of_the_whole(metric):
    made = metric()
    assert isinstance(made, Metric)
    for part in pairs(metric):
        made.update(*part)
    whole = [torch.cat(parts) for parts in zip(*pairs(metric), strict=True)]
    assert made.compute().item() == pytest.approx(functional(metric, *whole), rel=1e-12)
    assert made.compute().item() == pytest.approx(independent(metric, *whole), abs=1e-4)


@METRICS
def test_states_of_several_processes_add_up(metric):
    """By torchmetrics' own reduction."""
    made = [metric() for _ in range(3)]
    for one, part in zip(made, pairs(metric), strict=True):
        one.update(*part)
    whole = [torch.cat(parts) for parts in zip(*pairs(metric), strict=True)]
    # Each state in its turn, from all processes.
    states = iter([[getattr(one, name) for one in made] for name in made[0].metric_state])
    made[0].dist_sync_fn, made[0].distributed_available_fn = lambda state, group=None: next(states), lambda: True
    assert made[0].compute().item() == pytest.approx(functional(metric, *whole), rel=1e-12)
    made[1].merge_state(made[2])
    expected = functional(metric, *(torch.cat(parts[1:]) for parts in zip(*pairs(metric), strict=True)))
    assert made[1].compute().item() == pytest.approx(expected, rel=1e-12)


@METRICS
def test_a_metric_starts_anew(metric):
    made = metric()
    for part in pairs(metric):
        made.update(*part)
    made.reset()
    (part,) = pairs(metric, 1)
    made.update(*part)
    assert made.compute().item() == pytest.approx(functional(metric, *part), rel=1e-12)


@METRICS
def test_more_is_better(metric):
    assert metric().higher_is_better is True


def test_small_errors_are_not_lost_in_sums():
    """A million points off by 1e-4: float32 would be off by hundredths of a decibel."""
    made = PSNR()
    for _ in range(100):
        made.update(torch.full((10_000, 1), 0.5 + 1e-4), torch.full((10_000, 1), 0.5))
    error = torch.tensor(0.5 + 1e-4).double() - 0.5
    assert made.compute().item() == pytest.approx(-20 * error.log10().item(), abs=1e-9)


def test_a_perfect_fit_scores_infinity():
    made = PSNR()
    made.update(torch.ones(3, 1), torch.ones(3, 1))
    assert made.compute() == float("inf")


def test_logits_are_logits_also_if_all_lie_in_the_unit_interval():
    made = IoU()
    made.update(torch.tensor([0.1, 0.9]), torch.tensor([1.0, 1.0]))
    assert made.compute() == 1
