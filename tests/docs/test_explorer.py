"""The numbers of the page in the browser are those of ``ffnet.kernels``."""

import json
import math
import re
import shutil
import subprocess

import numpy as np
import pytest
import torch

from ffnet.kernels import (
    InfiniteMLP,
    KernelDynamics,
    circulant_eigenvalues,
    effective_rank,
    empirical_ntk_trace,
    finite_mlp,
    frequency_eigenvalues,
    stationary_row,
)
from tests.docs.gallery import DOCS

PAGE = DOCS / "explorer.html"
POINTS, FINER = 32, 8
GRID = torch.arange(POINTS * FINER, dtype=torch.float64)[:, None] / (POINTS * FINER)
TIMES = [10 ** (i / 10 - 1) for i in range(71)]


def encoder(sigma, p):
    """The page's features, of norm 1."""
    j = torch.arange(1, POINTS // 2 + 1, dtype=torch.float64)
    amplitudes = j**-p * torch.exp(-(j**2) / (4 * sigma**2))
    amplitudes = amplitudes / amplitudes.norm()

    def features(x):
        phase = 2 * math.pi * x * j
        return torch.cat([amplitudes * phase.sin(), amplitudes * phase.cos()], dim=-1)

    return features


def limit(settings):
    features = encoder(settings["sigma"], settings["p"])
    return InfiniteMLP(settings["depth"], "relu", "unit_variance", encoder=features)


def kernel(settings, weights):
    """On the grid and the training points: in the limit, or of a network with these weights."""
    if weights is None:
        return limit(settings).ntk(GRID, GRID[::FINER])
    network = finite_mlp(POINTS, len(weights[0]), settings["depth"], seed=0)
    for parameter, values in zip(network.parameters(), weights, strict=True):
        parameter.data = torch.tensor(values, dtype=torch.float64)
    # Features of the squared norm fan_in / 2: first pre-activations of the variance 1.
    inputs = encoder(settings["sigma"], settings["p"])(GRID) * math.sqrt(POINTS / 2)
    return empirical_ntk_trace(network, inputs, inputs[::FINER])


def expected(settings, weights, y):
    """The page's numbers."""
    cross, infinite = kernel(settings, weights), kernel(settings, None)
    dynamics = KernelDynamics(cross[::FINER])
    largest, smallest = dynamics.eigenvalues.max().item(), dynamics.eigenvalues.min().item()
    fit = lambda time: dynamics.change(cross, -y[::FINER], time, 1 / largest)  # noqa: E731
    error = lambda fitted: (fitted - y).square().mean().item()  # noqa: E731
    now = fit(settings["time"])
    numbers = {
        "largest": largest,
        "condition": largest / smallest,
        "rank": effective_rank(dynamics.eigenvalues),
        "distance": ((cross - infinite).norm() / infinite.norm()).item(),
        "train": (now - y)[::FINER].square().mean().item(),
        "test": error(now),
        "best": min(error(fit(time)) for time in TIMES),
    }
    return numbers, now[:, 0], frequency_eigenvalues(cross[::FINER])


def in_node(settings):
    """What the page's functions answer, without a browser."""
    program = shutil.which("node")
    if program is None:
        pytest.skip("there is no node")
    functions = re.search(r'<script id="kernels">(.*?)</script>', PAGE.read_text(), re.S)[1]
    ask = """
    const settings = JSON.parse(require("fs").readFileSync(0)), infinite = (v) => v ?? Infinity;
    const found = study({ ...settings, sigma: infinite(settings.sigma), width: infinite(settings.width) });
    const plain = (v) => (ArrayBuffer.isView(v) ? Array.from(v) : Array.isArray(v) ? v.map(plain) : v);
    console.log(JSON.stringify({ kernel: plain(found.kernel), weights: plain(found.weights), y: plain(found.y),
      spectrum: plain(found.spectrum), limit: plain(found.limitSpectrum), fit: plain(found.dynamics.at(settings.time)),
      eigenvalues: plain(found.dynamics.values.sort()) }));
    """
    done = subprocess.run([program, "-e", functions + ask], input=json.dumps(settings), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize(
    "settings",
    [
        {"sigma": None, "p": 1.0, "width": None, "depth": 3, "signal": "power", "time": 100.0},
        {"sigma": 2.0, "p": 0.0, "width": None, "depth": 1, "signal": "square", "time": 1e6},
        {"sigma": 4.0, "p": 0.5, "width": 16, "depth": 2, "signal": "waves", "time": 30.0},
    ],
)
def test_its_functions_agree_with_the_kernels_of_ffnet(settings):
    found = in_node({**settings, "seed": 1})
    known = {**settings, "sigma": settings["sigma"] or math.inf}
    y = torch.tensor(found["y"], dtype=torch.float64)[:, None]
    assert y.square().mean().item() == pytest.approx(1)
    cross = kernel(known, found["weights"])
    scale = cross.abs().max().item()
    torch.testing.assert_close(torch.tensor(found["kernel"], dtype=torch.float64), cross, atol=1e-12 * scale, rtol=0)
    row = stationary_row(limit(known).ntk, [POINTS])
    torch.testing.assert_close(
        torch.tensor(found["limit"], dtype=torch.float64), circulant_eigenvalues(row)[: POINTS // 2 + 1]
    )
    _, fit, spectrum = expected(known, found["weights"], y)
    torch.testing.assert_close(torch.tensor(found["spectrum"], dtype=torch.float64), spectrum)
    torch.testing.assert_close(torch.tensor(found["fit"], dtype=torch.float64), fit, atol=1e-9, rtol=0)


def test_its_random_numbers_are_normal():
    weights = in_node({"sigma": 4.0, "p": 0.5, "width": 64, "depth": 3, "signal": "waves", "time": 1.0, "seed": 3})[
        "weights"
    ]
    drawn = np.concatenate([np.ravel(matrix) for matrix in weights])
    count = len(drawn)
    assert count == 64 * (32 + 64 + 64 + 1)
    for moment, wanted, spread in ((1, 0, 1), (2, 1, 2), (3, 0, 15), (4, 3, 96)):
        assert abs((drawn**moment).mean() - wanted) < 4 * math.sqrt(spread / count)


def test_it_needs_nothing_from_anywhere():
    text = PAGE.read_text()
    assert not re.search(r"\b(src|href)=|@import|url\((?!#)|fetch\(|import\(", text)
    assert set(re.findall(r"https?://[^\"' ]+", text)) == {"http://www.w3.org/2000/svg"}  # a name, not an address


@pytest.fixture(scope="module")
def page():
    """The page in a headless Chromium without a network, its errors and what it asked for."""
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium") or shutil.which("google-chrome"), args=["--no-sandbox"]
            )
        except api.Error:
            pytest.skip("there is no Chromium")
        context = browser.new_context(offline=True, viewport={"width": 1280, "height": 900})
        opened, errors, requests = context.new_page(), [], []
        opened.on("console", lambda message: errors.append(message.text) if message.type != "log" else None)
        opened.on("pageerror", lambda error: errors.append(str(error)))
        opened.on("request", lambda request: requests.append(request.url))
        opened.goto(f"file://{PAGE}")
        yield opened, errors, requests
        browser.close()


def test_every_slider_moves_the_numbers_to_those_of_ffnet(page):
    page, errors, requests = page
    moves = [
        ("sigma", "2", {"sigma": 4.0}),
        ("p", "0.5", {"p": 0.5}),
        ("depth", "2", {"depth": 2}),
        ("time", "1.5", {"time": 10**1.5}),
        ("signal", "square", {"signal": "square"}),
        ("width", "5", {"width": 32}),
    ]
    assert {move[0] for move in moves} == {
        item.get_attribute("id") for item in page.locator(".controls input, .controls select").all()
    }
    settings = {"sigma": math.inf, "p": 1.0, "depth": 3, "time": 100.0, "signal": "power", "width": math.inf}
    shown: list[dict[str, float]] = []
    for name, value, change in [("p", "1", {}), *moves]:
        control = page.locator(f"#{name}")
        control.select_option(value) if name == "signal" else control.fill(value)
        settings |= change
        state = page.evaluate("({...state})")
        assert {key: state[key] for key in settings} == pytest.approx(settings)
        weights = page.evaluate("found.weights && found.weights.map((rows) => rows.map((row) => Array.from(row)))")
        assert (weights is None) == math.isinf(settings["width"])
        y = torch.tensor(page.evaluate("Array.from(found.y)"), dtype=torch.float64)[:, None]
        numbers, fit, _ = expected(settings, weights, y)
        found = {key: float(page.locator(f"#{key}").get_attribute("data-value")) for key in numbers}
        assert found == pytest.approx(numbers, rel=1e-6, abs=1e-14)
        assert found not in shown  # it has moved
        shown.append(found)
        # The curve that is drawn is this fit: pixels are an affine function of values.
        path = page.locator("#fit path.series:not(.thin)").get_attribute("d")
        pixels = np.array(re.findall(r"[ML]\S+ (\S+?)(?=[ML]|$)", path), dtype=float)[:-1]
        assert np.abs(np.polyval(np.polyfit(fit.numpy(), pixels, 1), fit.numpy()) - pixels).max() < 0.006
    page.locator("#redraw").click()
    assert float(page.locator("#distance").get_attribute("data-value")) != shown[-1]["distance"]
    assert errors == []
    assert requests == [f"file://{PAGE}"]


def test_its_buttons_show_underfitting_and_overfitting(page):
    page, errors, _ = page
    page.reload()
    found = []
    for button in page.locator("[data-set]").all()[:3]:
        button.click()
        found.append([float(page.locator(f"#{key}").get_attribute("data-value")) for key in ("train", "test")])
    narrow, matched, wide = found
    assert narrow[0] > 100 * matched[0]  # still learning
    assert wide[0] < 1e-6 < wide[1]
    assert matched[1] < min(narrow[1], wide[1])
    assert errors == []
