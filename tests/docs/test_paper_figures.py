"""Every script that remakes a figure of Tancik et al. 2020 runs, and what it finds obeys the paper's statement: at its
small size, and in the numbers that the page shows.
"""

import json
import math
import re
import statistics

import pytest
import torch
from PIL import Image

from ffnet.kernels import finite_mlp
from tests.docs.gallery import DOCS, frame, script

pytestmark = pytest.mark.untraced


def paper_mappings(found, small):
    powers = found["powers"]
    assert powers["inf"]["kernel"] == pytest.approx(powers["inf"]["kernel"][:1] + powers["inf"]["kernel"][:0:-1])
    half = [sum(value > 0.5 for value in numbers["kernel"]) for numbers in powers.values()]
    assert half == sorted(half, reverse=True)  # a smaller p: a narrower kernel
    for numbers in powers.values():
        curve = numbers["bands"]["high"]["predicted"]
        assert curve == sorted(curve, reverse=True)
    fast = [numbers["bands"]["high"]["trained"][-1] for numbers in powers.values()]
    assert fast == sorted(fast, reverse=True) or max(fast[-2:]) < 1e-9
    plain = found["plain"]
    assert plain[0][0] > 1.5 * plain[len(plain) // 2][len(plain) // 2]  # not stationary
    if not small:
        ends = {power: numbers["trained"]["test"] for power, numbers in powers.items()}
        assert min(ends, key=ends.__getitem__) == "1"
        wanted = [numbers["predicted"]["test"] for numbers in powers.values()]
        assert list(ends.values()) == pytest.approx(wanted, rel=1.0)


def paper_sampling(found, small):
    means, kinds = script("paper_sampling").means, script("paper_sampling").DISTRIBUTIONS
    for numbers in found["alphas"].values():
        curves = [[math.log(error) for _, error in means(numbers, kind)] for kind in kinds]
        for curve in curves:
            assert min(curve[0], curve[-1]) > math.log(1.5) + min(curve)  # under- and overfitting
        # The standard deviation matters by far more than the shape.
        mean = [statistics.mean(column) for column in zip(*curves, strict=True)]
        apart = [abs(value - middle) for curve in curves for value, middle in zip(curve, mean, strict=True)]
        assert small or statistics.median(apart) < math.log(3) < math.log(100) < max(mean) - min(mean)
        assert numbers["dense"] < 3 * math.exp(min(mean))


def paper_optimized(found, small):
    for numbers in found["families"].values():
        assert numbers["optimized"] < 1.05 * min(numbers["powers"])
        assert numbers["amplitudes"][0] == max(numbers["amplitudes"])
    fixed, trained = (found["frequencies"][kind]["test"] for kind in ("fixed", "trained"))
    assert fixed[0] > 1.5 * min(fixed)
    assert small or fixed[-1] > 1.5 * min(fixed)
    assert small or trained[-1] > 1.5 * min(trained)


def paper_depth(found, small):
    for line in zip(*(spectrum[8:33] for spectrum in found["spectra"]["basic"].values()), strict=True):
        relative = [
            value / spectrum[1] for value, spectrum in zip(line, found["spectra"]["basic"].values(), strict=True)
        ]
        assert relative == sorted(relative)
    for spectrum in found["spectra"]["added"].values():
        assert spectrum[43] == max(spectrum[20:])
    gap = [spectrum[20] / spectrum[1] for spectrum in found["spectra"]["added"].values()]
    assert gap == sorted(gap)
    steps = [numbers["predicted"] for numbers in found["learned"].values()]
    assert steps[0][0] < steps[-1][0]  # one cycle takes longer
    assert steps[0][2] > steps[-1][2]  # four cycles take fewer steps


def paper_axes(found, small):
    axes, gaussian = (script("paper_axes").by_angle(found["mappings"][kind]) for kind in ("axis-aligned", "Gaussian"))
    middle = len(axes) // 2
    along = min(axes[0], axes[-1])
    assert along > axes[middle] + 1
    assert max(gaussian) - min(gaussian) < along - axes[middle]
    spectrum = found["mappings"]["axis-aligned"]["spectrum"]
    assert spectrum[16][24] > 3 * spectrum[22][22]  # 8 cycles along x, and about as many at 45 degrees


LAWS = {law.__name__: law for law in (paper_mappings, paper_sampling, paper_optimized, paper_depth, paper_axes)}


@pytest.mark.parametrize("name", [pytest.param(n, marks=[] if n == "paper_depth" else pytest.mark.long) for n in LAWS])
def test_a_small_run_makes_a_figure_and_obeys_the_law(name, tmp_path):
    found = frame.make(script(name), True, tmp_path)
    with Image.open(tmp_path / f"{name}.png") as picture:
        assert picture.width >= 1000
    assert script(name).table(found).startswith("| ")
    LAWS[name](found, True)


@pytest.mark.parametrize("name", LAWS)
def test_the_numbers_that_the_page_shows_obey_the_law(name):
    assert tuple(LAWS) == frame.PAPER
    LAWS[name](json.loads((DOCS / "figures" / f"{name}.json").read_text()), False)


def test_what_the_page_says_about_the_optimized_amplitudes():
    page = (DOCS / "paper_figures.md").read_text()
    families = json.loads((DOCS / "figures" / "paper_optimized.json").read_text())["families"].values()
    gains = [round(100 * (1 - numbers["optimized"] / min(numbers["powers"]))) for numbers in families]
    assert f"by {min(gains)} to {max(gains)} %" in page
    last = [
        max(j for j, a in enumerate(n["amplitudes"], 1) if a > 0.01 * math.hypot(*n["amplitudes"])) for n in families
    ]
    assert "and end at {}, {}\nand {} cycles".format(*last) in page


def test_it_says_how_long_it_takes():
    names = (*frame.NAMES, *frame.PAPER)
    said = frame.expected(names)
    known = json.loads(frame.SECONDS.read_text())
    count, minutes, seconds = map(int, re.findall(r"(\d+) scripts: (\d+) min (\d+) s the last time", said)[0])
    assert count == len(names)
    assert 60 * minutes + seconds == pytest.approx(sum(known[name][0] for name in names if name in known), abs=1)
    assert minutes < 15


def test_stacked_networks_are_trained_as_each_alone():
    def networks():
        return [finite_mlp(2, 8, 2, seed) for seed in range(3)]

    x = torch.rand(5, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    y = torch.randn(3, 5, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    stack = script("stacked").Stack(networks())
    stack.train(x, y, 4, lambda parameters: torch.optim.Adam(parameters, lr=0.01), 0.2)
    for number, network in enumerate(networks()):
        optimizer = torch.optim.Adam(network.parameters(), lr=0.01)
        for _ in range(4):
            optimizer.zero_grad()
            (0.5 * 0.2 * (network(x) - y[number]).square().sum()).backward()
            optimizer.step()
        torch.testing.assert_close(stack(x)[number], network(x))
