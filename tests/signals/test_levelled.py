"""Images that are known up to a constant."""

import numpy as np
import pytest
import torch

from ffnet.signals import LevelledRecord


def waves(x):
    return 0.5 + 0.2 * torch.stack([torch.sin(9 * x[..., 0]), torch.cos(5 * x[..., 1])], dim=-1)


@pytest.mark.parametrize("constant", [0.0, -3.0])
@pytest.mark.parametrize("size", [(6, 8), (12, 16)])
def test_the_fields_constant_makes_no_difference(constant, size):
    record = LevelledRecord((6, 8), 2, mode="LA", level=(0.4, 0.6))
    found = record.render(lambda x: waves(x) + constant, size)
    assert found.shape == (*size, 2)
    assert found.mean((0, 1)) / 255 == pytest.approx([0.4, 0.6], abs=5e-3)


def test_a_part_has_the_level_of_the_whole():
    record = LevelledRecord((6, 8), 2, mode="LA", level=(0.4, 0.6))
    whole = record.render(waves, (60, 80))
    part = record.render(waves, (60, 40), box=(0.5, 0.0, 1.0, 1.0))
    assert np.array_equal(part, whole[:, 40:])


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("level", [(), (0.5,), (0.5, float("nan"))])
def test_a_level_is_a_finite_number_for_each_channel(level):
    with pytest.raises(ValueError, match="level"):
        LevelledRecord((6, 8), 2, mode="LA", level=level)
