"""Lazy training: the wider a network, the less its weights and its kernel move while it learns the same.

python docs/gallery/lazy_training.py [--small]
"""

import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.kernels import eigenvalues, empirical_ntk_trace, finite_mlp, largest_stable_rate

LAYERS = ("first", "middle", "last")


def trained(width: int, seed: int, steps: int) -> list[float]:
    """Change of the kernel, motion of all weights and of each layer's matrix, and error that is left, relative to what
    was at the start."""
    x, y = torch.randn(16, 4, generator=torch.Generator().manual_seed(0)).split([3, 1], dim=1)
    model = finite_mlp(3, width, 2, seed, dtype=torch.float32)
    kernel = empirical_ntk_trace(model, x)
    weights = [p.detach().clone() for p in model.parameters()]
    rate = 0.25 * largest_stable_rate(eigenvalues(kernel)[0].item())
    optimizer = torch.optim.SGD(model.parameters(), lr=rate)
    start = (model(x) - y).detach().norm()
    for _ in range(steps):
        optimizer.zero_grad()
        (0.5 * (model(x) - y).square().sum()).backward()
        optimizer.step()
    drift = (empirical_ntk_trace(model, x) - kernel).norm() / kernel.norm()
    pairs = list(zip(model.parameters(), weights, strict=True))
    moved = sum((p - w).square().sum().item() for p, w in pairs)
    motion = math.sqrt(moved / sum(w.square().sum().item() for w in weights))
    matrices = [((p - w).norm() / w.norm()).item() for p, w in pairs if w.ndim == 2]
    return [drift.item(), motion, *matrices, ((model(x) - y).norm() / start).item()]


def study(small: bool) -> dict[str, Any]:
    widths, seeds, steps = ([64, 512], 3, 100) if small else ([64, 256, 1024, 2048], 5, 300)
    found = torch.tensor([[trained(width, seed, steps) for seed in range(seeds)] for width in widths]).mean(1)
    names = ("drift", "motion", *LAYERS, "error")
    return {"widths": widths, "steps": steps, "seeds": seeds, **dict(zip(names, found.T.tolist(), strict=True))}


def draw(found: dict[str, Any], figure: Figure) -> None:
    drift, motion = figure.subplots(1, 2)
    for axes, name, title in ((drift, "drift", "Change of the kernel"), (motion, "motion", "Motion of the weights")):
        axes.loglog(found["widths"], found[name], "o-", label="measured")
        law = [found[name][0] * found["widths"][0] / width for width in found["widths"]]
        axes.loglog(found["widths"], law, "k--", label="1 / width")
        axes.set(title=f"{title} in {found['steps']} steps", xlabel="width", ylabel="relative to the start")
        axes.legend()


def slope(found: dict[str, Any], name: str) -> float:
    """Of the logarithms, between the smallest and the largest width."""
    return math.log(found[name][-1] / found[name][0]) / math.log(found["widths"][-1] / found["widths"][0])


def table(found: dict[str, Any]) -> str:
    names = ("drift", *LAYERS, "error")
    rows = [[width, *(f"{found[name][i]:.4f}" for name in names)] for i, width in enumerate(found["widths"])]
    rows.append(["slope", *(f"{slope(found, name):.2f}" for name in names[:-1]), ""])
    motions = [f"motion of the {name} matrix" for name in LAYERS]
    return frame.markdown(["width", "change of the kernel", *motions, "error that is left"], rows)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
