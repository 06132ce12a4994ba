"""Metrics of fits to derivatives."""

import math

import pytest
import torch

from ffnet.metrics import PSNR, OffsetPSNR, UnitLength


def pairs(parts=3):
    generator = torch.Generator().manual_seed(0)
    for number in range(parts):
        yield torch.rand(2, 40 + 7 * number, 3, generator=generator, dtype=torch.float64)


def whole():
    return torch.cat(list(pairs()), dim=1)


def test_psnr_up_to_a_constant_is_the_best_that_constants_reach():
    metric, plain = OffsetPSNR(3), PSNR()
    for part in pairs():
        metric.update(*part)
    prediction, target = whole()
    plain.update(prediction + (target - prediction).mean(0), target)
    assert metric.compute().item() == pytest.approx(plain.compute().item(), abs=1e-9)
    plain.reset()
    plain.update(prediction + (target - prediction).mean(0) + 0.01, target)
    assert metric.compute() > plain.compute()


def test_constants_do_not_change_it():
    prediction, target = whole()
    one, two = OffsetPSNR(3), OffsetPSNR(3)
    one.update(prediction, target)
    two.update(prediction + torch.tensor([3.0, -1.0, 0.2]), target)
    assert one.compute().item() == pytest.approx(two.compute().item(), abs=1e-9)
    two.reset()
    two.update(target + 0.25, target)
    assert two.compute().item() == math.inf


def test_its_states_add_up():
    parts = list(pairs())
    one, two, both = OffsetPSNR(3), OffsetPSNR(3), OffsetPSNR(3)
    one.update(*parts[0])
    two.update(*parts[1])
    one.merge_state(two)
    for part in parts[:2]:
        both.update(*part)
    assert one.compute().item() == pytest.approx(both.compute().item(), rel=1e-12)


def test_unit_lengths_are_counted():
    lengths = torch.tensor([0.9, 0.951, 1.0, 1.049, 1.06, 2.0], dtype=torch.float64)
    vectors = lengths[:, None] * torch.nn.functional.normalize(torch.randn(6, 3, dtype=torch.float64), dim=-1)
    metric = UnitLength(0.05)
    for part in vectors.split(4):
        metric.update(part, torch.zeros_like(part))
    assert metric.compute().item() == pytest.approx(3 / 6)
