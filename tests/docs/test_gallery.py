"""Every script of the gallery runs, and what it finds obeys the law that it shows: at its small size, and in the
numbers that the guide shows.
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


def kernel_trick(found, small):
    assert found["difference"] < 1e-9
    assert found["sigmoid_eigenvalue"] == pytest.approx(-0.0137, abs=5e-5)
    numbers = found["random_features"]
    assert numbers["errors"] == pytest.approx(numbers["stated"], rel=0.35 if small else 0.1)


def lifting(found, small):
    linear, *others = found["kernels"].values()
    # Half of the rings' points are on either side of a line through the middle.
    assert max(linear["ridge"], linear["svm"], linear["components"]) < 0.7
    for numbers in others:
        assert min(numbers["ridge"], numbers["svm"]) > 0.97
        assert numbers["support"] < 0.5 * linear["support"]
    # The circle between the rings is a line among the squares.
    radii = script("lifting").RADII
    right = [
        (a + b > (sum(radii) / 2) ** 2) == (y > 0) for (a, b), y in zip(found["squares"], found["labels"], strict=True)
    ]
    assert sum(right) > 0.97 * len(right)
    squares = [[x * x, y * y] for x, y in found["points"]]
    assert all(math.dist(a, b) < 1e-4 for a, b in zip(squares, found["squares"], strict=True))


def uncertainty(found, small):
    ratios, distances = script("uncertainty").ratios, script("uncertainty").distances
    for which in ("all layers", "last layer"):
        for index in range(len(found["steps"])):
            # The deviation of 50 networks is known to 10 %, of 20 to 16 %, and points share it.
            assert statistics.median(ratios(found, which, index)) == pytest.approx(1, abs=0.4 if small else 0.2)
            assert statistics.median(distances(found, which, index)) < 2.5
        first, last = found[which]["predicted"][0]["deviation"], found[which]["predicted"][-1]["deviation"]
        assert first == pytest.approx(found["prior"]["deviation"])
        assert sum(last) < 0.5 * sum(first)
    # The Gaussian process's posterior is the linear estimate of smallest variance.
    for one, other in zip(found["posterior"]["deviation"], found["ensemble"]["deviation"], strict=True):
        assert one <= other + 1e-5


def wide_networks(found, small):
    pairs = zip(found["covariance"], found["nngp"], found["standard_error"], strict=True)
    errors = [(a - b) / error for a, b, error in pairs]
    # 25 highly correlated entries.
    assert max(map(abs, errors)) < 3.5
    pairs = zip(found["kurtosis"], found["kurtosis_law"], found["kurtosis_error"], strict=True)
    assert all(abs(a - b) < 4 * error for a, b, error in pairs)


def ntk_width(found, small):
    assert found["slope"] == pytest.approx(-0.5, abs=0.2 if small else 0.1)
    near, far = found["rows"]["1024"], found["rows"]["64"]
    distance = lambda rows: sum(math.dist(row, found["infinite"]) for row in rows)  # noqa: E731
    assert distance(near) < 0.5 * distance(far)


def lazy_training(found, small):
    for name in ("drift", "motion"):
        assert found[name] == sorted(found[name], reverse=True)
    slope = script("lazy_training").slope
    # The reference, on another problem: slopes of -0.81 and -1.00.
    for name, wanted in (("drift", -0.81), ("motion", -1.0)):
        assert slope(found, name) == pytest.approx(wanted, abs=0.25 if small else 0.15), name
    # All of a layer's weights together move by O(1): n of n^2, or n of n.
    for name, wanted in (("first", -0.5), ("middle", -1.0), ("last", -0.5)):
        assert slope(found, name) == pytest.approx(wanted, abs=0.15), name


def predicted_curves(found, small):
    apart = script("predicted_curves").apart
    assert len(found["curves"]) == 5
    assert "photograph" in found["curves"]
    for name, curves in found["curves"].items():
        assert curves["predicted"][0] == pytest.approx(curves["descent"][0])
        assert apart(curves, "descent", 50) < 1, name
        assert apart(curves, "Adam", 50) > 1, name
        if not small:
            assert apart(curves, "descent", 300) > apart(curves, "descent", 50)
    assert all(0 < drift < 0.5 for drift in found["drift"].values())
    assert small or min(found["plain_holds_until"].values()) < 100


def bandwidth(found, small):
    widths = [row["half_width"] * row["sigma"] for row in found["rows"]]
    assert widths == pytest.approx([widths[0]] * 3, rel=1e-3)
    half = script("bandwidth").HALF
    assert half == pytest.approx(0.1874, abs=5e-5)
    for row in found["rows"]:
        worst = max(abs(a - b) for a, b in zip(row["features"], row["law"], strict=True))
        assert worst < 5 / math.sqrt(2 * (64 if small else 4096))  # a mean of so many cosines
    cutoffs = [row["cutoff"] for row in found["rows"]]
    assert cutoffs == sorted(cutoffs)
    assert cutoffs[-1] > 4 * cutoffs[0]


def spectral_bias(found, small):
    plain, gaussian = (found[kind]["predicted_step"] for kind in ("plain", "gaussian"))
    assert plain[:4] == sorted(plain[:4])
    assert plain[3] > 100 * plain[0]
    assert max(gaussian) < 20 * min(gaussian)
    for kind in ("plain", "gaussian"):
        for line, wanted in zip(found[kind]["trained"], found[kind]["predicted"], strict=True):
            early = [i for i, step in enumerate(found[kind]["shown"]) if step <= 40]
            assert all(line[i] == pytest.approx(wanted[i], abs=0.1) for i in early)
    if not small:
        for kind in ("plain", "gaussian"):
            steps = zip(found[kind]["trained_step"], found[kind]["predicted_step"], strict=True)
            assert all(0.5 < trained / predicted < 2 for trained, predicted in steps if trained)


def power_law(found, small):
    for numbers in found["powers"].values():
        for where in ("train", "test"):
            predicted, trained = numbers["predicted"][where], numbers["trained"][where]
            assert predicted[0] == pytest.approx(trained[0])
            assert predicted[0] == pytest.approx(1, rel=1e-5)  # the signals alone
            assert predicted[20] == pytest.approx(trained[20], rel=0.25)
    ratios = [max(n["eigenvalues"][1:16]) / min(n["eigenvalues"][1:16]) for n in found["powers"].values()]
    assert ratios == sorted(ratios, reverse=True)
    if not small:
        ends = {power: numbers["many"] for power, numbers in found["powers"].items()}
        assert min(ends, key=ends.__getitem__) == "1"  # the signals' own power


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


LAWS = {
    law.__name__: law
    for law in (
        kernel_trick,
        lifting,
        wide_networks,
        ntk_width,
        lazy_training,
        predicted_curves,
        uncertainty,
        bandwidth,
        spectral_bias,
        power_law,
        paper_mappings,
        paper_sampling,
        paper_optimized,
        paper_depth,
        paper_axes,
    )
}


NAMES = (*frame.NAMES, *frame.PAPER)


@pytest.mark.parametrize("name", [NAMES[0], *(pytest.param(n, marks=pytest.mark.long) for n in NAMES[1:])])
def test_a_small_run_makes_a_figure_and_obeys_the_law(name, tmp_path):
    if name == "lifting":
        pytest.importorskip("sklearn", reason="the support vector machine is scikit-learn's")
    found = frame.make(script(name), True, tmp_path)
    with Image.open(tmp_path / f"{name}.png") as picture:
        assert picture.width >= 1000
    assert json.loads((tmp_path / f"{name}.json").read_text()) == found
    assert script(name).table(found).startswith("| ")
    LAWS[name](found, True)


@pytest.mark.parametrize("name", NAMES)
def test_the_numbers_that_the_guide_shows_obey_the_law(name):
    LAWS[name](json.loads((DOCS / "figures" / f"{name}.json").read_text()), False)


def test_it_says_how_long_it_takes():
    said = frame.expected(NAMES)
    known = json.loads(frame.SECONDS.read_text())
    count, minutes, seconds = map(int, re.findall(r"(\d+) scripts: (\d+) min (\d+) s the last time", said)[0])
    assert count == len(NAMES)
    assert 60 * minutes + seconds == pytest.approx(sum(known[name][0] for name in NAMES if name in known), abs=1)
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
