"""The empirical kernel of a random network converges to that of the infinite one as 1 / sqrt(width).

python docs/gallery/ntk_width.py [--small]
"""

import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.kernels import InfiniteMLP, empirical_ntk_trace, finite_mlp

SHOWN = (64, 1024)


def slope(widths: list[int], values: list[float]) -> float:
    """Of the least-squares line through the logarithms."""
    logs = torch.tensor([widths, values], dtype=torch.float64).log()
    return (torch.cov(logs)[0, 1] / logs[0].var()).item()


def study(small: bool) -> dict[str, Any]:
    x = torch.rand(16, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    infinite = InfiniteMLP(2, "relu", "ntk", math.sqrt(2))
    kernel = infinite.ntk(x)
    widths, draws = ([64, 256], 4) if small else ([64, 128, 256, 512, 1024, 2048], 16)
    distances = []
    for width in widths:
        networks = [finite_mlp(3, width, 2, seed) for seed in range(draws)]
        distances.append(
            sum((empirical_ntk_trace(f, x) - kernel).norm().item() for f in networks) / (draws * kernel.norm().item())
        )
    angles = torch.linspace(-math.pi, math.pi, 21 if small else 101, dtype=torch.float64)
    circle = torch.stack([angles.cos(), angles.sin(), torch.zeros_like(angles)], dim=-1)
    pole = circle[len(angles) // 2 :][:1]
    rows = {w: [empirical_ntk_trace(finite_mlp(3, w, 2, s), pole, circle)[0].tolist() for s in range(3)] for w in SHOWN}
    return {
        "widths": widths,
        "distances": distances,
        "slope": slope(widths, distances),
        "angles": angles.tolist(),
        "rows": rows,
        "infinite": infinite.ntk(pole, circle)[0].tolist(),
    }


def draw(found: dict[str, Any], figure: Figure) -> None:
    rows, distances = figure.subplots(1, 2)
    for color, (width, lines) in zip(("C0", "C1"), found["rows"].items(), strict=True):
        for number, line in enumerate(lines):
            label = None if number else f"three networks of width {width}"
            rows.plot(found["angles"], line, color=color, linewidth=1, alpha=0.8, label=label)
    rows.plot(found["angles"], found["infinite"], "k--", label="infinite width")
    rows.set(title="A row of the kernel", xlabel="angle between two inputs, radians", ylabel="Θ(x, x')")
    rows.set_ylim(0, 3.2)
    rows.legend(loc="upper center")
    widths, values = found["widths"], found["distances"]
    distances.loglog(widths, values, "o", label="mean over random networks")
    law = [values[0] * math.sqrt(widths[0] / width) for width in widths]
    distances.loglog(widths, law, "k--", label="width^(−1/2)")
    distances.set(title="Distance from the infinite kernel", xlabel="width", ylabel="relative Frobenius distance")
    distances.legend()


def table(found: dict[str, Any]) -> str:
    rows = zip(found["widths"], found["distances"], strict=True)
    lines = [[width, f"{value:.3f}", f"{value * math.sqrt(width):.2f}"] for width, value in rows]
    text = frame.markdown(["width", "relative distance", "times the root of the width"], lines)
    return f"{text}\n\nSlope of the logarithms: {found['slope']:.2f}."


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
