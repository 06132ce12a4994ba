"""Figures 2 and 3 of Tancik et al. 2020: the power p of the features' amplitudes sets the width of the composed
kernel, its spectrum, how fast high frequencies are learned, and what is fitted between 32 points. The untrained
network's output is subtracted.

python docs/gallery/paper_mappings.py [--small]
"""

import math
import sys
from functools import partial
from typing import Any

import frame
import torch
from matplotlib.figure import Figure
from power_law import POINTS, POWERS, encoder, signal
from stacked import Stack

from ffnet.kernels import (
    InfiniteMLP,
    KernelDynamics,
    circulant_eigenvalues,
    finite_mlp,
    grid_points,
    largest_stable_rate,
)

FINER = 8
EVERY = 5  # steps between those that are drawn
BANDS = {"low": (1, 5), "high": (11, 15)}  # cycles


def name(power: float) -> str:
    return "inf" if math.isinf(power) else f"{power:g}"


def band_error(error: torch.Tensor, low: int, high: int) -> torch.Tensor:
    """Mean square of the part of errors (..., points) on the training points from ``low`` to ``high`` cycles."""
    spectrum = torch.fft.rfft(error, norm="forward")
    return 2 * spectrum[..., low : high + 1].abs().square().sum(-1)


def study(small: bool) -> dict[str, Any]:
    width, steps, count, powers = (64, 20, 2, (math.inf, 1.0, 0.0)) if small else (512, 300, 8, POWERS)
    grid = torch.arange(POINTS * FINER, dtype=torch.float64)[:, None] / (POINTS * FINER)
    signals = torch.stack([signal(grid, seed) for seed in range(count)])
    shown = range(0, steps + 1, EVERY)
    found: dict[str, Any] = {
        "width": width,
        "steps": steps,
        "signals": count,
        "plain": plain(32 if small else 48),
        "powers": {},
    }
    for power in powers:
        features = encoder(power)
        infinite = InfiniteMLP(3, "relu", "ntk", math.sqrt(2), encoder=features)
        row = infinite.ntk(grid[:1], grid)[0]
        cross = infinite.ntk(grid, grid[::FINER])
        dynamics = KernelDynamics(cross[::FINER])
        rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
        start = -signals[:, ::FINER, 0].T  # one signal a column
        predicted = [dynamics.residual(start, step, rate, discrete=True).T for step in range(steps + 1)]
        between = dynamics.change(cross, start, steps, rate, discrete=True).T - signals[..., 0]
        residuals, fits = trained(features(grid), signals, rate, steps, width)
        found["powers"][name(power)] = {
            "kernel": (row / row[0]).tolist(),
            "spectrum": circulant_eigenvalues(row[::FINER])[: POINTS // 2 + 1].tolist(),
            "fit": fits[0].tolist(),
            "predicted": {"train": predicted[-1].square().mean().item(), "test": between.square().mean().item()},
            "trained": {
                "train": residuals[-1].square().mean().item(),
                "test": (fits - signals[..., 0]).square().mean().item(),
            },
            "bands": {
                band: {
                    "predicted": [band_error(predicted[step], *limits).mean().item() for step in shown],
                    "trained": [band_error(residuals[step], *limits).mean().item() for step in shown],
                }
                for band, limits in BANDS.items()
            },
        }
    return found | {"x": grid[:, 0].tolist(), "signal": signals[0, :, 0].tolist()}


def plain(points: int) -> list[list[float]]:
    """NTK of the same network on (2x - 1, 1), the 1 for a bias: relative to its largest entry."""
    x = grid_points([points])
    kernel = InfiniteMLP(3, "relu", "ntk", math.sqrt(2)).ntk(torch.cat([2 * x - 1, torch.ones_like(x)], dim=-1))
    return (kernel / kernel.max()).tolist()


def trained(
    inputs: torch.Tensor, signals: torch.Tensor, rate: float, steps: int, width: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Errors (steps + 1, signals, 32) at the training points, and the fits (signals, grid), of one network a signal."""
    inputs, signals = inputs.float(), signals.float()
    count = len(signals)
    stack = Stack([finite_mlp(inputs.shape[1], width, 3, seed, dtype=torch.float32) for seed in range(count)])
    with torch.no_grad():
        initial = stack(inputs)
    targets = signals[:, ::FINER] + initial[:, ::FINER]
    descent = partial(torch.optim.SGD, lr=1.0)
    outputs = torch.stack(list(stack.steps(inputs[::FINER], targets, steps, descent, rate)))
    with torch.no_grad():
        fits = stack(inputs) - initial
    return (outputs - targets)[..., 0], fits[..., 0]


def label(power: str) -> str:
    return f"p = {'∞' if power == 'inf' else power}"


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(13, 7)
    (plain_axes, kernel, spectrum), (fit, bands, ends) = figure.subplots(2, 3)
    image = plain_axes.imshow(found["plain"], extent=(0, 1, 1, 0), cmap="viridis", vmin=0, vmax=1)
    figure.colorbar(image, ax=plain_axes, label="Θ(x, x′) / maximum")
    plain_axes.set(title="2a: without features, not stationary", xlabel="x′, periods", ylabel="x, periods")
    half = len(found["x"]) // 2
    shift = [x - 0.5 for x in found["x"]]
    fit.plot(found["x"], found["signal"], color="black", linewidth=1, label="signal")
    fit.plot(found["x"][::FINER], found["signal"][::FINER], "k.", label="training points")
    for color, (power, numbers) in zip(("C0", "C1", "C2", "C3", "C4"), found["powers"].items(), strict=False):
        kernel.plot(shift, numbers["kernel"][half:] + numbers["kernel"][:half], color=color, label=label(power))
        spectrum.semilogy(numbers["spectrum"], ".-", color=color, label=label(power))
        if power in ("inf", "1", "0"):
            fit.plot(found["x"], numbers["fit"], color=color, linewidth=1.5, alpha=0.85, label=label(power))
        shown = range(0, found["steps"] + 1, EVERY)
        bands.semilogy(shown, numbers["bands"]["high"]["trained"], color=color, label=label(power))
        bands.semilogy(shown, numbers["bands"]["high"]["predicted"], "--", color=color)
    kernel.set(title="2b, 2c: composed kernel", xlabel="x − x′, periods", ylabel="Θ(x, x′) / Θ(x, x)")
    spectrum.set(title="2d: its spectrum", xlabel="frequency, cycles per period", ylabel="eigenvalue on 32 points")
    values = found["signal"]
    fit.set(ylim=(min(values) - 0.4, max(values) + 2.6), xlabel="x, periods", ylabel="value (signal: mean square 1)")
    fit.set_title(f"3b: fits after {found['steps']} steps")
    bands.set(title="3c: training error at 11 to 15 cycles", xlabel="step of gradient descent", ylim=(1e-9, 300))
    bands.set_ylabel("mean square (predicted: dashed)")
    places = range(len(found["powers"]))
    for where, marker in (("train", "s"), ("test", "o")):
        for how, filled, line in (("trained", True, "-"), ("predicted", False, "--")):
            values = [numbers[how][where] for numbers in found["powers"].values()]
            color = "C5" if where == "train" else "C6"
            points = {"marker": marker, "color": color, "linestyle": line, "label": f"{where}, {how}"}
            ends.semilogy(places, values, **points, markerfacecolor=color if filled else "none")
    ends.set_xticks(places, [label(power) for power in found["powers"]])
    ends.set(
        title=f"3d: errors after {found['steps']} steps", ylabel="mean squared error (signal: 1)", ylim=(1e-12, 1e4)
    )
    ends.set_xlabel("amplitudes of the features, $j^{-p}$")
    for axes, place in ((kernel, "upper right"), (spectrum, "upper right"), (ends, "upper center")):
        axes.legend(loc=place, fontsize="small", ncols=2 if axes is ends else 1)
    fit.legend(loc="upper center", ncols=3, fontsize="small")
    bands.legend(loc="upper center", ncols=3, fontsize="small")


def table(found: dict[str, Any]) -> str:
    lines = []
    for power, numbers in found["powers"].items():
        spectrum = numbers["spectrum"][1:16]
        left = [numbers["bands"][band]["trained"][min(100, found["steps"]) // EVERY] for band in BANDS]
        ends = [numbers[how][where] for where in ("train", "test") for how in ("predicted", "trained")]
        lines.append(
            ["∞" if power == "inf" else power, f"{spectrum[-1] / spectrum[0]:.2g}"]
            + [f"{value:.2g}" for value in (*left, *ends)]
        )
    head = ["p", "eigenvalue at 15 cycles / at 1", "left at 1 to 5 cycles, step 100", "at 11 to 15 cycles"]
    head += ["training error, predicted", "trained", "test error, predicted", "trained"]
    return frame.markdown(head, lines)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
