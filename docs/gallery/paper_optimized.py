"""Figure 5 of Tancik et al. 2020: the mapping optimized. Amplitudes through the test error that the kernel predicts,
for families of signals; and frequencies that are trained with the network.

python docs/gallery/paper_optimized.py [--small]
"""

import math
import sys
from functools import partial
from typing import Any

import frame
import torch
from matplotlib.figure import Figure
from stacked import Stack

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import InfiniteMLP
from ffnet.models import CoordinateMLP

POINTS = 32
FINER = 4
STEPS = 100  # of gradient descent at half of the largest stable rate, which the kernel predicts
ALPHAS = (1.0, 1.5, 2.0)
WIDTH = 64


def signals(alpha: float, count: int, seed: int) -> torch.Tensor:
    """Periodic signals (count, grid) of mean square 1, whose amplitudes fall as ``f^-alpha`` from 1 to 16 cycles."""
    x = torch.arange(POINTS * FINER, dtype=torch.float64) / (POINTS * FINER)
    f = torch.arange(1, POINTS // 2 + 1, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, 2, len(f), generator=generator, dtype=torch.float64) * f**-alpha
    phase = 2 * math.pi * x[:, None] * f
    values = torch.einsum("ckf,kxf->cx", normal, torch.stack([phase.sin(), phase.cos()]))
    return values / values.square().mean(1, keepdim=True).sqrt()


def row(amplitudes: torch.Tensor) -> torch.Tensor:
    """The composed NTK at all distances of the grid, differentiable in the amplitudes, which are normalized."""
    power = amplitudes.square() / amplitudes.square().sum()
    j = torch.arange(1, len(power) + 1, dtype=torch.float64)
    # At the distance 0 the kernel does not depend on the amplitudes, and its derivative is not finite.
    x = torch.arange(1, POINTS * FINER, dtype=torch.float64) / (POINTS * FINER)
    gap = 4 * (torch.sin(math.pi * x[:, None] * j).square() * power).sum(-1)
    infinite, one = InfiniteMLP(3, "relu", "unit_variance"), torch.ones(1, dtype=torch.float64)
    return torch.cat([infinite.propagate(one, one, 0 * one)[1], infinite.propagate(one, one, gap)[1]])


def predicted_error(amplitudes: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """Mean squared error on the grid after STEPS: the formula of ``KernelDynamics`` in Fourier space."""
    kernel = row(amplitudes)
    eigenvalues = torch.fft.fft(kernel[::FINER]).real
    rate = 1 / eigenvalues.detach().max()
    coefficients = torch.fft.fft(y[:, ::FINER]) * (1 - (1 - rate * eigenvalues) ** STEPS) / eigenvalues
    spread = torch.fft.fft(kernel).real  # a fine grid's kernel applied to weights on the coarse one
    fit = torch.fft.ifft(spread * coefficients.repeat(1, FINER)).real
    return (fit - y).square().mean()


def optimized(alpha: float, iterations: int, count: int) -> torch.Tensor:
    """Amplitudes with the smallest predicted error, by Adam from (nearly) a single frequency."""
    y = signals(alpha, count, seed=1)
    start = torch.full((POINTS // 2,), 1e-3, dtype=torch.float64)
    start[0] = 1.0
    amplitudes = start.requires_grad_()
    optimizer = torch.optim.Adam([amplitudes], lr=0.01)
    for _ in range(iterations):
        optimizer.zero_grad()
        predicted_error(amplitudes, y).backward()
        optimizer.step()
    return (amplitudes.detach() / amplitudes.detach().norm()).abs()


def trained(sigmas: list[float], steps: int, count: int, trainable: bool) -> dict[str, list[float]]:
    """Test errors of networks on Gaussian features of these sigmas, fixed or trained with them, and the frequencies'
    standard deviation at the end."""
    y = signals(1.0, count, seed=2).float()
    grid = torch.arange(POINTS * FINER, dtype=torch.float32)[:, None] / (POINTS * FINER)
    pairs = [(sigma, seed) for sigma in sigmas for seed in range(count)]
    targets = torch.stack([y[seed] for _, seed in pairs])[..., None]
    networks = [
        CoordinateMLP(GaussianEncoder(1, 16, sigma, seed=seed, trainable=trainable), 1, WIDTH, 3, seed=seed)
        for sigma, seed in pairs
    ]
    stack = Stack(networks)
    stack.train(grid[::FINER], targets[:, ::FINER], steps, partial(torch.optim.Adam, lr=5e-3), 1 / POINTS)
    with torch.no_grad():
        errors = (stack(grid) - targets).square().mean((1, 2)).log().unflatten(0, (len(sigmas), count)).mean(1).exp()
    B = (stack.parameters if trainable else stack.buffers)["encoder.B"].detach()
    spread = B.square().mean((1, 2)).unflatten(0, (len(sigmas), count)).mean(1).sqrt()
    return {"test": errors.tolist(), "std": spread.tolist()}


def study(small: bool) -> dict[str, Any]:
    iterations, count = (20, 16) if small else (300, 256)
    sigmas, steps, networks = ([0.125, 4.0], 40, 2) if small else ([2.0 ** (k - 3) for k in range(9)], 500, 4)
    powers = [k / 4 for k in range(9)]
    j = torch.arange(1, POINTS // 2 + 1, dtype=torch.float64)
    families = {}
    for alpha in ALPHAS:
        y, best = signals(alpha, 64, seed=0), optimized(alpha, iterations, count)
        families[f"{alpha:g}"] = {
            "powers": [predicted_error(j**-p, y).item() for p in powers],
            "amplitudes": best.tolist(),
            "optimized": predicted_error(best, y).item(),
        }
    kinds = {"fixed": False, "trained": True}
    return {
        "powers": powers,
        "families": families,
        "sigmas": sigmas,
        "steps": steps,
        "networks": networks,
        "frequencies": {kind: trained(sigmas, steps, networks, value) for kind, value in kinds.items()},
    }


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(13, 3.9)
    amplitudes, powers, frequencies = figure.subplots(1, 3)
    for color, (alpha, numbers) in zip(("C0", "C1", "C2"), found["families"].items(), strict=True):
        values = numbers["amplitudes"]
        j = range(1, len(values) + 1)
        amplitudes.loglog(j, [v / values[0] for v in values], "o-", color=color, label=f"α = {alpha}", markersize=4)
        amplitudes.loglog(j, [k ** -float(alpha) for k in j], ":", color=color)
        powers.semilogy(found["powers"], numbers["powers"], "o-", color=color, label=f"α = {alpha}", markersize=4)
        powers.axhline(numbers["optimized"], color=color, linestyle="--", linewidth=1)
    amplitudes.set(title="5: optimized amplitudes ($j^{-α}$: dotted)", xlabel="frequency j, cycles per period")
    amplitudes.set(ylabel="$a_j / a_1$", ylim=(1e-3, 3))
    amplitudes.legend(loc="lower left")
    powers.set(title="5: test error (optimized: dashed)", xlabel="power p of amplitudes $j^{-p}$")
    powers.set_ylabel("predicted mean squared error")
    powers.legend(loc="upper right")
    for kind, style in (("fixed", "o-"), ("trained", "s--")):
        frequencies.loglog(found["sigmas"], found["frequencies"][kind]["test"], style, label=f"{kind}", markersize=4)
    frequencies.set(title="frequencies trained with the network", xlabel="σ of the frequencies at the start, cycles")
    frequencies.set_ylabel("test error (signal: mean square 1)")
    frequencies.legend(loc="upper center")


def table(found: dict[str, Any]) -> str:
    lines = []
    for alpha, numbers in found["families"].items():
        error, power = min(zip(numbers["powers"], found["powers"], strict=True))
        lines.append([alpha, f"{error:.4g} at p = {power:g}", f"{numbers['optimized']:.4g}"])
    amplitudes = frame.markdown(["α", "best power", "optimized amplitudes"], lines)
    rows = []
    for i in range(0, len(found["sigmas"]), 2):
        fixed, moved = found["frequencies"]["fixed"], found["frequencies"]["trained"]
        sigma = f"{found['sigmas'][i]:.3g}"
        rows.append([sigma, f"{fixed['test'][i]:.3f}", f"{moved['test'][i]:.3f}"])
        rows[-1] += [f"{fixed['std'][i]:.2f}", f"{moved['std'][i]:.2f}"]
    head = ["σ", "test error, fixed", "trained", "standard deviation of the frequencies, at the start", "trained"]
    return f"{amplitudes}\n\n{frame.markdown(head, rows)}"


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
