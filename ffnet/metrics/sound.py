"""Scores of sound as metrics."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torchmetrics import Metric

# Windows that are transformed at once.
CHUNK = 256


class SNR(Metric):
    """``10 log10(sum of signal^2 / sum of error^2)`` in decibels, pooled over all updates and channels, in float64.

    Args:
        centre: the value of silence, which is subtracted from targets.
    """

    higher_is_better = True
    unit = "dB"
    is_differentiable = False
    full_state_update = False

    signal: Tensor
    error: Tensor

    def __init__(self, centre: float = 0.0) -> None:
        super().__init__()
        self.centre = centre
        for name in ("signal", "error"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Float[Tensor, "*n"], target: Float[Tensor, "*n"]) -> None:
        self.signal += (target.double() - self.centre).square().sum()
        self.error += (prediction.double() - target.double()).square().sum()

    def compute(self) -> Tensor:
        signal, error = self.signal.item(), self.error.item()
        if error == 0:
            return torch.tensor(math.inf, dtype=torch.float64)
        return torch.tensor(10 * math.log10(signal / error) if signal else -math.inf, dtype=torch.float64)


class LogSpectralDistance(Metric):
    """The mean over windows of the root mean square difference of log power spectra, in decibels (Gray & Markel 1976).

    Each update gets whole recordings (..., n). Windows are Hann's of ``window`` samples, a quarter apart. Powers below
    ``floor`` decibels of the recording's largest count as that, so that silence is not compared with rounding.
    """

    higher_is_better = False
    unit = "dB"
    is_differentiable = False
    full_state_update = False

    total: Tensor
    count: Tensor

    def __init__(self, window: int = 2048, floor: float = -80.0) -> None:
        super().__init__()
        self.window, self.floor = window, floor
        for name in ("total", "count"):
            self.add_state(name, torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")

    def update(self, prediction: Float[Tensor, "*b n"], target: Float[Tensor, "*b n"]) -> None:
        for one, two in zip(prediction.flatten(0, -2), target.flatten(0, -2), strict=True):
            fitted, true = self._windows(one), self._windows(two)
            loudest = max(self._power(some).max().item() for some in true.split(CHUNK))
            least = max(loudest, 1e-20) * 10 ** (self.floor / 10)
            for pair in zip(fitted.split(CHUNK), true.split(CHUNK), strict=True):
                first, second = (10 * self._power(some).clamp(min=least).log10() for some in pair)
                self.total += (first - second).square().mean(1).sqrt().sum()
            self.count += len(true)

    def _windows(self, signal: Float[Tensor, "n"]) -> Float[Tensor, "w k"]:
        signal = signal.double() - signal.double().mean()
        padded = torch.nn.functional.pad(signal, (self.window // 2, self.window // 2))
        return padded.unfold(0, self.window, self.window // 4)

    def _power(self, windows: Float[Tensor, "w k"]) -> Float[Tensor, "w f"]:
        hann = torch.hann_window(self.window, dtype=torch.float64, device=windows.device)
        return torch.fft.rfft(windows * hann).abs().square()

    def compute(self) -> Tensor:
        return self.total / self.count
