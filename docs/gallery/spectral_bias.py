"""Spectral bias: a plain network learns low frequencies first; with Fourier features it learns all at similar rates.

python docs/gallery/spectral_bias.py [--small]
"""

import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import KernelDynamics, empirical_ntk_trace, finite_mlp, grid_points, largest_stable_rate

POINTS = 128
WIDTH = 512
FREQUENCIES = (1, 2, 4, 8, 16)
SIGMA = 10.0


def features(kind: str) -> torch.Tensor:
    """What the network sees of the points: (x, 1), the 1 for a bias, or Fourier features."""
    x = grid_points([POINTS])
    if kind == "plain":
        return torch.cat([2 * x - 1, torch.ones_like(x)], dim=-1)
    return GaussianEncoder(1, 128, SIGMA, dtype=torch.float64)(x)


def left(residual: torch.Tensor) -> torch.Tensor:
    """Amplitude of the error's sine at each frequency, which is 1 in the target."""
    x = grid_points([POINTS])[:, 0]
    waves = torch.stack([torch.sin(2 * math.pi * f * x) for f in FREQUENCIES])
    return (2 / POINTS) * (waves @ residual[:, 0]).abs()


def half_learnt(steps: list[int], curve: list[float]) -> int | None:
    """The first of the steps at which less than 1/e of the amplitude is left."""
    return next((step for step, value in zip(steps, curve, strict=True) if value < 1 / math.e), None)


def one(kind: str, steps: int) -> dict[str, Any]:
    x, inputs = grid_points([POINTS]), features(kind)
    y = torch.stack([torch.sin(2 * math.pi * f * x) for f in FREQUENCIES]).sum(0)
    network = finite_mlp(inputs.shape[1], WIDTH, 2, seed=0)
    dynamics = KernelDynamics(empirical_ntk_trace(network, inputs))
    start = (network(inputs) - y).detach()
    rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    amplitudes = []
    for _ in range(steps + 1):
        optimizer.zero_grad()
        residual = network(inputs) - y
        amplitudes.append(left(residual.detach()))
        (0.5 * residual.square().sum()).backward()
        optimizer.step()
    times = sorted({round(10 ** (k / 40)) for k in range(8 * 40 + 1)})
    predicted = [left(dynamics.residual(start, time, rate, discrete=True)) for time in times]
    trained = torch.stack(amplitudes).T.tolist()
    shown = [step for step in times if step <= steps]
    lines = torch.stack(predicted).T.tolist()
    return {
        "times": times,
        "shown": shown,
        "predicted": lines,
        "trained": [[line[step] for step in shown] for line in trained],
        "predicted_step": [half_learnt(times, line) for line in lines],
        "trained_step": [half_learnt(list(range(steps + 1)), line) for line in trained],
    }


def study(small: bool) -> dict[str, Any]:
    steps = 40 if small else 2000
    return {"steps": steps, **{kind: one(kind, steps) for kind in ("plain", "gaussian")}}


def draw(found: dict[str, Any], figure: Figure) -> None:
    titles = {"plain": "plain network", "gaussian": f"with Gaussian features, σ = {SIGMA:g}"}
    for axes, (kind, title) in zip(figure.subplots(1, 2, sharey=True), titles.items(), strict=True):
        numbers = found[kind]
        for index, frequency in enumerate(FREQUENCIES):
            line = axes.semilogx(numbers["shown"], numbers["trained"][index], label=f"{frequency} cycles")[0]
            axes.semilogx(numbers["times"], numbers["predicted"][index], "--", color=line.get_color(), linewidth=0.8)
        axes.axhline(1 / math.e, color="gray", linestyle=":")
        axes.set(title=f"{title} (predicted: dashed)", xlabel="step of gradient descent", xlim=(1, 1e6), ylim=(0, 1.6))
        axes.legend(loc="upper right")
    figure.axes[0].set(ylabel="amplitude that is left")


def table(found: dict[str, Any]) -> str:
    lines = []
    for index, frequency in enumerate(FREQUENCIES):
        line: list[Any] = [frequency]
        for kind in ("plain", "gaussian"):
            predicted, trained = found[kind]["predicted_step"][index], found[kind]["trained_step"][index]
            line += ["beyond 10^8" if predicted is None else f"{predicted:,}"]
            line += [f"beyond {found['steps']:,}" if trained is None else f"{trained:,}"]
        lines.append(line)
    head = ["cycles", "plain, predicted", "plain, trained", "Gaussian, predicted", "Gaussian, trained"]
    return frame.markdown(head, lines)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
