"""Figure 7 of Tancik et al. 2020: depth spreads the spectrum of the kernel, around each frequency of the features.

python docs/gallery/paper_depth.py [--small]
"""

import math
import sys
from functools import partial
from typing import Any

import frame
import torch
from matplotlib.figure import Figure
from stacked import Stack

from ffnet.encoders import FourierEncoder
from ffnet.kernels import (
    InfiniteMLP,
    KernelDynamics,
    circulant_eigenvalues,
    finite_mlp,
    grid_points,
    largest_stable_rate,
    stationary_row,
)

POINTS = 128
GAP = 43.0  # cycles: the frequency that is added
MAPPINGS = {"basic": [1.0], "added": [1.0, GAP]}
DEPTHS = (4, 8, 16)
TRAINED = (2, 4, 8)
WAVES = (1, 2, 4, 8)


def encoder(frequencies: list[float]) -> FourierEncoder:
    """Sines and cosines of equal amplitude and of the norm 1."""
    return FourierEncoder(1, frequencies, amplitudes=[len(frequencies) ** -0.5], dtype=torch.float64)


def spectrum(frequencies: list[float], depth: int) -> torch.Tensor:
    """Eigenvalues by frequency of the infinite network's NTK, relative to its diagonal."""
    infinite = InfiniteMLP(depth, "relu", "unit_variance", encoder=encoder(frequencies))
    row = stationary_row(infinite.ntk, [POINTS])
    return circulant_eigenvalues(row)[: POINTS // 2 + 1] / row[0]


def left(errors: torch.Tensor) -> torch.Tensor:
    """Amplitudes (waves, ...) of sines in errors (..., points), which are 1 in the target."""
    x = grid_points([errors.shape[-1]])[:, 0].to(errors.dtype)
    return torch.stack([2 * (errors * torch.sin(2 * math.pi * f * x)).mean(-1) for f in WAVES])


def first(amplitudes: torch.Tensor) -> int | None:
    """The first step at which less than 1/e is left."""
    below = (amplitudes < 1 / math.e).nonzero()
    return int(below[0]) if len(below) else None


def learned(depth: int, steps: int, width: int, seeds: int) -> dict[str, Any]:
    """Steps in which waves are learned on the basic mapping: predicted by the limit, and of trained networks."""
    x = grid_points([32])
    y = torch.stack([torch.sin(2 * math.pi * f * x) for f in WAVES]).sum(0)
    features = encoder([1.0])(x)
    dynamics = KernelDynamics(InfiniteMLP(depth, "relu", "unit_variance").ntk(features))
    rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
    predicted = torch.stack([-dynamics.residual(-y, step, rate, discrete=True)[:, 0] for step in range(steps + 1)])
    # The parameterisation ntk has this limit if the features' squared norm is half their number.
    stack = Stack([finite_mlp(2, width, depth, seed, dtype=torch.float32) for seed in range(seeds)])
    inputs = features.float()
    with torch.no_grad():
        target = y.float() + stack(inputs)
    outputs = torch.stack(list(stack.steps(inputs, target, steps, partial(torch.optim.SGD, lr=1.0), rate)))
    amplitudes = left((target - outputs)[..., 0]).mean(-1)
    return {
        "rate": rate,
        "predicted": [first(line) for line in left(predicted)],
        "trained": [first(line) for line in amplitudes],
    }


def study(small: bool) -> dict[str, Any]:
    steps, width, seeds = (60, 64, 2) if small else (600, 128, 2)
    return {
        "steps": steps,
        "width": width,
        "networks": seeds,
        "spectra": {name: {d: spectrum(f, d).tolist() for d in DEPTHS} for name, f in MAPPINGS.items()},
        "learned": {depth: learned(depth, steps, width, seeds) for depth in TRAINED},
    }


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(13, 3.8)
    *spectra, steps = figure.subplots(1, 3)
    titles = {"basic": "features of 1 cycle", "added": f"features of 1 and {GAP:g} cycles"}
    for axes, (mapping, title) in zip(spectra, titles.items(), strict=True):
        for depth, line in found["spectra"][mapping].items():
            axes.semilogy(range(1, len(line)), line[1:], label=f"{depth} hidden layers")
        axes.set(title=f"7: {title}", xlabel="frequency, cycles per period", ylabel="eigenvalue / Θ(x, x)")
    spectra[0].legend(loc="upper right", fontsize="small")
    spectra[1].legend(loc="upper center", fontsize="small")
    spectra[1].set_ylim(top=200)
    for color, (depth, numbers) in zip(("C0", "C1", "C2"), found["learned"].items(), strict=True):
        steps.loglog(WAVES, [v or math.nan for v in numbers["predicted"]], "--", color=color)
        known = [v or math.nan for v in numbers["trained"]]
        steps.loglog(WAVES, known, "o", color=color, label=f"{depth} hidden layers")
    steps.set_xticks(WAVES, [str(wave) for wave in WAVES], minor=False)
    steps.minorticks_off()
    steps.set(title="features of 1 cycle, trained; limit: dashed", xlabel="frequency, cycles per period")
    steps.set_ylabel("step at which 1/e is left")
    steps.legend(loc="upper left", fontsize="small")


def table(found: dict[str, Any]) -> str:
    lines = []
    for depth in found["learned"]:
        numbers = found["learned"][depth]
        pairs = zip(numbers["predicted"], numbers["trained"], strict=True)
        beyond = f"beyond {found['steps']:,}"
        lines.append([depth, *(f"{p or beyond} / {t or beyond}" for p, t in pairs)])
    head = ["hidden layers", *(f"{wave} cycle{'s' * (wave > 1)}: predicted / trained" for wave in WAVES)]
    rows = []
    for depth in found["spectra"]["basic"]:
        basic, added = found["spectra"]["basic"][depth], found["spectra"]["added"][depth]
        rows.append([depth, f"{basic[8] / basic[1]:.2g}", f"{basic[32] / basic[1]:.2g}", f"{added[20] / added[1]:.2g}"])
    more = ["hidden layers", "eigenvalue at 8 cycles / at 1", "at 32 / at 1"]
    more += [f"at 20 / at 1, with {GAP:g} cycles added"]
    return f"{frame.markdown(more, rows)}\n\n{frame.markdown(head, lines)}"


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
