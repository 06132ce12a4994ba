"""The guide shows the gallery's figures and numbers, and what else it states is computed here."""

import importlib.util
import json
import math
import re
from functools import cache

import pytest
import torch
from numpy.polynomial.hermite_e import hermegauss
from numpy.polynomial.legendre import leggauss

from ffnet.encoders import GaussianEncoder, PositionalEncoder, spherical_harmonics
from ffnet.kernels import (
    Gaussian,
    GridKernel,
    InfiniteMLP,
    KernelDynamics,
    KernelPCA,
    KernelRidge,
    Linear,
    Linearized,
    Polynomial,
    RandomFourierFeatures,
    Sigmoid,
    TextbookNetwork,
    circulant_eigenvalues,
    descent_weights,
    dual,
    eigenvalues,
    empirical_ntk,
    empirical_ntk_by_parameter,
    empirical_ntk_trace,
    finite_mlp,
    frequency_eigenvalues,
    grid_points,
    jacobian,
    layers,
    laziness,
    nngp_posterior,
    ntk_posterior,
    stationary_row,
    stationary_steps,
)
from tests.docs.claims import HELD, formulas, holds, sections
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


@cache
def script_of_tables():
    """``docs/theory_tables.py`` as a module."""
    spec = importlib.util.spec_from_file_location("theory_tables", DOCS / "theory_tables.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def monte_carlo():
    """``E[relu(a . x) relu(a . x')]`` over 10^6 units, and its standard error."""
    a = torch.randn(1_000_000, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    products = a[:, 0].relu() * (a @ torch.tensor([0.6, 0.8], dtype=torch.float64)).relu()
    return products.mean().item(), (products.std() / 1000).item()


@holds("x_1^2 + x_2^2 = r^2")
def test_section_2_a_circle_is_a_line_among_the_features():
    x, _ = script("lifting").rings(50, 0)
    features, squares = Polynomial(2).features(x.double()), x.double().square().sum(1, keepdim=True)
    line = torch.linalg.lstsq(features, squares, driver="gelsd").solution
    torch.testing.assert_close(features @ line, squares)


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


@holds(r"M_t = \Theta_* \Theta^{-1}", r"\Sigma_{**} + M_t \Sigma M_t^T", r"\Theta = \Sigma", r"M_\infty = \Theta_*")
def test_section_5_mean_and_covariance_of_trained_networks():
    x, new, y, time = draw(5, 2), draw(4, 2, seed=1), draw(5, 1, seed=2), 1.7
    mlp, both = InfiniteMLP(1, "relu", "ntk", 1.4, 0.5), torch.cat([new, x])
    nngps = (mlp.nngp(x), mlp.nngp(new, x), mlp.nngp(new))

    def moments(M):
        """Of ``f_0(new) + M (y - f_0(X))``, a linear function of the initial values."""
        contrast = torch.cat([torch.eye(4).double(), -M], dim=1)
        return M @ y, contrast @ mlp.nngp(both) @ contrast.T

    for train, cross in ((mlp.ntk(x), mlp.ntk(new, x)), nngps[:2]):  # all layers; the last alone, where Theta = Sigma
        learned = torch.eye(5).double() - torch.linalg.matrix_exp(-time * train)
        M, end = cross @ torch.linalg.solve(train, learned), torch.linalg.solve(train, cross.T).T
        found = KernelDynamics(train).ensemble(cross, *nngps, y, time, 1.0)
        torch.testing.assert_close(found, moments(M))
        torch.testing.assert_close(ntk_posterior(train, cross, *nngps, y), moments(end))
    torch.testing.assert_close(nngp_posterior(*nngps, y), moments(end))


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
    assert "have to move by many prior standard\ndeviations" in GUIDE


@holds(r"\sigma_{features} = 1 / (2 \pi")
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


@holds("x = (1, 0)", "x' = (0.6, 0.8)")
def test_section_statements_stated_numbers():
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


def draw(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def stored(name):
    """The rows of a table that ``docs/theory_tables.py`` has computed."""
    return json.loads(script_of_tables().NUMBERS.read_text())[name]


def numbers(rows):
    return torch.tensor(rows, dtype=torch.float64)


# 1. Linear regression by gradient descent


@holds("w = (X^T X", "K = X X^T")
def test_section_1_the_two_forms_of_ridge_regression():
    x, y, rho = draw(5, 3), draw(5, seed=1), 0.3
    one = torch.linalg.solve(x.T @ x + rho * torch.eye(3).double(), x.T @ y)
    other = x.T @ torch.linalg.solve(x @ x.T + rho * torch.eye(5).double(), y)
    torch.testing.assert_close(one, other)
    w = one.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((x @ w - y).square().sum() + rho * w.square().sum(), w)
    assert gradient.abs().max() < 1e-12
    kernel = KernelRidge(Linear(), x, y[:, None], rho)
    torch.testing.assert_close(kernel(x)[:, 0], x @ one)


@holds("u(t) = (I", "u = X w - y", r"u(t) = \sum_i")
def test_section_1_descent_multiplies_the_error_by_powers_of_the_kernel():
    x, y, rate, steps = draw(5, 7), draw(5, seed=1), 0.01, 20
    w = draw(7, seed=2)
    start = x @ w - y
    for _ in range(steps):
        w = w - rate * x.T @ (x @ w - y)
    kernel = x @ x.T
    step = torch.eye(5).double() - rate * kernel
    torch.testing.assert_close(x @ w - y, torch.linalg.matrix_power(step, steps) @ start)
    values, vectors = torch.linalg.eigh(kernel)
    small = torch.linalg.matrix_power(torch.eye(5).double() - 1e-6 * kernel, 200_000) @ start
    flow = sum(math.exp(-0.2 * value) * v * (v @ start) for value, v in zip(values, vectors.T, strict=True))
    torch.testing.assert_close(small, flow, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.linalg.matrix_exp(-0.2 * kernel) @ start, flow)
    # With a mean over n points, the exponent is divided by n.
    w = draw(7, seed=2).requires_grad_()
    (gradient,) = torch.autograd.grad(0.5 * (x @ w - y).square().mean(), w)
    torch.testing.assert_close(x @ gradient, kernel @ start / 5)


# 2. The kernel trick


@holds(r"x \cdot x'", r"(x \cdot x' + c)^d", r"\exp(-\lvert", r"\tanh(a")
def test_section_2_the_table_of_kernels():
    x, y = [0.3, -1.2], [0.7, 0.4]
    inner, distance = (
        sum(a * b for a, b in zip(x, y, strict=True)),
        sum((a - b) ** 2 for a, b in zip(x, y, strict=True)),
    )
    for kernel, wanted in (
        (Linear(), inner),
        (Polynomial(3, 0.5), (inner + 0.5) ** 3),
        (Gaussian(0.8), math.exp(-distance / (2 * 0.8**2))),
        (Sigmoid(1.5, 0.2), math.tanh(1.5 * inner + 0.2)),
    ):
        found = kernel(torch.tensor([x], dtype=torch.float64), torch.tensor([y], dtype=torch.float64))
        assert found.item() == pytest.approx(wanted, rel=1e-14)


@holds(r"k(x, x') = \phi", "f(x) = k(x, X)", r"c = (K + \rho I)^{-1} y", r"L = \frac12 |f - y|^2")
def test_section_2_kernel_ridge_regression_is_that_of_the_features():
    x, y, new, rho, kernel = draw(8, 2), draw(8, 1, seed=1), draw(5, 2, seed=2), 0.1, Polynomial(3)
    features = kernel.features(x)
    torch.testing.assert_close(features @ features.T, kernel(x))
    w = torch.linalg.solve(features.T @ features + rho * torch.eye(features.shape[1]).double(), features.T @ y)
    wanted = kernel.features(new) @ w
    torch.testing.assert_close(KernelRidge(kernel, x, y, rho)(new), wanted)
    c = torch.linalg.solve(kernel(x) + rho * torch.eye(8).double(), y)
    torch.testing.assert_close(kernel(new, x) @ c, wanted)


@holds(r"w \sim N(0, 1/\sigma^2)")
def test_section_2_random_features_of_the_gaussian_kernel():
    sigma, count, x = 0.5, 64, torch.tensor([[0.0], [0.4]], dtype=torch.float64)
    k = math.exp(-(0.4**2) / (2 * sigma**2))
    w = draw(20_000, count) / sigma
    estimates = torch.cos(0.4 * w).mean(1)  # sin sin + cos cos
    assert estimates.mean().item() == pytest.approx(k, abs=4 * estimates.std().item() / 20_000**0.5)
    assert estimates.std().item() == pytest.approx((1 - k**2) / math.sqrt(2 * count), rel=0.03)
    features = RandomFourierFeatures(Gaussian(sigma), 1, count).features(x)
    assert features.shape == (2, 2 * count)
    assert features.square().sum(1).tolist() == pytest.approx([1, 1])
    assert "$(1 -\nk^2) / \\sqrt{2m}$" in GUIDE


@holds(r"c^T K c \ge 0", r"c^T K c = \lvert")
def test_section_2_inner_products_are_positive_and_the_sigmoid_is_not():
    x, kernel = draw(9, 2), Polynomial(3)
    for c in draw(5, 9, seed=1):
        assert (c @ kernel(x) @ c).item() == pytest.approx((c @ kernel.features(x)).square().sum().item())
    for kernel in (Gaussian(0.4) + Linear(), Gaussian(0.4) * Polynomial(2)):
        assert torch.linalg.eigvalsh(kernel(x))[0] > -1e-10
    assert torch.linalg.eigvalsh(Sigmoid(1.0, 1.0)(torch.tensor([[0.0], [1.0], [2.0]]).double()))[0] < -0.01


@holds(r"\sum_i \mu_i", r"\mu_i \ge 0", r"\int k(x, x')", "p = N(0, 1)", r"\mu_i = \sqrt", r"b = 1/2\sigma^2")
@holds(r"A = \frac14", "B = b/A")
def test_section_2_mercers_expansion_of_the_gaussian_kernel():
    sigma = 0.9
    nodes, weights = (torch.tensor(v) for v in hermegauss(90))
    weights = weights / weights.sum()  # the integral over p
    kernel = Gaussian(sigma)(nodes[:, None])
    values, vectors = torch.linalg.eigh(weights.sqrt()[:, None] * kernel * weights.sqrt())
    values, functions = values.flip(0), (vectors / weights.sqrt()[:, None]).flip(1)
    b = 1 / (2 * sigma**2)
    a = 0.25 + b + math.sqrt(1 / 16 + b / 2)
    formula = torch.tensor([math.sqrt(1 / (2 * a)) * (b / a) ** i for i in range(12)], dtype=torch.float64)
    torch.testing.assert_close(values[:12], formula, rtol=1e-9, atol=1e-14)
    assert values.min() > -1e-14
    middle = nodes.abs() < 3  # further out, weights are below rounding
    integrals = kernel @ (weights[:, None] * functions[:, :8])
    torch.testing.assert_close(integrals[middle], (functions[:, :8] * values[:8])[middle])
    series = (functions * values) @ functions.T
    torch.testing.assert_close(series[middle][:, middle], kernel[middle][:, middle])
    estimate = torch.linalg.eigvalsh(Gaussian(sigma)(draw(1000, 1)) / 1000).flip(0)
    torch.testing.assert_close(estimate[:4], formula[:4], rtol=0.15, atol=0)


@holds(r"f(x) = w \cdot \phi(x)", r"|f|_k = \min", r"\langle f", r"|f|_k^2 = c^T", r"|f(x) - f(x')| \le |f|_k")
def test_section_2_norm_and_values_in_the_space_of_a_kernel():
    x, c, kernel = draw(6, 2), draw(6, seed=1), Polynomial(3, 0.7)
    w = c @ kernel.features(x)  # of f = sum c_i k(x_i, .)
    new = draw(40, 2, seed=2)
    f = kernel(new, x) @ c
    torch.testing.assert_close(kernel.features(new) @ w, f)  # <f, k(x, .)> = f(x)
    norm = (c @ kernel(x) @ c).sqrt()
    torch.testing.assert_close(w.norm(), norm)
    # Features that appear twice have many w for the same function; the smallest has the norm.
    twice = torch.cat([kernel.features(new)] * 2, dim=1) / 2**0.5
    torch.testing.assert_close((torch.linalg.pinv(twice) @ f).norm(), norm)
    assert (2**0.5 * torch.cat([w, 0 * w])).norm() > 1.4 * norm
    k = kernel(new)
    distance = (k.diagonal()[:, None] + k.diagonal() - 2 * k).clamp(min=0).sqrt()
    assert ((f[:, None] - f).abs() <= norm * distance * (1 + 1e-9) + 1e-6).all()


@holds(r"f = \sum_i c_i\, k(x_i, \cdot)")
def test_section_2_the_representer_theorem_for_the_logistic_loss():
    x, kernel, rho = 0.5 * draw(6, 2), Polynomial(3), 0.2
    signs = torch.tensor([1.0, -1, 1, 1, -1, -1]).double()
    features = kernel.features(x)
    w = draw(features.shape[1], seed=1)
    for _ in range(50):  # Newton's method
        p = torch.sigmoid(-signs * (features @ w))
        gradient = -features.T @ (signs * p) + rho * w
        hessian = features.T @ ((p * (1 - p))[:, None] * features) + rho * torch.eye(len(w)).double()
        w = w - torch.linalg.solve(hessian, gradient)
    assert gradient.norm() < 1e-12
    outside = w - features.T @ torch.linalg.lstsq(features.T, w[:, None]).solution[:, 0]
    assert outside.norm() < 1e-8 * w.norm()
    assert features.shape[1] > len(features)
    # And the coefficients are minus the slopes over rho.
    slopes = -signs * torch.sigmoid(-signs * (features @ w))
    torch.testing.assert_close(-features.T @ slopes / rho, w)


@holds(r"w_\infty = w_0")
def test_section_2_descent_arrives_at_the_nearest_interpolation():
    phi, y, start = draw(4, 9), draw(4, seed=1), draw(9, seed=2)
    w = start
    for _ in range(2000):
        w = w - 0.05 * phi.T @ (phi @ w - y)
    wanted = start + phi.T @ torch.linalg.solve(phi @ phi.T, y - phi @ start)
    torch.testing.assert_close(w, wanted)
    torch.testing.assert_close(wanted - start, torch.linalg.pinv(phi) @ (y - phi @ start))
    other = wanted + draw(9, seed=3) - torch.linalg.pinv(phi) @ (phi @ draw(9, seed=3))
    torch.testing.assert_close(phi @ other, y)
    assert (other - start).norm() > (wanted - start).norm()
    ridge = phi.T @ torch.linalg.solve(phi @ phi.T + 1e-9 * torch.eye(4).double(), y)
    torch.testing.assert_close(ridge, torch.linalg.pinv(phi) @ y, rtol=1e-6, atol=1e-7)


# 3. Wide networks are Gaussian processes


@holds(r"\Sigma_0(x, x') = x \cdot x'", "c_s = 1 / E[s(z)^2]", r"z \sim N(0, 1)")
def test_section_3_the_recursion_by_sampling():
    x = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64)
    c = 1 / torch.erf(draw(1_000_000)).square().mean().item()
    assert c == pytest.approx(1 / dual("erf").square(torch.ones(()).double()).item(), rel=0.01)
    sigma = x @ x.T
    for depth in (1, 2):
        pair = torch.linalg.cholesky(sigma) @ draw(2, 400_000, seed=depth)
        values = torch.erf(pair)
        sigma = c * values @ values.T / 400_000
        torch.testing.assert_close(InfiniteMLP(depth, "erf", "unit_variance").nngp(x), sigma, rtol=0.02, atol=0)


def plane(a, b, c, values, count=160):
    """``E[s(u) s(v)]`` by a product rule."""
    nodes, weights = hermegauss(count)
    weights = weights / weights.sum()
    u = math.sqrt(a) * nodes[:, None]
    v = c / math.sqrt(a) * nodes[:, None] + math.sqrt(b - c**2 / a) * nodes
    products = values(torch.tensor(u)) * values(torch.tensor(v))
    return (torch.tensor(weights) @ products @ torch.tensor(weights)).item()


@holds(r"\sqrt{ab}\,", r"(\pi - \theta) / 2\pi", r"\frac2\pi \arcsin", r"\frac4\pi /", r"\sinh c", r"\cosh c")
@holds(r"\theta = \arccos(c / \sqrt{ab})")
def test_section_3_the_table_of_expectations():
    a, b, c = 0.8, 1.3, -0.4
    scale, theta = (1 + 2 * a) * (1 + 2 * b), math.acos(c / math.sqrt(a * b))
    stated = {
        "erf": (2 / math.pi * math.asin(2 * c / math.sqrt(scale)), 4 / math.pi / math.sqrt(scale - 4 * c**2)),
        "sin": (math.exp(-(a + b) / 2) * math.sinh(c), math.exp(-(a + b) / 2) * math.cosh(c)),
        "relu": (
            math.sqrt(a * b) * (math.sin(theta) + (math.pi - theta) * math.cos(theta)) / (2 * math.pi),
            (math.pi - theta) / (2 * math.pi),
        ),
    }
    slope = lambda z: 2 / math.sqrt(math.pi) * torch.exp(-(z**2))  # noqa: E731
    # In polar coordinates E[r^2] = 2, and the angle is uniform.
    turn = torch.linspace(0, 2 * math.pi, 400_001, dtype=torch.float64)[:-1]
    u, v = math.sqrt(a) * turn.cos(), math.sqrt(b) * (turn - theta).cos()
    numeric = {
        "erf": (plane(a, b, c, torch.erf), plane(a, b, c, slope)),
        "sin": (plane(a, b, c, torch.sin), plane(a, b, c, torch.cos)),
        "relu": (2 * (u.relu() * v.relu()).mean().item(), ((u > 0) & (v > 0)).double().mean().item()),
    }
    variances = [torch.tensor(value, dtype=torch.float64) for value in (a, b, a + b - 2 * c)]
    for name, (product, slopes) in stated.items():
        assert (product, slopes) == pytest.approx(numeric[name], abs=1e-5 if name == "relu" else 1e-10), name
        of = dual(name)
        found = (of.square(variances[0]) + of.square(variances[1]) - of.gap(*variances)) / 2
        assert (found.item(), of.slopes(*variances).item()) == pytest.approx((product, slopes), abs=1e-14), name


@holds(r"\frac{c_s}{n} \sum_j s(\bar z_j(x))", r"z(x) = \sqrt{c_s / n}", r"W_j \sim N(0, 1)")
def test_section_3_given_the_layers_below_an_output_is_gaussian():
    x, apart = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64), []
    limit = InfiniteMLP(2, "relu", "unit_variance").nngp(x)
    for width in (16, 256):
        grams = []
        for seed in range(80):
            with torch.no_grad():
                below = finite_mlp(2, width, 2, seed, parameterization="unit_variance")[:-1](x)  # s(z)
            grams.append(2 * below @ below.T / width)  # c_s = 2
        apart.append(torch.stack([(gram - limit).norm() for gram in grams]).square().mean().sqrt())
        fresh = math.sqrt(2 / width) * draw(40_000, width, seed=5) @ below.T
        torch.testing.assert_close(fresh.T @ fresh / 40_000, grams[-1], rtol=0.03, atol=0.01)
        white = fresh[:, 0] / grams[-1][0, 0].sqrt()
        assert (white**4).mean().item() == pytest.approx(3, abs=4 * 96**0.5 / 40_000**0.5)  # whatever the width
    assert (apart[0] / apart[1]).item() == pytest.approx(4, rel=0.35)


# 4. The neural tangent kernel


def small(width=16, hidden=2):
    return finite_mlp(2, width, hidden, 0, torch.nn.Tanh(), parameterization="unit_variance")


@holds(r"f(x; \theta + \Delta)")
def test_section_4_the_taylor_step_is_wrong_by_a_square():
    model, x, errors = small(), draw(5, 2), []
    change = [draw(*p.shape, seed=i) for i, p in enumerate(model.parameters())]
    for size in (1e-3, 5e-4):
        linear, moved = Linearized(model), small()
        with torch.no_grad():
            for p, d, c in zip(moved.parameters(), linear.delta, change, strict=True):
                p += size * c
                d += size * c
            errors.append((moved(x) - linear(x)).norm())
    assert (errors[0] / errors[1]).item() == pytest.approx(4, rel=0.05)


@holds(r"\Theta(x, x') = J(x)", r"\phi(x) = J(x)^T", r"\Theta = \sum_p J_p J_p^T")
def test_section_4_the_jacobian_is_the_feature_map():
    model, x = small(), draw(5, 2)
    parameters = list(model.parameters())
    rows = [torch.autograd.grad(model(point[None]).squeeze(), parameters) for point in x]
    features = torch.stack([torch.cat([g.flatten() for g in row]) for row in rows])
    kernel = empirical_ntk_trace(model, x)
    torch.testing.assert_close(features @ features.T, kernel)
    apart = empirical_ntk_by_parameter(model, x)
    torch.testing.assert_close(sum(apart.values())[..., 0, 0], kernel)
    for kernel_of_one, gradients in zip(apart.values(), zip(*rows, strict=True), strict=True):
        block = torch.stack([g.flatten() for g in gradients])
        torch.testing.assert_close(kernel_of_one[..., 0, 0], block @ block.T)
    # The elementwise product of Gram matrices, of the layers' inputs and of the gradients at their outputs.
    found = layers(model, x)
    products = [(one.inputs @ one.inputs.T) * (one.signals[:, 0] @ one.signals[:, 0].T) for one in found]
    torch.testing.assert_close(sum(products), kernel)


@holds(r"\Theta_0 = \Sigma_0", r"\Theta_L = \sum_{h=0}^{L}")
def test_section_4_the_recursion_and_what_it_is_multiplied_out():
    x = draw(4, 2) / 2
    sigma = theta = x @ x.T
    sigmas, slopes = [sigma], []
    for _ in range(3):
        # The table of section 3 for erf.
        scale = (1 + 2 * sigma.diagonal()[:, None]) * (1 + 2 * sigma.diagonal())
        c = 1 / (2 / math.pi * math.asin(2 / 3))
        dotted = c * 4 / math.pi / (scale - 4 * sigma**2).sqrt()
        sigma = c * 2 / math.pi * torch.asin(2 * sigma / scale.sqrt())
        theta = sigma + theta * dotted
        sigmas.append(sigma)
        slopes.append(dotted)
    mlp = InfiniteMLP(3, "erf", "unit_variance")
    torch.testing.assert_close(mlp.ntk(x), theta)
    for h, part in enumerate(mlp.ntk_by_layer(x)):
        product = torch.stack([torch.ones_like(sigma), *slopes[h:]]).prod(0)
        torch.testing.assert_close(part.weight, sigmas[h] * product)
    torch.testing.assert_close(sum(part.weight for part in mlp.ntk_by_layer(x)), theta)


@holds(r"W = w_{std} / \sqrt{\text{fan in}} \cdot N(0, 1)")
def test_section_4_parameterizations_and_pytorchs_initialization():
    matrices = {p: finite_mlp(50, 400, 1, 0, w_std=1.5, parameterization=p)[0] for p in ("ntk", "standard")}
    trained = matrices["ntk"].linear.weight
    assert trained.std().item() == pytest.approx(1, rel=0.02)
    torch.testing.assert_close(matrices["standard"].weight, 1.5 / math.sqrt(50) * trained)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        weight = torch.nn.Linear(300, 300).weight
    assert weight.var().item() == pytest.approx(1 / (3 * 300), rel=0.01)
    assert weight.abs().max() <= 300**-0.5  # uniform


@holds(r"\frac{c_s}{n} \sum_{j, k} W_j W_k", r"E[W_j W_k] = \delta_{jk}", "h = 1")
def test_section_4_the_weights_below_pass_through_fresh_ones():
    x, width = torch.tensor([[1.0, 0.0], [0.6, 0.8]], dtype=torch.float64), 24
    c = 1 / dual(torch.tanh).square(torch.ones(()).double()).item()

    def double_sum(model, units):
        """The sum over units j, k, with the kernels of all pairs of the outputs of ``units``."""
        pre = units(x).detach()
        slope = model[-1].linear.weight[0] * (1 - pre.tanh() ** 2)  # W_j s'(z_j), (n, width)
        return c / width * torch.einsum("nj,mk,nmjk->nm", slope, slope, empirical_ntk(units, x)).detach()

    one = small(width, 1)
    below = empirical_ntk_by_parameter(one, x)["0.linear.weight"][..., 0, 0]
    torch.testing.assert_close(double_sum(one, one[:1]), below)
    exact = torch.eye(width).double() * (x @ x.T)[..., None, None]  # for h = 1: delta_jk x . x'
    torch.testing.assert_close(empirical_ntk(one[:1], x), exact)
    two = small(width, 2)
    apart = empirical_ntk_by_parameter(two, x)
    below = apart["0.linear.weight"] + apart["2.linear.weight"]
    torch.testing.assert_close(double_sum(two, two[:3]), below[..., 0, 0])
    # Between different units the kernel vanishes as the width grows.
    cross = []
    for n in (24, 384):
        pair = small(n, 2)[:3]
        kernel = empirical_ntk(pair, x)[0, 1]
        cross.append((kernel - kernel.diagonal().diag()).square().mean().sqrt() / kernel.diagonal().mean())
    assert (cross[0] / cross[1]).item() == pytest.approx(4, rel=0.4)


@holds(r"f(x) = \frac1{\sqrt m}", r"K_b = \frac1m", r"K_b = (\sin\theta", r"K_a = (\pi - \theta)", r"\Theta_1 = c_s")
def test_section_4_the_two_kernels_of_the_textbook_network():
    theta = torch.linspace(0, math.pi, 7, dtype=torch.float64)
    x = torch.stack([theta.cos(), theta.sin()], dim=-1)
    model = TextbookNetwork(2, 100_000, 0)
    a, b = model.a.detach(), model.b.detach()
    torch.testing.assert_close(model(x)[:, 0], (x @ a.T).relu() @ b / math.sqrt(100_000))
    last = (x @ a.T).relu() @ (x[0] @ a.T).relu() / 100_000
    first = (b**2 * (x @ a.T > 0).double()) @ (x[0] @ a.T > 0).double() / 100_000 * (x @ x[0])
    stated_last = (theta.sin() + (math.pi - theta) * theta.cos()) / (2 * math.pi)
    stated_first = (math.pi - theta) * theta.cos() / (2 * math.pi)
    torch.testing.assert_close(last, stated_last, atol=0.02, rtol=0)
    torch.testing.assert_close(first, stated_first, atol=0.02, rtol=0)
    apart = empirical_ntk_by_parameter(TextbookNetwork(2, 1000, 0), x[:1], x)
    assert list(apart) == ["a", "b"]
    mlp = InfiniteMLP(1, "relu", "unit_variance")
    torch.testing.assert_close(mlp.ntk(x[:1], x)[0], 2 * (stated_first + stated_last))
    kernels = [part.weight[0] for part in mlp.ntk_by_layer(x[:1], x)]
    torch.testing.assert_close(kernels, [2 * stated_first, 2 * stated_last])


@holds("f(cx) = c f(x)", "c > 0")
def test_section_4_when_the_kernel_is_strictly_positive():
    for (*case, ratio), (*kept_case, kept) in zip(script_of_tables().positive(), stored("positive"), strict=True):
        assert case == kept_case
        assert ratio == pytest.approx(kept, rel=1e-3)
    model, x = finite_mlp(2, 8, 1, 0), draw(6, 2)
    torch.testing.assert_close(model(3 * x), 3 * model(x))
    odd = lambda points: model(points) - model(-points)  # noqa: E731
    torch.testing.assert_close(odd(x + x.flip(0)), odd(x) + odd(x.flip(0)))
    circle = script_of_tables().circle(32)
    values = frequency_eigenvalues(InfiniteMLP(1, "relu", "ntk").ntk(circle))
    assert (values[3:16:2] < 1e-8 * values[0]).all()  # the angle of opposite points has half of the digits
    assert values[1] > 0.1 * values[0]
    assert (values[2::2] > 1e-5 * values[0]).all()
    # Linear regression on 2m features has rank 2m, a network on them any.
    encoder, points = GaussianEncoder(1, 8, 3.0, dtype=torch.float64), grid_points([40])
    assert torch.linalg.matrix_rank(encoder(points) @ encoder(points).T, rtol=1e-12) <= 16
    spectrum = eigenvalues(InfiniteMLP(1, "relu", "ntk", encoder=encoder).ntk(points))
    assert spectrum[-1] > 1e-6 * spectrum[0]


@holds(r"\kappa = |D^2 f", r"\kappa_{\alpha f} = \kappa_f / \alpha", "f(0) = 0", r"\alpha = \sqrt m")
def test_section_4_lazy_or_rich():
    x, y = draw(4, 2), draw(4, 1, seed=1)
    model = TextbookNetwork(2, 5, 0, torch.tanh)
    kappas = []
    for alpha in (1.0, 4.0):
        scaled = TextbookNetwork(2, 5, 0, torch.tanh, alpha / 5**0.5)
        kappas.append(laziness(scaled, x, y + scaled(x).detach()))  # f(0) = 0
    assert kappas[0] == pytest.approx(4 * kappas[1])
    # kappa, by differences: the Jacobian at a small part of the step.
    linear = jacobian(model, x)
    slope = torch.cat(linear, dim=-1)[:, 0]
    step, part = torch.linalg.pinv(slope) @ y[:, 0], 1e-6
    with torch.no_grad():
        for p, d in zip(model.parameters(), step.split([10, 5]), strict=True):
            p += part * d.view(p.shape)
    bent = (torch.cat(jacobian(model, x), dim=-1)[:, 0] - slope) / part
    assert kappas[0] == pytest.approx((bent.norm() / slope.norm()).item(), rel=1e-4)
    # The 1 / sqrt(m) network is the mean-field one times sqrt(m).
    one, other = TextbookNetwork(2, 9, 0), TextbookNetwork(2, 9, 0, scale=1 / 9)
    torch.testing.assert_close(one(x), 3 * other(x))


def test_section_4_the_tables_of_lazy_and_rich_training_obey_the_laws():
    alpha, kappa, change, _ = numbers(stored("scales")).T
    torch.testing.assert_close(kappa * alpha, kappa[2].expand(5), rtol=0.01, atol=0)
    assert (change.diff() < 0).all()
    width, kappa, change, _, mean_field_kappa, mean_field_change, _ = numbers(stored("widths")).T
    slopes = (kappa[-1] / kappa[0]).log() / (width[-1] / width[0]).log()
    assert slopes.item() == pytest.approx(-0.5, abs=0.05)
    assert (change[:-1] / change[1:] > 2).all()
    for column in (mean_field_kappa, mean_field_change):
        torch.testing.assert_close(column, column[0].expand(3), rtol=0.1, atol=0)
    # The same network by two names.
    assert stored("scales")[0][1:] == stored("widths")[1][4:]


@pytest.mark.long
@pytest.mark.parametrize("name", ["scales", "widths"])
def test_section_4_the_tables_of_lazy_and_rich_training_are_what_the_script_finds(name):
    found = numbers(script_of_tables().TABLES[name].rows())
    # Training far from the initial weights amplifies rounding, which differs between processors: by 5% at width 64.
    torch.testing.assert_close(found, numbers(stored(name)), rtol=0.1, atol=0)


# 5. Predicting training


@holds(r"f(t) - y = e^{-\eta \Theta t}")
def test_section_5_predictions_on_and_off_the_training_points():
    x, new, y = draw(6, 2), draw(3, 2, seed=1), draw(6, 1, seed=2)
    model = small()
    theta, cross = empirical_ntk_trace(model, x), empirical_ntk_trace(model, new, x)
    linear, rate, steps = Linearized(model), 1e-3, 100
    optimizer = torch.optim.SGD(linear.parameters(), lr=rate)
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (linear(x) - y).square().sum()).backward()
        optimizer.step()
    start, there = model(x).detach(), model(new).detach()
    decay = torch.linalg.matrix_exp(-rate * steps * theta)
    missing = (torch.eye(6).double() - decay) @ (y - start)
    # Steps instead of the flow: the error of a step is half the square of its exponent, times the signal.
    error = 1.5 * steps * (rate * eigenvalues(theta)[0].item()) ** 2
    torch.testing.assert_close(linear(x).detach(), y + decay @ (start - y), atol=error, rtol=0)
    wanted = there + cross @ torch.linalg.solve(theta, missing)
    torch.testing.assert_close(linear(new).detach(), wanted, atol=error, rtol=0)
    dynamics = KernelDynamics(theta)
    torch.testing.assert_close(there + dynamics.change(cross, start - y, steps, rate), wanted)
    discrete = dynamics.residual(start - y, steps, rate, discrete=True)  # (1 - eta lambda)^t
    torch.testing.assert_close(linear(x).detach() - y, discrete)


@holds(r"f_\infty(x) = f_0(x)")
def test_section_5_trained_for_ever_it_is_kernel_ridge_regression():
    x, new, y = draw(5, 6), draw(8, 6, seed=1), draw(5, 1, seed=2)
    model = finite_mlp(6, 64, 2, 0, torch.nn.Tanh())
    kernel = lambda a, b: empirical_ntk_trace(model, a, b)  # noqa: E731
    values = eigenvalues(kernel(x, x))
    for ridge in (0.0, 0.5):
        linear = Linearized(model)
        high, low = (math.sqrt(values[i].item() + ridge) for i in (0, -1))
        momentum = ((high - low) / (high + low)) ** 2
        optimizer = torch.optim.SGD(
            linear.parameters(), lr=4 / (high + low) ** 2, momentum=momentum, weight_decay=ridge
        )
        for _ in range(120):
            optimizer.zero_grad()
            (0.5 * (linear(x) - y).square().sum()).backward()
            optimizer.step()
        start = model(x).detach()
        wanted = model(new) + KernelRidge(kernel, x, y - start, ridge)(new)
        assert (linear(new) - wanted).abs().max() < 5e-15 * wanted.abs().max(), ridge
    # Stopping early learns of an eigenvector about what a ridge of 1 / (eta t) does.
    exponent = torch.logspace(-3, 3, 61, dtype=torch.float64)
    descent, ridge = 1 - torch.exp(-exponent), exponent / (exponent + 1)
    assert (descent / ridge - 1).abs().max() < 0.3
    flow = KernelDynamics(kernel(x, x)).decay(2.0, 0.3)
    torch.testing.assert_close(1 - flow, (1 - torch.exp(-0.6 * values)).flip(0))


@holds(r"\dot f(x) = -\eta \sum_i")
def test_section_5_gradient_flow_of_any_loss():
    x, new, rate = draw(5, 2), draw(3, 2, seed=1), 1e-6
    signs = torch.tensor([[1.0], [-1], [1], [1], [-1]]).double()
    model = small()
    theta, cross = empirical_ntk_trace(model, x), empirical_ntk_trace(model, new, x)
    before, there = model(x).detach(), model(new).detach()
    slope = -signs * torch.sigmoid(-signs * before)
    loss = torch.nn.functional.softplus(-signs * model(x)).sum()
    loss.backward()
    torch.optim.SGD(model.parameters(), lr=rate).step()
    torch.testing.assert_close((model(new) - there).detach() / rate, -cross @ slope, rtol=1e-3, atol=1e-4)
    after = torch.nn.functional.softplus(-signs * model(x)).sum()
    assert ((after - loss) / rate).item() == pytest.approx(-(slope.T @ theta @ slope).item(), rel=1e-3)
    assert after < loss
    weights = descent_weights(theta, before, lambda f: -signs * torch.sigmoid(-signs * f), rate, 1)
    torch.testing.assert_close(cross @ weights / rate, -cross @ slope)


# 6. Fourier features set the kernel


@holds(r"\gamma(x) = [a_j", r"h(\delta) = \sum_j", r"\delta = x - x'", r"b_j \sim N(0, \sigma^2)", "a_j^2 = 1/m")
def test_section_6_the_kernel_of_fourier_features():
    sigma, x = 3.0, torch.rand(6, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    encoder = GaussianEncoder(2, 50_000, sigma, normalize=True, dtype=torch.float64)
    features, phase = encoder(x), 2 * math.pi * x @ encoder.B.T
    torch.testing.assert_close(features, torch.cat([phase.sin(), phase.cos()], dim=-1) / math.sqrt(50_000))
    torch.testing.assert_close(features.norm(dim=1), torch.ones(6).double())
    delta = x[:, None] - x
    h = torch.cos(2 * math.pi * delta @ encoder.B.T).mean(-1)
    torch.testing.assert_close(features @ features.T, h)
    mean = torch.exp(-2 * math.pi**2 * sigma**2 * delta.square().sum(-1))
    torch.testing.assert_close(h, mean, atol=0.02, rtol=0)
    # kappa is a function of h alone: that of unit vectors at the angle arccos h.
    theta = InfiniteMLP(2, "erf", "unit_variance", encoder=encoder).ntk(x)
    for i, j in ((0, 1), (2, 5)):
        pair = torch.tensor([[1.0, 0.0], [h[i, j], (1 - h[i, j] ** 2).sqrt()]], dtype=torch.float64)
        kappa = InfiniteMLP(2, "erf", "unit_variance").ntk(pair)[0, 1]
        torch.testing.assert_close(theta[i, j], kappa)
    half = math.sqrt(math.log(2) / 2) / math.pi / sigma
    assert math.exp(-2 * math.pi**2 * sigma**2 * half**2) == pytest.approx(0.5)
    assert r"the mean of $h$ is $\exp(-2\pi^2 \sigma^2" in GUIDE


@holds("v^* K v")
def test_section_6_grids_reduce_kernels_to_ffts():
    x = grid_points([24])
    periodic = InfiniteMLP(2, "relu", "ntk", encoder=PositionalEncoder(1, 3)).ntk
    row = periodic(x)[0]
    dense = torch.linalg.eigvalsh(periodic(x))
    torch.testing.assert_close(torch.fft.fft(row).real.sort().values, dense)
    torch.testing.assert_close(circulant_eigenvalues(stationary_row(periodic, [24])).sort().values, dense)
    other = InfiniteMLP(2, "relu", "ntk", encoder=GaussianEncoder(1, 16, 3.0)).ntk
    vectors = draw(24, 2)
    torch.testing.assert_close(GridKernel(stationary_steps(other, [24]))(vectors), other(x) @ vectors)
    wave = torch.exp(2j * math.pi * 5 * x[:, 0]) / 24**0.5
    rayleigh = (wave.conj() @ other(x).to(wave.dtype) @ wave).real
    torch.testing.assert_close(frequency_eigenvalues(other(x))[5], rayleigh)


# 7. Spectral bias


@holds("a_j = j^{-p}")
def test_section_7_amplitudes_are_powers_of_the_frequency():
    for p in (0.5, 1.0):
        features = script("power_law").encoder(p)(grid_points([32]))
        squares = frequency_eigenvalues(features @ features.T)  # of the amplitudes
        j = torch.arange(1, 16, dtype=torch.float64)
        torch.testing.assert_close(squares[1:16] / squares[1], j ** (-2 * p))
    kept = json.loads((DOCS / "figures" / "power_law.json").read_text())["powers"]
    for p, found in kept.items():
        kernel = InfiniteMLP(3, "relu", "ntk", math.sqrt(2), encoder=script("power_law").encoder(float(p)))
        values = circulant_eigenvalues(stationary_row(kernel.ntk, [32]))[:17]
        torch.testing.assert_close(values, torch.tensor(found["eigenvalues"]).double(), rtol=1e-4, atol=0)


def test_section_7_depth_spreads_the_spectrum():
    found = numbers(script_of_tables().depths())
    torch.testing.assert_close(found, numbers(stored("depths")), rtol=1e-3, atol=0)
    assert (found[:, 1:].diff(dim=0) < 0).all()
    # The limit of infinite depth.
    one = torch.ones(3, dtype=torch.float64)
    values = InfiniteMLP(1000, "relu", "unit_variance").propagate(one, one, torch.tensor([0.0, 0.5, 2.0]).double())[1]
    assert (values[1:] / values[0]).tolist() == pytest.approx([0.25, 0.25], abs=6e-3)
    assert r"is $\frac14$ of that at equal ones" in GUIDE


# Statements that are often imprecise


@holds(r"K_a = \frac1m")
def test_section_statements_the_first_layers_kernel_needs_the_derivative():
    x = torch.tensor([[3.0, 0.0], [1.8, 2.4]], dtype=torch.float64)
    model = TextbookNetwork(2, 64, 0, torch.tanh)
    a, b = model.a.detach(), model.b.detach()
    found = empirical_ntk_by_parameter(model, x)["a"][0, 1, 0, 0].item()
    with_slopes = (b**2 * (1 - (x[0] @ a.T).tanh() ** 2) * (1 - (x[1] @ a.T).tanh() ** 2)).mean() * (x[0] @ x[1])
    without = (b**2 * (x[0] @ a.T).tanh() * (x[1] @ a.T).tanh()).mean() * (x[0] @ x[1])
    assert found == pytest.approx(with_slopes.item())
    assert found != pytest.approx(without.item(), rel=0.2)


@holds(r"u(t) = \sum_i e^{-\lambda_i t}")
def test_section_statements_the_exponential_is_a_matrix_and_the_mean_has_its_factor():
    kernel, start = Gaussian(0.5)(draw(5, 1)), draw(5, seed=1)
    values, vectors = torch.linalg.eigh(kernel)
    wanted = sum(torch.exp(-2 * value) * v * (v @ start) for value, v in zip(values, vectors.T, strict=True))
    flow = KernelDynamics(kernel).residual(start[:, None], 2.0, 1.0)[:, 0]
    torch.testing.assert_close(flow, wanted)
    by_point = torch.exp(-2 * kernel.diagonal()) * start
    assert (flow - by_point).norm() > 0.1 * flow.norm()
    # A mean of squares: 2 eta Theta t / n.
    f = start.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(f.square().mean(), f)
    torch.testing.assert_close(kernel @ gradient, 2 * kernel @ start / 5)


def test_section_statements_the_initial_output_stays_in_the_trained_one():
    x, new = draw(6, 2), draw(20, 2, seed=1)
    mlp = InfiniteMLP(2, "relu", "ntk", 2**0.5)
    # The covariance over networks of f_0(x) - Theta_* Theta^-1 f_0(X).
    gain = torch.linalg.solve(mlp.ntk(x), mlp.ntk(x, new)).T
    points = torch.cat([new, x])
    contrast = torch.cat([torch.eye(20).double(), -gain], dim=1)
    left = (contrast @ mlp.nngp(points) @ contrast.T).diagonal()
    assert left.mean() > 0.05 * mlp.nngp(new).diagonal().mean()
    # It is the covariance of the ensemble, and no Gaussian process with either kernel as a prior has it.
    _, ensemble = ntk_posterior(mlp.ntk(x), mlp.ntk(new, x), mlp.nngp(x), mlp.nngp(new, x), mlp.nngp(new), draw(6, 1))
    torch.testing.assert_close(ensemble.diagonal(), left)
    for kernel in (mlp.ntk, mlp.nngp):
        _, posterior = nngp_posterior(kernel(x), kernel(new, x), kernel(new), draw(6, 1))
        assert (posterior - ensemble).norm() > 0.05 * ensemble.norm()


def test_section_statements_eigenfunctions_on_a_sphere_are_spherical_harmonics():
    z, weights = (torch.tensor(v) for v in leggauss(16))
    angle = 2 * math.pi * torch.arange(32, dtype=torch.float64) / 32
    r = (1 - z**2).sqrt()[:, None]
    x = torch.stack([(r * angle.cos()), (r * angle.sin()), z[:, None].expand(16, 32)], dim=-1).flatten(0, 1)
    area = weights.repeat_interleave(32) / 64  # as a share of the sphere
    kernel, start = InfiniteMLP(1, "sin", "ntk", 2.0, 0.5).ntk(x), 0
    for degree in range(4):
        harmonics = spherical_harmonics(x, 4)[:, start : start + 2 * degree + 1]
        image = kernel @ (area[:, None] * harmonics)
        torch.testing.assert_close(image, image.norm() / harmonics.norm() * harmonics, atol=1e-9, rtol=0)
        assert image.norm() > 1e-4 * harmonics.norm()
        start += 2 * degree + 1


def test_section_statements_an_arccosine_loses_half_of_the_digits():
    x = torch.nn.functional.normalize(draw(200, 3), dim=1).float()
    cosine = (x * x).sum(1) / (x.norm(dim=1) * x.norm(dim=1))
    naive = 2 * (math.pi - torch.arccos(cosine.clamp(max=1))) / (2 * math.pi)  # of unit variance; 1 is right
    assert 3e-5 < (naive - 1).abs().max() < 3e-4
    exact = InfiniteMLP(1, "relu", "unit_variance").ntk(x.double()).diagonal()
    assert (InfiniteMLP(1, "relu", "unit_variance").ntk(x).diagonal() / exact - 1).abs().max() < 1e-6


@pytest.mark.long
def test_section_6_a_system_of_65536_pixels_is_solved():
    kernel = InfiniteMLP(2, "relu", "ntk", encoder=GaussianEncoder(2, 64, 10.0)).ntk
    solution = GridKernel(stationary_steps(kernel, [256, 256]), ridge=1e-2).solve(draw(65_536, 1))
    assert solution.residuals.item() < 1e-6
    assert "65,536 pixels" in GUIDE


@holds("w_{std} = b_{std} = 1")
def test_section_statements_the_parameterizations_have_kernels_that_are_not_proportional():
    x = draw(5, 2)
    ratios = InfiniteMLP(2, "relu", "standard", 1.0, 1.0, width=64).ntk(x) / InfiniteMLP(
        2, "relu", "ntk", 1.0, 1.0
    ).ntk(x)
    assert ratios.max() > 1.05 * ratios.min()


def test_every_formula_is_held_by_a_test_of_its_section():
    for section, text in sections(GUIDE).items():
        found = formulas(text)
        free = [formula for formula in found if not any(part in formula for part in HELD[section])]
        assert not free, f"section {section}: no test holds {free}; decorate one with @holds"
        stale = [part for part in HELD[section] if not any(part in formula for formula in found)]
        assert not stale, f"section {section}: no formula contains {stale}"


def test_a_formula_that_no_test_holds_is_found():
    text = "## 9. More\nWith $c = d$ and $e$,\n$$a\n= b$$\n| $x^2$ | $y$ |\n"
    assert formulas(sections(text)["9"]) == ["a = b", "x^2", "c = d"]


def test_every_table_without_a_figure_is_in_the_guide():
    assert list(script_of_tables().TABLES) == re.findall(r"<!-- table: (\w+) -->\n\|", GUIDE)


@pytest.mark.parametrize("name", ["positive", "scales", "widths", "depths"])
def test_a_table_without_a_figure_shows_the_numbers_that_were_computed(name):
    """Other tests compute them again."""
    shown = re.search(rf"<!-- table: {name} -->\n(.*?)\n<!-- end -->", GUIDE, re.S)
    assert shown is not None
    assert shown[1] == script_of_tables().TABLES[name].markdown(stored(name))
