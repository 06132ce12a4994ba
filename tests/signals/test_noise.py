"""Noise against its distribution."""

import pytest
import torch

from ffnet.signals.noise import gaussian_noise, photon_noise, transmission_noise

VALUES = torch.linspace(0, 1, 5).repeat_interleave(20_000)


def test_gaussian_noise_has_its_standard_deviation_and_seed():
    one, two, other = (gaussian_noise(VALUES, 0.2, seed, unit=0.5) for seed in (0, 0, 1))
    assert torch.equal(one, two)
    assert not torch.equal(one, other)
    assert (one - VALUES).std().item() == pytest.approx(0.1, rel=0.02)
    assert torch.equal(gaussian_noise(VALUES, 0.0, 3), VALUES)


def test_photons_have_the_mean_and_the_variance_of_poissons_distribution():
    counted = photon_noise(VALUES, 50.0, seed=0).view(5, -1)
    expected = torch.linspace(0, 1, 5)
    torch.testing.assert_close(counted.mean(1), expected, atol=3e-3, rtol=0)
    torch.testing.assert_close(counted.var(1), expected / 50, atol=5e-4, rtol=0)
    assert photon_noise(VALUES, None, 0) is VALUES


def test_transmission_follows_beer_and_lambert():
    """To first order, the variance of the estimated integral is that of one over the photons that arrive."""
    integrals = torch.tensor([0.1, 1.0, 2.0]).repeat_interleave(50_000)
    found = transmission_noise(integrals, 1e4, seed=0).view(3, -1)
    torch.testing.assert_close(found.mean(1), torch.tensor([0.1, 1.0, 2.0]), atol=2e-3, rtol=0)
    torch.testing.assert_close(found.var(1), torch.tensor([0.1, 1.0, 2.0]).exp() / 1e4, atol=0, rtol=0.03)
    assert transmission_noise(torch.full((9,), 50.0), 10.0, 0).isfinite().all()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("noise", [gaussian_noise, photon_noise, transmission_noise])
@pytest.mark.parametrize("level", [-1.0, float("nan"), "much"])
def test_levels_are_checked(noise, level):
    with pytest.raises(ValueError, match="expected a finite number"):
        noise(VALUES, level, 0)
