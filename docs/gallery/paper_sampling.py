"""Figure 4 of Tancik et al. 2020: networks on 16 random frequencies from several distributions. The standard deviation
of the frequencies decides between under- and overfitting; the shape of the distribution hardly matters.

python docs/gallery/paper_sampling.py [--small]
"""

import math
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import frame
import torch
from matplotlib.figure import Figure
from stacked import Stack

from ffnet.encoders import FourierEncoder
from ffnet.models import CoordinateMLP

POINTS = 128
SPARSE = 16
HIGHEST = 32  # cycles of the signals
WIDTH = 64
ALPHAS = (0.5, 1.0, 1.5)
Draw = Callable[[torch.Generator], torch.Tensor]


def uniform(generator: torch.Generator) -> torch.Tensor:
    return torch.rand(SPARSE, generator=generator, dtype=torch.float64)


# Each has the standard deviation 1 around 0; the smallest frequencies of the logarithmic one are e^-4 of the largest.
DISTRIBUTIONS: dict[str, Draw] = {
    "Gaussian": lambda g: torch.randn(SPARSE, generator=g, dtype=torch.float64),
    "uniform": lambda g: (2 * uniform(g) - 1) * math.sqrt(3),
    "Laplace": lambda g: (uniform(g) - 0.5).sign() * -uniform(g).log() / math.sqrt(2),
    "uniform in the logarithm": lambda g: (
        (uniform(g) - 0.5).sign() * torch.exp(4 * (uniform(g) - 1)) / math.sqrt((1 - math.exp(-8)) / 8)
    ),
}


def signals(x: torch.Tensor, alpha: float, count: int) -> torch.Tensor:
    """Random periodic signals (count, points) of mean square 1, whose amplitudes fall as ``f^-alpha`` up to HIGHEST."""
    f = torch.arange(1, HIGHEST + 1, dtype=torch.float64)
    normal = torch.randn(count, 2, HIGHEST, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * f**-alpha
    phase = 2 * math.pi * x[:, None] * f
    values = torch.einsum("ckf,kxf->cx", normal, torch.stack([phase.sin(), phase.cos()]))
    return values / (normal.square().sum((1, 2)) / 2).sqrt()[:, None]


def test_errors(encoders: list[FourierEncoder], targets: torch.Tensor, x: torch.Tensor, steps: int) -> torch.Tensor:
    """Mean squared errors between the training points, of one network an encoder after Adam."""
    stack = Stack([CoordinateMLP(e, 1, WIDTH, 3, seed=seed) for seed, e in enumerate(encoders)])
    between = targets[:, 1::2, None].float()
    known = targets[:, ::2, None].float()
    points = x.float()[:, None]
    stack.train(points[::2], known, steps, partial(torch.optim.Adam, lr=5e-3), 1 / POINTS)
    with torch.no_grad():
        return (stack(points[1::2]) - between).square().mean((1, 2))


def study(small: bool) -> dict[str, Any]:
    scales, steps, count = ([1.0, 8.0, 64.0], 60, 1) if small else ([2.0**k for k in range(7)], 300, 1)
    x = torch.arange(2 * POINTS, dtype=torch.float64) / (2 * POINTS)
    generator = torch.Generator().manual_seed(0)
    dense = torch.arange(1, POINTS // 2 + 1, dtype=torch.float64)
    found: dict[str, Any] = {"steps": steps, "signals": count, "alphas": {}}
    for alpha in ALPHAS:
        y = signals(x, alpha, count)
        rows, encoders, targets = [], [], []
        for kind, draw_ in DISTRIBUTIONS.items():
            for scale in scales:
                for target in y:
                    b = scale * draw_(generator)
                    rows.append({"kind": kind, "scale": scale, "std": b.square().mean().sqrt().item()})
                    encoders.append(FourierEncoder(1, [1.0], b[:, None]))
                    targets.append(target)
        errors = test_errors(encoders, torch.stack(targets), x, steps).tolist()
        amplitudes = (dense**-alpha / (dense**-alpha).norm() * SPARSE**0.5)[:, None]
        full = [FourierEncoder(1, dense, amplitudes=amplitudes) for _ in y]
        found["alphas"][f"{alpha:g}"] = {
            "dots": [row | {"error": error} for row, error in zip(rows, errors, strict=True)],
            "dense": test_errors(full, y, x, steps).mean().item(),
        }
    return found


def means(numbers: dict[str, Any], kind: str) -> list[tuple[float, float]]:
    """(nominal standard deviation, geometric mean of the errors) of a distribution."""
    dots = [dot for dot in numbers["dots"] if dot["kind"] == kind]
    scales = sorted({dot["scale"] for dot in dots})
    errors = [[math.log(dot["error"]) for dot in dots if dot["scale"] == scale] for scale in scales]
    return [(scale, math.exp(sum(logs) / len(logs))) for scale, logs in zip(scales, errors, strict=True)]


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(13, 4.2)
    panels = figure.subplots(1, 3, sharey=True)
    for axes, (alpha, numbers) in zip(panels, found["alphas"].items(), strict=True):
        for color, kind in zip(("C0", "C1", "C2", "C3"), DISTRIBUTIONS, strict=True):
            dots = [dot for dot in numbers["dots"] if dot["kind"] == kind]
            axes.loglog([d["std"] for d in dots], [d["error"] for d in dots], ".", color=color, label=kind)
        axes.axhline(numbers["dense"], color="black", linestyle="--", linewidth=1, label="64 frequencies, $f^{-α}$")
        axes.set(
            title=f"4: signals of amplitudes $f^{{-{alpha}}}$", xlabel="standard deviation of the frequencies, cycles"
        )
    panels[0].set_ylabel("test error (signal: mean square 1)")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize="small")


def table(found: dict[str, Any]) -> str:
    lines = []
    for alpha, numbers in found["alphas"].items():
        line: list[Any] = [alpha]
        for kind in DISTRIBUTIONS:
            curve = means(numbers, kind)
            best = min(curve, key=lambda pair: pair[1])
            line.append(f"{best[1]:.1e} at {best[0]:.3g}")
        ends = [means(numbers, "Gaussian")[0], means(numbers, "Gaussian")[-1]]
        lines.append([*line, *(f"{error:.1e}" for _, error in ends), f"{numbers['dense']:.1e}"])
    low, high = (f"{means(next(iter(found['alphas'].values())), 'Gaussian')[i][0]:.3g}" for i in (0, -1))
    head = [
        "α",
        *(f"{kind}: smallest error, at std" for kind in DISTRIBUTIONS),
        f"Gaussian at std {low}",
        f"at std {high}",
    ]
    return frame.markdown([*head, "64 frequencies"], lines)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
