"""Kernels by formula, their features, and what is made with them."""

import math

import pytest
import torch

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import (
    Gaussian,
    InfiniteMLP,
    KernelPCA,
    KernelRidge,
    Linear,
    Polynomial,
    RandomFourierFeatures,
    Sigmoid,
    definiteness,
)

KERNELS = {
    "linear": Linear(),
    "polynomial": Polynomial(3, 0.5),
    "homogeneous": Polynomial(2, 0.0),
    "gaussian": Gaussian(0.7),
    "random features": RandomFourierFeatures(Gaussian(0.7), 3, 50),
    "sum": Linear() + Gaussian(0.5),
    "product": Polynomial(2) * Gaussian(0.5),
}


def points(n: int, d: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_kernels_are_symmetric_and_semidefinite_and_say_so(kernel):
    x = points(40)
    assert kernel.semidefinite
    assert definiteness(kernel(x)).semidefinite
    torch.testing.assert_close(kernel(x, points(5, seed=1)), kernel(points(5, seed=1), x).T, atol=1e-13, rtol=0)


def test_the_sigmoid_kernel_is_not_semidefinite_and_says_so():
    kernel = Sigmoid(1.0, 1.0)
    found = definiteness(kernel(torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)))
    assert found.symmetric
    assert not found.semidefinite
    assert found.smallest == pytest.approx(-0.0137, abs=5e-5)
    assert not kernel.semidefinite
    assert not (kernel + Linear()).semidefinite
    assert not (Linear() * kernel).semidefinite


def test_an_unsymmetric_matrix_is_found_out():
    assert not definiteness(torch.tensor([[1.0, 0.5], [0.4, 1.0]])).symmetric


@pytest.mark.parametrize("kernel", [Linear(), Polynomial(2, 0.0), Polynomial(3, 0.5), Polynomial(5, 2.0)], ids=str)
def test_explicit_features_have_the_kernel_as_inner_product(kernel):
    x, y = points(9), points(7, seed=1)
    product = kernel.features(x) @ kernel.features(y).T
    lengths = (kernel(x).diagonal()[:, None] * kernel(y).diagonal()).sqrt()
    assert ((product - kernel(x, y)).abs() <= 1e-12 * lengths).all()


def test_the_gaussian_kernel_at_a_known_distance():
    x, y = torch.tensor([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]])
    assert Gaussian(5.0)(x, y).item() == pytest.approx(math.exp(-0.5))


def test_sums_and_products_are_those_of_the_matrices():
    x, k1, k2 = points(6), Gaussian(0.5), Polynomial(2)
    torch.testing.assert_close((k1 + k2)(x), k1(x) + k2(x))
    torch.testing.assert_close((k1 * k2)(x), k1(x) * k2(x))


def test_random_features_err_as_they_say_and_less_with_their_number():
    x, y = points(12), points(15, seed=1)
    kernel = Gaussian(2.0)
    errors = {}
    for count in (64, 256, 1024):
        draws = [RandomFourierFeatures(kernel, 3, count, seed) for seed in range(200)]
        squares = torch.stack([(draw(x, y) - kernel(x, y)).square() for draw in draws]).mean(0)
        errors[count] = squares.mean().sqrt().item()
        stated = draws[0].standard_error(x, y)
        # The root mean square of 200 draws is itself known to 1 / sqrt(400) = 5 %, the mean over pairs better.
        assert squares.mean().sqrt() == pytest.approx(stated.square().mean().sqrt().item(), rel=0.1)
        assert ((squares.sqrt() / stated) < 1.3).all()
    slope = math.log(errors[1024] / errors[64]) / math.log(1024 / 64)
    assert slope == pytest.approx(-0.5, abs=0.05)


def test_random_features_are_those_of_the_gaussian_encoder():
    sigma, x = 0.3, points(5, 2)
    features = RandomFourierFeatures(Gaussian(sigma), 2, 32, seed=7).features(x)
    encoder = GaussianEncoder(2, 32, 1 / (2 * math.pi * sigma), seed=7, dtype=torch.float64)
    torch.testing.assert_close(features, encoder(x) / math.sqrt(32), atol=1e-12, rtol=0)


def test_ridge_regression_with_explicit_features_is_the_primal_one():
    x, kernel, ridge = points(20), Polynomial(2), 0.3
    y = torch.stack([x[:, 0] * x[:, 1], x[:, 2].sin()], dim=-1)
    features = kernel.features(x)
    primal = torch.linalg.solve(features.T @ features + ridge * torch.eye(10, dtype=x.dtype), features.T @ y)
    new = points(6, seed=1)
    torch.testing.assert_close(KernelRidge(kernel, x, y, ridge)(new), kernel.features(new) @ primal)


def test_ridge_regression_agrees_with_a_dense_solve_and_interpolates_without_a_ridge():
    x, new = points(15), points(4, seed=1)
    y = x[:, :1].cos()
    for kernel in (Gaussian(1.0), InfiniteMLP(2, "relu", "ntk", 1.5, 0.1).ntk):
        regression = KernelRidge(kernel, x, y, 0.01)
        dense = kernel(new, x) @ torch.linalg.inv(kernel(x, x) + 0.01 * torch.eye(15, dtype=x.dtype)) @ y
        torch.testing.assert_close(regression(new), dense)
        torch.testing.assert_close(KernelRidge(kernel, x, y, 0.0)(x), y, atol=1e-9, rtol=0)


def test_ridge_regression_refuses_what_it_cannot_solve():
    x = points(10, 2)
    with pytest.raises(ValueError, match="larger"):
        KernelRidge(Sigmoid(1.0, -1.0), x, x, 0.0)
    with pytest.raises(ValueError, match="at least 0"):
        KernelRidge(Linear(), x, x, -1.0)


def test_kernel_pca_with_explicit_features_is_pca():
    x, kernel = points(30), Polynomial(2)
    features = kernel.features(x)
    centred = features - features.mean(0)
    _, singular, axes = torch.linalg.svd(centred, full_matrices=False)
    pca = KernelPCA(kernel, x, 4)
    torch.testing.assert_close(pca.variances, singular[:4].square() / 30)
    new = points(5, seed=1)
    wanted = (kernel.features(new) - features.mean(0)) @ axes[:4].T
    found = pca(new)
    torch.testing.assert_close(found * (found * wanted).sum(0).sign(), wanted)  # an axis has no sign


def test_kernel_pca_has_no_more_components_than_the_points_allow():
    with pytest.raises(ValueError, match="expected 1 to 3"):
        KernelPCA(Linear(), points(10), 4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Polynomial(0),
        lambda: Polynomial(2, -1.0),
        lambda: Gaussian(0.0),
        lambda: RandomFourierFeatures(Gaussian(), 2, 0),
    ],
)
def test_bad_arguments_are_refused(make):
    with pytest.raises(ValueError, match="expected"):
        make()
