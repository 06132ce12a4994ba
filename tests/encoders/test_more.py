"""Encoders beyond sines and cosines, against independent computations and what their papers state."""

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.special import sph_harm_y

from ffnet.encoders import (
    AnnealedEncoder,
    CompositeEncoder,
    FourierEncoder,
    GaussianEncoder,
    GridEncoder,
    IdentityEncoder,
    IntegratedEncoder,
    OneBlobEncoder,
    PositionalEncoder,
    SphericalHarmonicsEncoder,
    TriangleWaveEncoder,
    spherical_harmonics,
)


def uniform(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


# spherical harmonics


@pytest.mark.parametrize("levels", [8, 40])
def test_harmonics_are_the_complex_ones_of_scipy(levels):
    theta, phi = math.pi * uniform(50), 2 * math.pi * uniform(50, 2)[:, 0]
    directions = torch.stack([theta.sin() * phi.cos(), theta.sin() * phi.sin(), theta.cos()], dim=-1)
    found = spherical_harmonics(directions, levels)
    for degree in range(levels):
        for m in range(-degree, degree + 1):
            complex_ = (-1) ** m * sph_harm_y(degree, abs(m), theta.numpy(), phi.numpy())  # without the sign in it
            part = complex_.real if m == 0 else math.sqrt(2) * (complex_.real if m > 0 else complex_.imag)
            np.testing.assert_allclose(found[:, degree * degree + degree + m], part, atol=1e-11)


def test_harmonics_of_any_degree_are_finite_in_float32():
    directions = torch.nn.functional.normalize(uniform(20, 3) - 0.5, dim=-1)
    exact, single = spherical_harmonics(directions, 64), spherical_harmonics(directions.float(), 64)
    torch.testing.assert_close(single.double(), exact, atol=1e-3, rtol=0)
    with pytest.raises(ValueError, match="levels: expected at most 64, got 65"):
        SphericalHarmonicsEncoder(3, 65)


def test_harmonics_are_orthonormal_on_the_sphere():
    z, weights = np.polynomial.legendre.leggauss(12)
    phi = 2 * np.pi * np.arange(24) / 24
    radius = np.sqrt(1 - z**2)[:, None]
    directions = np.stack(np.broadcast_arrays(radius * np.cos(phi), radius * np.sin(phi), z[:, None]), axis=-1)
    features = spherical_harmonics(torch.tensor(directions), 6).flatten(0, 1).numpy()
    measure = np.repeat(weights, 24) * 2 * np.pi / 24
    np.testing.assert_allclose(features.T @ (measure[:, None] * features), np.eye(36), atol=1e-12)


def test_harmonics_obey_the_addition_theorem():
    directions = torch.nn.functional.normalize(uniform(20, 3) - 0.5, dim=-1)
    features = spherical_harmonics(directions, 5)
    torch.testing.assert_close(features.square().sum(-1), torch.full((20,), 25 / (4 * math.pi), dtype=torch.float64))


@pytest.mark.usefixtures("without_shape_checks")
def test_harmonics_are_of_three_coordinates():
    with pytest.raises(ValueError, match="in_features: expected 3, got 2"):
        SphericalHarmonicsEncoder(2)


# one-blob


def test_a_blob_is_the_quartic_kernel_integrated_over_each_bin():
    bins, x = 8, 0.31
    found = OneBlobEncoder(1, bins)(torch.tensor([x], dtype=torch.float64)).numpy()
    places = (np.arange(200_000) + 0.5) / 200_000
    away = np.abs(places - x)
    u = np.minimum(away, 1 - away) * bins
    kernel = np.where(u < 1, 15 / 16 * (1 - u**2) ** 2, 0) * bins
    np.testing.assert_allclose(found, kernel.reshape(bins, -1).mean(-1) / bins, atol=1e-9)


def test_a_blob_has_mass_1_and_wraps_around():
    encoder = OneBlobEncoder(2, 16)
    x = torch.cat([uniform(50, 2), torch.tensor([[0.0, 1.0], [1.0, 0.0], [0.999, 0.001]], dtype=torch.float64)])
    features = encoder(x).unflatten(-1, (2, 16))
    assert (features >= -1e-15).all()
    torch.testing.assert_close(features.sum(-1), torch.ones(53, 2, dtype=torch.float64))
    torch.testing.assert_close(encoder(torch.zeros(2)), encoder(torch.ones(2)))
    torch.testing.assert_close(
        encoder(x), torch.cat([encoder((x + 1 / 16) % 1).unflatten(-1, (2, 16)).roll(-1, -1)], 1).flatten(-2)
    )


# triangle wave


def test_triangle_waves_are_piecewise_linear_and_shifted_by_quarters():
    encoder = TriangleWaveEncoder(1, 3, 0.5, torch.float64)
    x = torch.linspace(0, 2, 201, dtype=torch.float64)[:, None]
    features = encoder(x).numpy()
    for k in range(3):
        cycles = 0.5 * 2**k * x[:, 0].numpy() + k / 4
        np.testing.assert_allclose(features[:, k], 2 / np.pi * np.arcsin(np.cos(2 * np.pi * cycles)), atol=1e-7)


def test_triangle_waves_keep_their_digits_at_12_octaves():
    x = torch.rand(1000, 2, generator=torch.Generator().manual_seed(0))
    difference = TriangleWaveEncoder(2, 13)(x).double() - TriangleWaveEncoder(2, 13, dtype=torch.float64)(x.double())
    assert difference.abs().max() < 1e-6


# integrated


def test_integrated_features_are_expectations():
    fourier = FourierEncoder(2, [0.5, 1.0], [[1.0, 0.5], [-0.3, 1.0]], dtype=torch.float64)
    mean = torch.tensor([0.3, 0.6], dtype=torch.float64)
    root = torch.tensor([[0.15, 0.0], [0.08, 0.1]], dtype=torch.float64)
    covariance = root @ root.T
    # Gauss-Hermite quadrature of the plain features over the Gaussian.
    nodes, weights = np.polynomial.hermite_e.hermegauss(30)
    grid = torch.tensor(np.stack(np.meshgrid(nodes, nodes, indexing="ij"), -1).reshape(-1, 2))
    weight = torch.tensor(np.outer(weights, weights).ravel() / weights.sum() ** 2)
    expected = weight @ fourier(mean + grid @ root.T)
    found = IntegratedEncoder(fourier, covariance="full")(torch.cat([mean, covariance.flatten()]))
    torch.testing.assert_close(found, expected)


def test_a_diagonal_covariance_is_a_full_one_without_the_rest():
    fourier = FourierEncoder(2, [1.0, 2.0], [[1.0, 0.5], [-0.3, 1.0], [0.0, 1.0]])
    x, variance = torch.rand(5, 2), 0.05 * torch.rand(5, 2)
    full = torch.cat([x, torch.diag_embed(variance).flatten(-2)], dim=-1)
    diagonal = IntegratedEncoder(fourier)(torch.cat([x, variance], dim=-1))
    torch.testing.assert_close(IntegratedEncoder(fourier, covariance="full")(full), diagonal)


def test_a_fixed_variance_is_the_same_everywhere():
    fourier, x = FourierEncoder(2, [1.0, 2.0]), torch.rand(5, 2)
    carried = torch.cat([x, torch.full((5, 2), 0.01)], dim=-1)
    torch.testing.assert_close(IntegratedEncoder(fourier, 0.01)(x), IntegratedEncoder(fourier)(carried))


# trainable


def test_a_trainable_matrix_is_a_parameter_with_a_gradient_and_the_same_checkpoint():
    fixed, trainable = GaussianEncoder(2, 8), GaussianEncoder(2, 8, trainable=True)
    x = torch.rand(5, 2)
    assert torch.equal(fixed(x), trainable(x))
    assert [name for name, _ in trainable.named_parameters()] == ["B"]
    fixed.load_state_dict(trainable.state_dict())
    trainable(x).square().sin().sum().backward()
    assert trainable.B.grad.abs().min() > 0


# composite


def test_a_composite_puts_the_parts_side_by_side():
    first, second = PositionalEncoder(2, 3), IdentityEncoder(1)
    x = torch.rand(4, 3)
    torch.testing.assert_close(CompositeEncoder([first, second])(x), torch.cat([first(x[:, :2]), x[:, 2:]], dim=-1))


def test_a_composite_has_parts():
    with pytest.raises(ValueError, match="encoders: expected at least one"):
        CompositeEncoder([])


# annealed


def test_annealing_follows_the_papers_window():
    plain = PositionalEncoder(1, 4, include_input=True)
    encoder, x = AnnealedEncoder(plain, share=0.5), torch.tensor([0.3])
    for trained in (0.0, 0.1, 0.2, 0.37, 0.5, 0.9):
        encoder.anneal(trained)
        alpha = min(trained / 0.5, 1) * 4
        open_ = [(1 - math.cos(math.pi * min(max(alpha - k, 0), 1))) / 2 for k in range(4)]
        torch.testing.assert_close(encoder(x), plain(x) * torch.tensor([1.0, *open_, *open_]))


@pytest.mark.parametrize(
    "plain",
    [
        GaussianEncoder(2, 8),
        GridEncoder(2, 3, table_size=1024),
        TriangleWaveEncoder(2, 4),
        FourierEncoder(2, [4.0, 1.0]),
    ],
)
def test_features_come_in_from_coarse_to_fine_and_are_all_there_in_the_end(plain):
    encoder, x, shown = AnnealedEncoder(plain, 1.0), torch.rand(3, 2), []
    for step in range(5):
        encoder.anneal(step / 4)
        ratio = (encoder(x) / plain(x)).detach()[0].round(decimals=4)
        shown.append(ratio)
    assert (shown[0] == 0).all()
    assert (shown[-1] == 1).all()
    assert all((after >= before).all() for before, after in pairwise(shown))
    coarse, fine = plain.levels() == 1, plain.levels() == plain.levels().max()
    assert (shown[2][coarse] == 1).all()
    assert (shown[2][fine] == 0).all()


def test_a_checkpoint_holds_the_progress():
    encoder, other = AnnealedEncoder(GaussianEncoder(2, 4)), AnnealedEncoder(GaussianEncoder(2, 4))
    encoder.anneal(0.1)
    other.load_state_dict(encoder.state_dict())
    assert other.progress.item() == pytest.approx(0.2)


def test_a_share_is_in_0_to_1():
    with pytest.raises(ValueError, match=r"share: expected a number in \(0, 1\], got 0"):
        AnnealedEncoder(IdentityEncoder(2), 0)
