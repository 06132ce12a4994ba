import math

import pytest
import torch

from ffnet.metrics import iou, psnr


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


def test_iou_agrees_with_torchmetrics():
    from torchmetrics.functional.classification import binary_jaccard_index

    generator = torch.Generator().manual_seed(0)
    a, b = (torch.rand(1000, generator=generator) > p for p in (0.3, 0.6))
    expected = binary_jaccard_index(a.int(), b.int()).item()
    assert iou((a & b).sum().item(), (a | b).sum().item()) == pytest.approx(expected)


def test_iou_at_its_ends():
    assert iou(0, 0) == 1
    assert iou(0, 5) == 0
    with pytest.raises(ValueError, match=r"intersection: expected a number in \[0, 3\], got 4"):
        iou(4, 3)
