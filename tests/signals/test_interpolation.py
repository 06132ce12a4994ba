"""Halfway values against Pillow's interpolation and against polynomials."""

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.signals.interpolation import halfway

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
