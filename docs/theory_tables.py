"""Computes the tables of the guide that have no figure, and writes them into it. Takes seconds.

The numbers are kept in docs/figures/theory_tables.json.

python docs/theory_tables.py
"""

import json
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import (
    InfiniteMLP,
    TextbookNetwork,
    eigenvalues,
    empirical_ntk_trace,
    frequency_eigenvalues,
    grid_points,
    largest_stable_rate,
    laziness,
)

GUIDE = Path(__file__).resolve().parent / "theory.md"
NUMBERS = GUIDE.parent / "figures" / "theory_tables.json"
SEEDS = 3

Rows = list[list[str | int | float]]


class Table(NamedTuple):
    """A table's head, the function that computes its rows, and how it shows a float."""

    head: list[str]
    rows: Callable[[], Rows]
    shown: Callable[[float], str] = "{:.3g}".format

    def markdown(self, rows: Rows) -> str:
        cells = [[self.shown(cell) if isinstance(cell, float) else str(cell) for cell in row] for row in rows]
        return "\n".join("| " + " | ".join(line) + " |" for line in [self.head, ["---"] * len(self.head), *cells])


def rounded(rows: Rows) -> Rows:
    """``rows`` with six digits, which is more than a table shows."""
    return [[float(f"{cell:.6g}") if isinstance(cell, float) else cell for cell in row] for row in rows]


def circle(count: int) -> Tensor:
    """Equidistant unit vectors (count, 2)."""
    angles = 2 * math.pi * torch.arange(count, dtype=torch.float64)[:, None] / count
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def positive() -> Rows:
    """Smallest over largest eigenvalue of the NTK on points of the unit circle."""
    cases = [
        ("ReLU, 1 hidden layer, no biases", 15, InfiniteMLP(1, "relu", "ntk", 2**0.5)),
        ("ReLU, 1 hidden layer, no biases", 16, InfiniteMLP(1, "relu", "ntk", 2**0.5)),
        ("ReLU, 1 hidden layer, biases", 16, InfiniteMLP(1, "relu", "ntk", 2**0.5, 0.5)),
        ("ReLU, 2 hidden layers, no biases", 16, InfiniteMLP(2, "relu", "ntk", 2**0.5)),
        ("erf, 1 hidden layer, no biases", 16, InfiniteMLP(1, "erf", "ntk", 2**0.5)),
        ("erf, 1 hidden layer, biases", 16, InfiniteMLP(1, "erf", "ntk", 2**0.5, 0.5)),
        ("square, 1 hidden layer, biases", 16, InfiniteMLP(1, torch.square, "ntk", 0.5, 0.5)),
    ]
    rows: Rows = []
    for name, count, mlp in cases:
        values = eigenvalues(mlp.ntk(circle(count)))
        ratio = (values[-1] / values[0]).item()
        # Opposite points, whose angle has half of the digits, leave up to 1e-9 of what is 0.
        rows.append([name, count, ratio if ratio > 1e-8 else 0.0])
    return rows


def trained(width: int, scale: float, seed: int) -> tuple[float, float, float]:
    """(kappa, change of the kernel, error that is left) of a textbook network whose initial output is subtracted."""
    x, y = torch.randn(8, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64).split([3, 1], dim=1)
    model = TextbookNetwork(3, width, seed, torch.tanh, scale)
    start, kernel = model(x).detach(), empirical_ntk_trace(model, x)
    kappa = laziness(model, x, y + start)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1 * largest_stable_rate(eigenvalues(kernel)[0].item()))
    for _ in range(300):
        optimizer.zero_grad()
        (0.5 * (model(x) - start - y).square().sum()).backward()
        optimizer.step()
    change = (empirical_ntk_trace(model, x) - kernel).norm() / kernel.norm()
    return kappa, change.item(), ((model(x) - start - y).norm() / y.norm()).item()


def averaged(width: int, scale: float) -> list[float]:
    """``trained``, averaged over ``SEEDS`` networks."""
    found: list[float] = torch.tensor([trained(width, scale, seed) for seed in range(SEEDS)]).mean(0).tolist()
    return found


def scales() -> Rows:
    """Lazy and rich training by the scale of the output."""
    return [[alpha, *averaged(256, alpha / 16)] for alpha in (1 / 16, 1 / 4, 1.0, 4.0, 16.0)]


def widths() -> Rows:
    """Lazy and rich training by the width, in the kernel's scale and in that of the mean field."""
    return [[m, *averaged(m, m**-0.5), *averaged(m, 1 / m)] for m in (64, 256, 1024)]


def depths() -> Rows:
    """Eigenvalues by depth, of waves on Gaussian features of unit norm."""
    x, encoder = grid_points([128]), GaussianEncoder(1, 4096, 2.0, normalize=True, dtype=torch.float64)
    rows: Rows = []
    for depth in (1, 2, 4, 8, 16, 32):
        values = frequency_eigenvalues(InfiniteMLP(depth, "relu", "unit_variance", encoder=encoder).ntk(x))
        rows.append([depth, *(values[1] / values[list(FREQUENCIES)]).tolist()])
    return rows


FREQUENCIES = (8, 16, 32)
LAZY = ("kappa", "change of the kernel", "error that is left")
TABLES = {
    "positive": Table(
        ["network", "points", "smallest / largest eigenvalue"], positive, lambda x: f"{x:.1e}" if x else "0"
    ),
    "scales": Table(["alpha", *LAZY], scales),
    "widths": Table(["width", *(f"{name}, {scale}" for scale in ("1/sqrt(m)", "1/m") for name in LAZY)], widths),
    "depths": Table(["hidden layers", *(f"1 cycle over {f}" for f in FREQUENCIES)], depths),
}


def filled(text: str, name: str, table: str) -> str:
    """The guide with ``table`` between the marks of ``name``."""
    marks = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
    return re.sub(marks, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.S)


if __name__ == "__main__":
    numbers = {name: rounded(table.rows()) for name, table in TABLES.items()}
    NUMBERS.write_text(json.dumps(numbers, allow_nan=False) + "\n")
    for name, table in TABLES.items():
        text = table.markdown(numbers[name])
        GUIDE.write_text(filled(GUIDE.read_text(), name, text))
        print(f"{name}\n{text}\n", flush=True)
