"""Computes the tables of the guide that have no figure, and writes them into it. Takes seconds.

python docs/theory_tables.py
"""

import math
import re
from pathlib import Path

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
SEEDS = 3


def markdown(head: list[str], rows: list[list[str]]) -> str:
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *rows])


def circle(count: int) -> Tensor:
    """Equidistant unit vectors (count, 2)."""
    angles = 2 * math.pi * torch.arange(count, dtype=torch.float64)[:, None] / count
    return torch.cat([angles.cos(), angles.sin()], dim=-1)


def positive() -> str:
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
    rows = []
    for name, count, mlp in cases:
        values = eigenvalues(mlp.ntk(circle(count)))
        ratio = (values[-1] / values[0]).item()
        # Opposite points, whose angle has half of the digits, leave up to 1e-9 of what is 0.
        rows.append([name, str(count), f"{ratio:.1e}" if ratio > 1e-8 else "0"])
    return markdown(["network", "points", "smallest / largest eigenvalue"], rows)


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


def scales() -> str:
    """Lazy and rich training by the scale of the output."""
    rows = []
    for alpha in (1 / 16, 1 / 4, 1, 4, 16):
        found = torch.tensor([trained(256, alpha / 16, seed) for seed in range(SEEDS)]).mean(0).tolist()
        rows.append([f"{alpha:g}", *(f"{value:.3g}" for value in found)])
    return markdown(["alpha", "kappa", "change of the kernel", "error that is left"], rows)


def widths() -> str:
    """Lazy and rich training by the width, in the kernel's scale and in that of the mean field."""
    rows = []
    for width in (64, 256, 1024):
        row = [str(width)]
        for scale in (width**-0.5, 1 / width):
            found = torch.tensor([trained(width, scale, seed) for seed in range(SEEDS)]).mean(0).tolist()
            row += [f"{value:.3g}" for value in found]
        rows.append(row)
    head = ["kappa", "change of the kernel", "error that is left"]
    return markdown(["width", *(f"{h}, {s}" for s in ("1/sqrt(m)", "1/m") for h in head)], rows)


def depths() -> str:
    """Eigenvalues by depth, of waves on Gaussian features of unit norm."""
    x, encoder = grid_points([128]), GaussianEncoder(1, 4096, 2.0, normalize=True, dtype=torch.float64)
    frequencies, rows = (8, 16, 32), []
    for depth in (1, 2, 4, 8, 16, 32):
        values = frequency_eigenvalues(InfiniteMLP(depth, "relu", "unit_variance", encoder=encoder).ntk(x))
        rows.append([str(depth), *(f"{(values[1] / values[f]).item():.3g}" for f in frequencies)])
    return markdown(["hidden layers", *(f"1 cycle over {f}" for f in frequencies)], rows)


TABLES = {table.__name__: table for table in (positive, scales, widths, depths)}


def filled(text: str, name: str, table: str) -> str:
    """The guide with ``table`` between the marks of ``name``."""
    marks = rf"(<!-- table: {name} -->\n).*?(<!-- end -->)"
    return re.sub(marks, lambda found: f"{found[1]}{table}\n{found[2]}", text, flags=re.S)


if __name__ == "__main__":
    for name, table in TABLES.items():
        text = table()
        GUIDE.write_text(filled(GUIDE.read_text(), name, text))
        print(f"{name}\n{text}\n", flush=True)
