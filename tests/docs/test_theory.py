"""The guide shows the gallery's figures and numbers, and what else it states is computed here."""

import json
import math
import re

import pytest
import torch

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import Gaussian, InfiniteMLP, KernelPCA, Sigmoid, dual, empirical_ntk_trace, finite_mlp
from tests.docs.gallery import DOCS, frame, script

GUIDE = (DOCS / "theory.md").read_text()
PAPER = (DOCS / "paper_figures.md").read_text()


def test_every_figure_is_there_and_shown():
    shown = re.findall(r"\]\(figures/(\w+)\.png\)", GUIDE)
    assert shown == list(frame.NAMES)
    assert {path.stem for path in (DOCS / "figures").glob("*.png")} >= set(shown)
    assert re.findall(r"\]\(figures/(\w+)\.png\)", PAPER) == list(frame.PAPER)
    others = {"__main__", "frame", "guide", "stacked", "nerf"}  # the last has a page of its own
    assert {path.stem for path in (DOCS / "gallery").glob("*.py")} - others == {*frame.NAMES, *frame.PAPER}


@pytest.mark.parametrize("name", [*frame.NAMES, *frame.PAPER])
def test_its_tables_are_those_of_the_figures(name):
    shown = re.search(rf"<!-- numbers: {name} -->\n(.*?)\n<!-- end -->", GUIDE + PAPER, re.S)
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


def test_section_2_which_principal_component_separates_the_rings():
    lifting = script("lifting")
    x, labels = lifting.rings(200, 0)
    separated = lambda components: lifting.separated(components, labels)  # noqa: E731
    narrow, wide = (KernelPCA(Gaussian(sigma), x, 3)(x) for sigma in (lifting.SIGMA, 1.5))
    assert separated(narrow[:, :1]) > 0.95 > 0.7 > separated(narrow[:, 1:])
    assert separated(wide[:, 2:]) > 0.95 > 0.7 > separated(wide[:, :2])
    components = KernelPCA(lifting.KERNELS["NTK, two hidden layers"], x, 2)(x)
    columns = torch.cat([x, torch.ones_like(x[:, :1])], dim=-1)
    left = components - columns @ torch.linalg.lstsq(columns, components).solution
    assert left.square().mean() / components.square().mean() < 0.01  # nearly a linear function of the coordinates
    assert "with\none of width 1.5 the third does" in GUIDE


def test_section_5_a_narrow_prior_is_left_far_behind():
    """PyTorch's initialization against He's, on the figure's values: how far the mean moves, in the prior's units."""
    uncertainty = script("uncertainty")
    x = torch.tensor(uncertainty.KNOWN, dtype=torch.float64)[:, None]
    moved = []
    for settings in (
        {"parameterization": "torch"},
        {"parameterization": "standard", "w_std": math.sqrt(2), "b_std": 0.0},
    ):
        limit = InfiniteMLP(2, "relu", width=256, encoder=uncertainty.ENCODER, **settings)
        y = uncertainty.signal(x)
        prior = limit.nngp(x)
        moved.append((y.mT @ torch.linalg.solve(prior, y)).item() / len(x))
    assert moved[0] > 30 * moved[1]
    assert "have to move by many prior standard deviations" in GUIDE


def test_section_6_a_width_and_a_bandwidth():
    # Features of a frequency sigma have the Gaussian kernel of the length 1 / (2 pi sigma).
    length, x = 0.05, torch.linspace(0, 0.3, 20, dtype=torch.float64)[:, None]
    encoder = GaussianEncoder(1, 200_000, 1 / (2 * math.pi * length), normalize=True, dtype=torch.float64)
    features = encoder(x)
    torch.testing.assert_close(features @ features[0], Gaussian(length)(x, x[:1])[:, 0], atol=0.01, rtol=0)
    assert "$\\sigma_{features} = 1 / (2 \\pi\n\\sigma_{kernel})$" in GUIDE


def test_section_6_a_kernel_is_stationary_in_the_limit():
    encoder = GaussianEncoder(1, 64, 3.0, normalize=True, dtype=torch.float64)
    x = torch.tensor([[0.1], [0.2], [0.5], [0.6]], dtype=torch.float64)
    infinite = InfiniteMLP(2, "relu", "ntk", math.sqrt(2), encoder=encoder).ntk(x)
    finite = empirical_ntk_trace(finite_mlp(128, 256, 2, seed=0), encoder(x))
    assert infinite[0, 1].item() == pytest.approx(infinite[2, 3].item(), rel=1e-12)
    assert abs(finite[0, 1] / finite[2, 3] - 1) > 0.01
    assert "in the limit of infinite width the kernel is **stationary**" in GUIDE


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
