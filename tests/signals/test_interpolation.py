"""Halfway values against Pillow's interpolation and against polynomials."""

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.signals.interpolation import cubic, halfway

PILLOW = {"bilinear": Image.Resampling.BILINEAR, "bicubic": Image.Resampling.BICUBIC}


@pytest.mark.parametrize("kind", PILLOW)
def test_equals_pillows_at_the_same_places(kind):
    samples = torch.rand(9, 12, 1, generator=torch.Generator().manual_seed(0))
    # The box's edges lie at centres of pixels, so that new pixels of the same size lie halfway between.
    box = (0.5, 0.5, 11.5, 8.5)
    expected = Image.fromarray(samples[..., 0].numpy()).resize((11, 8), PILLOW[kind], box)
    inner = np.s_[1:-1, 1:-1]  # Pillow's kernel ends with the box, ours with the image
    found = halfway(samples, range(8), 11, kind)[..., 0].numpy()
    np.testing.assert_allclose(found[inner], np.asarray(expected)[inner], atol=1e-6)


@pytest.mark.parametrize(("kind", "degree"), [("bilinear", 1), ("bicubic", 2)])
def test_is_exact_for_polynomials(kind, degree):
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    expected = ((y + 0.5) ** degree - 2 * (x + 0.5) ** degree)[1:6, 1:7]
    found = halfway((y**degree - 2 * x**degree)[..., None], range(1, 6), 8, kind)[:, 1:7, 0]
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("kind", PILLOW)
def test_the_border_counts_on(kind):
    """Of an even number of pixels the last one held out has a training pixel on one side only."""
    samples = torch.tensor([0.0, 0.0, 0.0, 1.0, 1.0])[:, None, None].expand(5, 5, 1)
    assert halfway(samples, range(5), 5, kind)[-1, :, 0].tolist() == pytest.approx(5 * [1.0])


def test_cubic_is_exact_for_quadratics_at_any_place():
    y, x = torch.meshgrid(torch.arange(8.0), torch.arange(9.0), indexing="ij")
    rows, columns = 1 + 5 * torch.rand(2, 50, generator=torch.Generator().manual_seed(0))
    found = cubic((y**2 - x * y + 2)[..., None], rows, columns)[:, 0]
    torch.testing.assert_close(found, rows**2 - columns * rows + 2)


def test_cubic_meets_the_samples_and_the_values_halfway():
    samples = torch.randint(0, 256, (6, 7, 2), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
    places = torch.cartesian_prod(torch.arange(6), torch.arange(7))
    assert torch.equal(cubic(samples, *places.T.float()), samples[places[:, 0], places[:, 1]].float())
    inner = torch.cartesian_prod(torch.arange(5), torch.arange(6))
    expected = halfway(samples, range(5), 6, "bicubic").reshape(-1, 2)
    torch.testing.assert_close(cubic(samples, *(inner.T + 0.5)), expected)
    outside = cubic(samples, torch.tensor([-3.0, 9.0]), torch.tensor([-1.0, 20.0]))
    assert torch.equal(outside, samples[[0, -1], [0, -1]].float())
