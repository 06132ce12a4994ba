"""The guide shows the gallery's figures and numbers, and what else it states is computed here."""

import json
import math
import re

import pytest
import torch

from ffnet.kernels import InfiniteMLP, Sigmoid, dual
from tests.docs.gallery import DOCS, frame, script

GUIDE = (DOCS / "theory.md").read_text()


def test_every_figure_is_there_and_shown():
    shown = re.findall(r"\]\(figures/(\w+)\.png\)", GUIDE)
    assert shown == list(frame.NAMES)
    assert {path.stem for path in (DOCS / "figures").glob("*.png")} >= set(shown)
    others = {"__main__", "frame", "guide", "nerf"}  # the last has a page of its own
    assert {path.stem for path in (DOCS / "gallery").glob("*.py")} - others == set(frame.NAMES)


@pytest.mark.parametrize("name", frame.NAMES)
def test_its_tables_are_those_of_the_figures(name):
    shown = re.search(rf"<!-- numbers: {name} -->\n(.*?)\n<!-- end -->", GUIDE, re.S)
    assert shown is not None
    assert shown[1] == script(name).table(json.loads((DOCS / "figures" / f"{name}.json").read_text()))


def test_the_one_command_fills_the_tables_in():
    text = "before\n<!-- numbers: a -->\nold\n<!-- end -->\n<!-- numbers: b -->\nkept\n<!-- end -->\n"
    filled = script("guide").filled(text, "a", "| 1 |")
    assert filled == text.replace("old", "| 1 |")


def monte_carlo():
    """``E[relu(a . x) relu(a . x')]`` over 10^6 units, and its standard error."""
    a = torch.randn(1_000_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    products = a[:, 0].relu() * (a @ torch.tensor([0.6, 0.8], dtype=torch.float64)).relu()
    return products.mean().item(), (products.std() / 1000).item()


def test_stated_numbers():
    theta = math.acos(0.6)
    right = (math.sin(theta) + (math.pi - theta) * math.cos(theta)) / (2 * math.pi)
    loose = (math.pi - theta) * (math.cos(theta) - math.sin(theta)) / (2 * math.pi)
    x = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    assert InfiniteMLP(1, "relu", "unit_variance").nngp(x)[0, 1] / 2 == pytest.approx(right, abs=1e-12)
    estimate, error = monte_carlo()
    assert abs(estimate - right) < 3 * error < abs(estimate - loose)
    one = torch.ones((), dtype=torch.float64)
    sigmoid = torch.linalg.eigvalsh(Sigmoid(1.0, 1.0)(torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)))
    for number in (
        f"gives {right:.5f}, the other one\n  {loose:.5f}",
        f"eigenvalue {sigmoid[0]:.4f}",
        f"| erf | {1 / dual('erf').square(one):.5f} |",
        f"| sin | {1 / dual('sin').square(one):.5f} |",
        f"${math.sqrt(math.log(2) / 2) / math.pi:.4f} / \\sigma$",
    ):
        assert number in GUIDE, number
