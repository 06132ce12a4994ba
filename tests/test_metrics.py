import math

import pytest
import torch

from ffnet.metrics import psnr


def test_psnr_agrees_with_torchmetrics():
    from torchmetrics.functional.image import peak_signal_noise_ratio

    a, b = torch.rand(1, 3, 8, 8), torch.rand(1, 3, 8, 8)
    expected = peak_signal_noise_ratio(a, b, data_range=1.0).item()
    assert psnr(((a - b) ** 2).mean().item()) == pytest.approx(expected, abs=1e-4)


def test_psnr_at_its_ends():
    assert psnr(0) == math.inf
    assert psnr(1) == 0
    with pytest.raises(ValueError, match="mse: expected a number of at least 0"):
        psnr(-1)
