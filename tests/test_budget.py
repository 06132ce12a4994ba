"""Limits, and fields built within them."""

import pytest
import torch
from torch import nn

from ffnet import budget
from ffnet.allocation import built
from ffnet.budget import Excess, Limits, check, checked_limits, limited
from ffnet.encoders import GaussianEncoder, GridEncoder
from ffnet.resources import resource


def test_the_limits_of_the_settings_are_those_of_the_code():
    import yaml

    assert yaml.safe_load((resource("conf") / "limits.yaml").read_text())["limits"] == Limits()._asdict()


def test_a_limit_is_inclusive_and_the_message_says_how_to_raise_it():
    with limited(Limits(points=10)):
        check("points", 10, "pool")
        with pytest.raises(
            Excess, match=r"pool: expected at most 10 points, got 11; limits\.points=\.\.\. allows more"
        ):
            check("points", 11, "pool")
        with limited(Limits(points=None)):
            check("points", 10**30, "pool")
    assert budget.limit("points") == Limits().points


@pytest.mark.parametrize(
    ("name", "value"), [("points", 0), ("points", "abc"), ("pixels", 1.5), ("jobs", True), ("x", 1)]
)
def test_a_limit_is_an_integer_of_at_least_1_or_none(name, value):
    with pytest.raises(ValueError, match="limits"):
        checked_limits({name: value})


def mlp(layers, width):
    return nn.Sequential(*(nn.Linear(width, width) for _ in range(layers)))


class Wide(nn.Module):
    """More parameters than its arguments say, without torch's factory functions."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(10).repeat(100))


HUGE = {
    "a wide layer": lambda: mlp(1, 20_000),
    "many layers": lambda: mlp(10**9, 64),
    "many tiny layers": lambda: mlp(10**9, 1),
    "many frequencies": lambda: GaussianEncoder(2, 10**9, 1.0),
    "a large table": lambda: GridEncoder(3, levels=2, table_size=2**30, min_resolution=1000, max_resolution=2000),
}


@pytest.mark.parametrize("case", HUGE)
@pytest.mark.sampled(3)
def test_too_large_a_field_is_refused_before_it_is_allocated(case):
    before = peak_bytes()
    with pytest.raises(Excess, match=r"expected a field of at most 67108864 parameters; limits\.parameters=\.\.\."):
        built({}, lambda settings: HUGE[case]())
    assert peak_bytes() - before < 2**30


def peak_bytes():
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_a_count_above_the_limit_is_refused_before_anything_is_built():
    settings = {"seed": 10**12, "encoder": {"levels": 10**9}, "layers": [3, 10**10], "flag": True}

    def make(settings):
        raise AssertionError

    with pytest.raises(Excess, match=r"^encoder\.levels, layers\.1: expected a field of at most"):
        built(settings, make)


def test_parameters_are_counted_exactly():
    with limited(Limits(parameters=72)):
        assert len(built({}, lambda settings: mlp(1, 8))) == 1
    with limited(Limits(parameters=71)), pytest.raises(Excess):
        built({}, lambda settings: mlp(1, 8))
    with limited(Limits(parameters=999)), pytest.raises(Excess):
        built({}, lambda settings: Wide())
    with limited(Limits(parameters=71)):
        built({}, lambda settings: mlp(1, 8), held=72)
    with limited(Limits(parameters=None)):
        built({}, lambda settings: mlp(1, 8))


def test_the_weights_do_not_depend_on_the_limit():
    made = []
    for limits in (Limits(), Limits(parameters=None)):
        with limited(limits):
            torch.manual_seed(0)
            made.append(built({}, lambda settings: mlp(2, 8)).state_dict())
    assert all(torch.equal(made[0][name], made[1][name]) for name in made[1])
