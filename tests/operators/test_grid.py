"""Operators on grids against NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import convolve

from ffnet.operators import Blur, CartesianFourier, CellAverage, FourierSums, OnGrid
from ffnet.operators import grid as grids
from ffnet.operators.fourier_samples import frequencies
from ffnet.operators.grid import cell_centres
from ffnet.rendering import pixel_coordinates


def wave(x):
    """A field of two values, not periodic."""
    total = (x * torch.arange(1, x.shape[-1] + 1, dtype=x.dtype)).sum(-1)
    return torch.stack([(3 * total).sin(), total.square()], dim=-1)


def on_grid(size):
    """The field at the cells' centres, (c, *size), by NumPy."""
    axes = np.meshgrid(*[(np.arange(count) + 0.5) / count for count in size], indexing="ij")
    x = np.stack(axes[::-1], axis=-1)
    return wave(torch.from_numpy(x)).movedim(-1, 0).numpy()


def numbers(count):
    return torch.arange(count, dtype=torch.float64)[:, None]


def test_cells_are_numbered_like_pixels():
    rows, columns = torch.arange(3).repeat_interleave(4), torch.arange(4).repeat(3)
    torch.testing.assert_close(cell_centres((3, 4)), pixel_coordinates(rows, columns, (3, 4), 0.5))
    assert torch.equal(cell_centres((3, 4), 5, 9), cell_centres((3, 4))[5:9])


@pytest.mark.parametrize("size", [(9, 8), (4, 5, 6)])
def test_cartesian_samples_are_numpys_transform(size):
    spectrum = np.fft.fftn(on_grid(size), axes=range(1, len(size) + 1), norm="ortho").reshape(2, -1).T
    found = CartesianFourier(size)(wave, frequencies(size).double()).numpy()
    np.testing.assert_allclose(found, np.concatenate([spectrum.real, spectrum.imag], axis=1), atol=1e-12)


def test_frequencies_are_cycles_per_side_with_x_first():
    """``exp(2 pi i (3 x - 2 y))``, sampled at the centres, has one frequency."""
    size = (8, 16)
    field = lambda x: torch.stack([(2 * torch.pi * (3 * x[:, 0] - 2 * x[:, 1])).cos()], -1)  # noqa: E731
    found = CartesianFourier(size)(field, frequencies(size).double())
    strongest = frequencies(size)[found.square().sum(1) > 1]
    assert sorted(strongest.tolist()) == [[-3.0, 2.0], [3.0, -2.0]]


@pytest.mark.parametrize("size", [(9, 8), (4, 5, 6)])
def test_direct_sums_are_the_transform_at_integer_frequencies(size):
    queries = frequencies(size).double()
    torch.testing.assert_close(FourierSums(size)(wave, queries), CartesianFourier(size)(wave, queries))


def test_direct_sums_are_what_they_say(monkeypatch):
    monkeypatch.setattr("ffnet.operators.fourier_samples.HELD", 30)  # in several parts
    size, queries = (5, 7), torch.tensor([[0.3, -1.7], [2.25, 0.5], [-0.1, 0.0]], dtype=torch.float64)
    values = on_grid(size)
    j, i = np.meshgrid(np.arange(5), np.arange(7), indexing="ij")
    sums = [
        (values * np.exp(-2j * np.pi * (kx * i / 7 + ky * j / 5))).sum((1, 2)) / np.sqrt(35)
        for kx, ky in queries.numpy()
    ]
    expected = np.concatenate([np.real(sums), np.imag(sums)], axis=1)
    np.testing.assert_allclose(FourierSums(size)(wave, queries).numpy(), expected, atol=1e-12)


def test_blur_is_a_convolution_with_the_point_spread_function():
    psf = torch.tensor([[0.1, 0.2, 0.0], [0.0, 0.4, 0.1], [0.0, 0.0, 0.2]])  # not symmetric
    values = on_grid((9, 8))
    expected = np.stack([convolve(channel, psf.double().numpy(), mode="nearest") for channel in values])
    found = Blur((9, 8), psf=psf)(wave, numbers(72)).numpy()
    np.testing.assert_allclose(found.T.reshape(2, 9, 8), expected, atol=1e-7)


def test_a_gaussian_blur_has_its_standard_deviation_and_sum():
    psf = Blur((9, 8), 1.5).psf.double()
    place = torch.arange(len(psf), dtype=torch.float64) - len(psf) // 2
    assert psf.sum().item() == pytest.approx(1, abs=1e-6)
    assert (psf.sum(0) * place.square()).sum().sqrt().item() == pytest.approx(1.5, rel=2e-3)


def test_cell_averages_are_those_of_the_finer_image():
    fine = on_grid((6, 12))
    expected = fine.reshape(2, 2, 3, 4, 3).mean((2, 4)).reshape(2, -1).T
    found = CellAverage((2, 4), 3)(wave, cell_centres((2, 4), dtype=torch.float64))
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_large_grids_are_computed_twice_and_have_the_same_gradient(monkeypatch):
    network = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    operator, queries, found = CartesianFourier((10, 12)), frequencies((10, 12)), []
    monkeypatch.setattr(grids, "PART", 50)
    for kept in (10**6, 0):
        monkeypatch.setattr(grids, "KEPT", kept)
        network.zero_grad()
        operator(network, queries).square().sum().backward()
        found.append([parameter.grad.clone() for parameter in network.parameters()])
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two)


def test_a_method_of_an_object_can_be_the_instrument():
    class Halving:
        def A(self, image):
            return image / 2

    operator = OnGrid(Halving(), (3, 4), method="A")
    torch.testing.assert_close(operator(wave, numbers(12)), wave(cell_centres((3, 4), dtype=torch.float64)) / 2)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: CartesianFourier((0, 4)), "size: expected integers of at least 1"),
        (lambda: Blur((4, 4, 4)), "size: expected"),
        (lambda: Blur((4, 4), 0.0), "sigma: expected a finite number above 0"),
        (lambda: Blur((4, 4), psf=torch.ones(2, 3)), "psf: expected finite values on odd sides"),
        (lambda: CellAverage((4, 4), 0), "size, factor: expected integers of at least 1"),
        (lambda: OnGrid("no function", (4, 4)), "instrument: expected a function of a tensor, got str"),
        (lambda: OnGrid(object(), (4, 4), "A"), "instrument: expected a function of a tensor, got object.A"),
    ],
)
def test_arguments_are_checked(make, message):
    with pytest.raises(ValueError, match=message):
        make()
