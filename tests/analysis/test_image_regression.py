"""Kernel regression of an image, against matrices and against the network's own kernel."""

import math

import numpy as np
import pytest
import torch

from ffnet.analysis import infinite, regression
from ffnet.analysis.image_regression import CURVE_PIXELS, ImageKernel, at_end, disagreement, suited, thinning
from ffnet.analysis.limit import ntk_steps
from ffnet.analysis.milestones import milestones
from ffnet.datasets import ImageDataset
from ffnet.encoders import (
    FourierEncoder,
    GaussianEncoder,
    GridEncoder,
    IdentityEncoder,
    PositionalEncoder,
)
from ffnet.fitting import Objective
from ffnet.kernels import KernelDynamics, as_matrix, empirical_ntk, grid_points, largest_stable_rate, stationary_steps
from ffnet.models import CoordinateMLP
from tests.operators.blur import Blur

SIZES = [(8, 10), (7, 9), (9, 6)]


def picture(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def network(hidden=32, layers=2, initialization="torch", encoder=None, **settings):
    encoder = encoder or GaussianEncoder(2, 64, 3.0, seed=1)
    return CoordinateMLP(encoder, 3, hidden, layers, initialization=initialization, seed=0, **settings).double()


def matrix(height, width):
    """The limit's kernel on all pixels, the pixels, and which of them are known."""
    x = grid_points([height, width])
    known = torch.zeros(height, width, dtype=torch.bool)
    known[::2, ::2] = True
    return infinite(network()).ntk(x), torch.tensor(picture(height, width)).double() / 255, known.flatten()


@pytest.mark.parametrize("size", SIZES)
def test_the_known_pixels_and_all_others_have_the_kernel_s_matrix(size):
    kernel, _, known = matrix(*size)
    found = ImageKernel(stationary_steps(infinite(network()).ntk, list(size)))
    weights = torch.randn(int(known.sum()), 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(found.known(weights), kernel[known][:, known] @ weights)
    torch.testing.assert_close(found.everywhere(weights).flatten(0, 1), kernel[:, known] @ weights)
    assert found.largest() == pytest.approx(torch.linalg.eigvalsh(kernel[known][:, known])[-1].item(), rel=1e-4)


def studied(size, steps=4):
    dataset = ImageDataset(picture(*size), split="half")
    adam = lambda named: torch.optim.Adam([p for _, p in named], lr=1e-2)  # noqa: E731
    objective = Objective(torch.nn.MSELoss())
    return regression(network(output_init=dataset.mean()), dataset, objective, adam, None, steps, 0.5, 0)


@pytest.mark.parametrize("size", SIZES[:2])
def test_regression_and_descent_are_those_of_dense_matrices(size):
    kernel, image, known = matrix(*size)
    report, found = studied(size)
    y = image.flatten(0, 1)[known]
    mean = y.mean(0)
    solved = mean + kernel[:, known] @ torch.linalg.solve(kernel[known][:, known], y - mean)
    torch.testing.assert_close(found["regression"].flatten(0, 1), solved, atol=1e-4, rtol=0)
    dynamics = KernelDynamics(kernel[known][:, known])
    rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
    moved = mean + dynamics.change(kernel[:, known], mean - y, 4, rate, discrete=True)
    torch.testing.assert_close(found["descent"].flatten(0, 1), moved, atol=1e-4, rtol=0)
    squares = (found["descent"].clamp(0, 1) - image).square()
    scores = at_end(report, "descent")
    assert scores["train"] == pytest.approx(-10 * math.log10(squares[::2, ::2].mean()))
    assert scores["held_out"] == pytest.approx(-10 * math.log10(squares[1::2, 1::2].mean()))


def test_the_network_s_curve_starts_at_the_mean_and_rises():
    report, found = studied((8, 10), 30)
    curve = report["network"]["train"]
    assert report["network"]["steps"] == [0, 1, 2, 5, 10, 20, 30]
    assert report["descent"]["steps"][-2:] == [200, 300]
    assert curve[0] == pytest.approx(report["descent"]["train"][0], abs=0.3)
    assert curve[-1] > curve[0] + 1
    assert found["network"].shape == (8, 10, 3)
    assert f"{at_end(report, 'network')['held_out']:.2f} dB by the network after as many steps" in report["statement"]


def test_kernel_and_network_are_compared_at_equal_scores_of_the_known_pixels():
    descent = {"train": [10.0, 20.0, 30.0], "held_out": [8.0, 14.0, 18.0]}
    network = {"train": [10.0, 15.0, 25.0, 35.0], "held_out": [8.0, 11.5, 15.9, 1.0]}
    # The kernel has 11 dB where it has 15 dB of the known ones, and 16 dB where it has 25 dB; it never has 35 dB.
    assert disagreement({"descent": descent, "network": network}) == (0.5, 25.0)
    assert disagreement({"descent": descent, "network": {"train": [9.0], "held_out": [9.0]}}) is None


ENCODERS = {
    "gaussian": GaussianEncoder(2, 8, 3.0, normalize=True),
    "positional": PositionalEncoder(2, 3),
    "radians with amplitudes": FourierEncoder(2, [1.0, 2.5], [[3.0, 1.0]], "radians", amplitudes=[[0.5], [2.0]]),
    "half cycles, in another order": FourierEncoder(2, [1.0, 2.0], unit="half_cycles", layout="freq row trig"),
}


@pytest.mark.parametrize("encoder", ENCODERS.values(), ids=ENCODERS)
@pytest.mark.parametrize("size", SIZES[:2])
def test_the_kernel_at_all_steps_of_a_grid_is_the_limit_s(encoder, size):
    field = network(encoder=encoder)
    found, wanted = ntk_steps(field, size), stationary_steps(infinite(field).ntk, size)
    for axis, count in enumerate(size):  # steps that do not occur
        wanted.select(axis, count).copy_(found.select(axis, count))
    torch.testing.assert_close(found, wanted, atol=0, rtol=1e-6)


@pytest.mark.parametrize("initialization", ["torch", "he"])
def test_the_limit_is_the_mean_of_kernels_and_of_covariances_of_networks(initialization):
    x = torch.rand(4, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    limit, kernels, outputs = infinite(network(48, 2, initialization)), [], []
    for seed in range(60):
        encoder = GaussianEncoder(2, 64, 3.0, seed=1)
        one = CoordinateMLP(encoder, 3, 48, 2, initialization=initialization, seed=seed).double()
        kernel = as_matrix(empirical_ntk(one, x)).reshape(4, 3, 4, 3)
        kernels.append(kernel.diagonal(dim1=1, dim2=3).mean(-1))
        outputs.append(one(x).detach())
    kernels, outputs = torch.stack(kernels), torch.stack(outputs).movedim(-1, 1).flatten(0, 1)
    products = outputs[:, :, None] * outputs[:, None]
    for found, wanted, count in ((kernels, limit.ntk(x), 60), (products, limit.nngp(x), 180)):
        assert ((found.mean(0) - wanted) / (found.std(0) / count**0.5)).abs().max() < 4
        assert ((found.mean(0) - 1.5 * wanted) / (found.std(0) / count**0.5)).abs().max() > 4


@pytest.mark.parametrize(
    ("field", "split", "named"),
    [
        (network(), "all", "dataset.split=half"),
        (network(encoder=GridEncoder(2)), "half", "fixed features, .* got GridEncoder"),
        (network(encoder=IdentityEncoder(2)), "half", "stationary kernel, .* got IdentityEncoder"),
        (network(skips=[1]), "half", "mlp without skips"),
        (network(initialization="glorot"), "half", "got glorot"),
        (torch.nn.Linear(2, 3), "half", "mlp without skips"),
    ],
)
def test_what_has_no_such_kernel_is_refused(field, split, named):
    with pytest.raises(ValueError, match=named):
        suited(field, ImageDataset(picture(8, 8), split=split))


def test_the_curve_of_a_large_image_is_of_pairs_of_rows_and_columns(monkeypatch):
    rows, columns = thinning(512, 768)
    assert len(rows) * len(columns) <= CURVE_PIXELS
    assert rows[:4, 0].tolist() == columns[:4].tolist() == [0, 1, 6, 7]
    assert [len(part) for part in thinning(64, 99)] == [64, 99]
    whole = studied((14, 18), 3)[0]["network"]
    monkeypatch.setattr("ffnet.analysis.image_regression.CURVE_PIXELS", 63)
    part = studied((14, 18), 3)[0]["network"]
    assert part["held_out"][0] != whole["held_out"][0]
    assert part["held_out"][0] == pytest.approx(whole["held_out"][0], abs=1)
    assert part["held_out"][-1] == whole["held_out"][-1]


def test_what_is_not_seen_at_points_is_refused():
    dataset = ImageDataset(picture(8, 8), split="half", operator=Blur())
    with pytest.raises(ValueError, match="evaluates the field at points, got Blur"):
        suited(network(), dataset)


def test_large_images_are_refused(monkeypatch):
    monkeypatch.setattr("ffnet.analysis.image_regression.MOST_PIXELS", 63)
    with pytest.raises(ValueError, match="at most 63 pixels, got 64"):
        suited(network(), ImageDataset(picture(8, 8), split="half"))


@pytest.mark.parametrize(("steps", "wanted"), [(1, [0, 1]), (20, [0, 1, 2, 5, 10, 20]), (7, [0, 1, 2, 5, 7])])
def test_milestones_end_at_the_last_step(steps, wanted):
    assert milestones(steps) == wanted
