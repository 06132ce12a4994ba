"""Training curves predicted by the kernel at initialisation, for five signals on Gaussian Fourier features: where they
hold, and where they fail. Without the features they fail earlier.

python docs/gallery/predicted_curves.py [--small]
"""

import copy
import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure
from torch import nn

from ffnet.datasets import ImageDataset
from ffnet.encoders import GaussianEncoder
from ffnet.kernels import KernelDynamics, empirical_ntk_trace, finite_mlp, grid_points, largest_stable_rate

POINTS = 64
WIDTH = 1024
EARLY = 50
ADAM_RATE = 3e-4


def signals() -> dict[str, torch.Tensor]:
    """Five signals of 64 values, each from 0 to 1; one is a row of the bundled photograph."""
    x = grid_points([POINTS])
    noise = torch.randn(POINTS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    frequency = torch.arange(POINTS // 2 + 1, dtype=torch.float64).clamp(min=1)
    found = {
        "wave": torch.sin(2 * math.pi * 2 * x),
        "step": (x > 0.4).double(),
        "ramp": x,
        "power law": torch.fft.irfft(torch.fft.rfft(noise) / frequency, POINTS)[:, None],
        "photograph": ImageDataset(size=POINTS).pixels[POINTS // 2, :, :1].double(),
    }
    return {name: (y - y.min()) / (y.max() - y.min()) for name, y in found.items()}


def decibels(errors: torch.Tensor) -> list[float]:
    return (-10 * errors.log10()).tolist()


def trained(model: nn.Module, x: torch.Tensor, y: torch.Tensor, steps: int, optimizer: torch.optim.Optimizer) -> Any:
    """PSNR before each step and after the last; trains the model."""
    errors = []
    for _ in range(steps):
        optimizer.zero_grad()
        error = (model(x) - y).square()
        errors.append(error.detach().mean())
        (0.5 * error.sum()).backward()
        optimizer.step()
    errors.append((model(x) - y).detach().square().mean())
    return decibels(torch.stack(errors))


def holds(inputs: torch.Tensor, y: torch.Tensor, width: int, steps: int) -> int:
    """The last step to which gradient descent on these inputs is within 1 dB of its prediction."""
    network = finite_mlp(inputs.shape[1], width, 2, seed=0)
    dynamics = KernelDynamics(empirical_ntk_trace(network, inputs))
    rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
    found = {"predicted": predicted(dynamics, (network(inputs) - y).detach(), rate, steps)}
    found["descent"] = trained(network, inputs, y, steps, torch.optim.SGD(network.parameters(), lr=rate))
    apart_at = [abs(a - b) > 1 for a, b in zip(found["predicted"], found["descent"], strict=True)]
    return apart_at.index(True) - 1 if any(apart_at) else steps


def predicted(dynamics: KernelDynamics, start: torch.Tensor, rate: float, steps: int) -> list[float]:
    """PSNR before each step and after the last, from the error at the start."""
    along = dynamics.vectors.T @ start[:, 0]
    errors = [(dynamics.decay(step, rate, discrete=True) * along).square().mean() for step in range(steps + 1)]
    return decibels(torch.stack(errors))


def study(small: bool) -> dict[str, Any]:
    width, steps = (WIDTH // 2, EARLY) if small else (WIDTH, 300)
    encoder = GaussianEncoder(1, 64, 3.0, dtype=torch.float64)
    features, network = encoder(grid_points([POINTS])), finite_mlp(encoder.out_features, width, 2, seed=0)
    kernel = empirical_ntk_trace(network, features)
    dynamics = KernelDynamics(kernel)
    rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
    curves, drift = {}, {}
    for name, y in signals().items():
        curves[name] = {"predicted": predicted(dynamics, (network(features) - y).detach(), rate, steps)}
        for kind, make in (("descent", torch.optim.SGD), ("Adam", torch.optim.Adam)):
            model = copy.deepcopy(network)
            optimizer = make(model.parameters(), lr=rate if kind == "descent" else ADAM_RATE)
            curves[name][kind] = trained(model, features, y, steps, optimizer)
            if name == "photograph":
                drift[kind] = ((empirical_ntk_trace(model, features) - kernel).norm() / kernel.norm()).item()
    x = grid_points([POINTS])
    coordinates = torch.cat([2 * x - 1, torch.ones_like(x)], dim=-1)  # the 1 for a bias
    plain = {name: holds(coordinates, y, width, steps) for name, y in signals().items()}
    return {"steps": steps, "curves": curves, "drift": drift, "plain_holds_until": plain}


def apart(curves: dict[str, list[float]], kind: str, step: int) -> float:
    """The largest distance of a curve from the prediction up to a step, in decibels."""
    pairs = zip(curves["predicted"][: step + 1], curves[kind][: step + 1], strict=True)
    return max(abs(predicted - found) for predicted, found in pairs)


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(13, 3.4)
    every = figure.subplots(1, len(found["curves"]), sharey=True)
    for axes, (name, curves) in zip(every, found["curves"].items(), strict=True):
        axes.plot(curves["descent"], label="gradient descent")
        axes.plot(curves["predicted"], "k--", label="predicted")
        axes.plot(curves["Adam"], alpha=0.7, label=f"Adam, rate {ADAM_RATE:g}")
        axes.axvline(EARLY, color="gray", linestyle=":")
        axes.set(title=name, xlabel="step of training", ylim=(-18, 70))
        axes.legend(loc="lower right", fontsize=8)
    every[0].set(ylabel="PSNR, dB")


def table(found: dict[str, Any]) -> str:
    steps = found["steps"]
    marks = [step for step in (EARLY, 100, 200, 300) if step <= steps]
    lines = []
    for name, curves in found["curves"].items():
        early = [f"{apart(curves, 'descent', step):.2f} dB" for step in marks]
        lines.append([name, *early, f"{apart(curves, 'Adam', EARLY):.1f} dB"])
    head = ["signal", *(f"descent, to step {step}" for step in marks), f"Adam, to step {EARLY}"]
    drift = ", ".join(f"{name} by {100 * value:.1f} %" for name, value in found["drift"].items())
    moved = f"In {steps} steps on the photograph, the kernel is moved by: {drift}."
    plain = found["plain_holds_until"].values()
    without = f"On the coordinates themselves, it holds to 1 dB until step {min(plain)} to {max(plain)}, by the signal."
    return f"{frame.markdown(head, lines)}\n\n{moved}\n\n{without}"


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
