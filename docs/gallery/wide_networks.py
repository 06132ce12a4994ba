"""Wide networks become Gaussian processes: outputs of random networks, their covariance, and how Gaussian they are.

python docs/gallery/wide_networks.py [--small]
"""

import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.kernels import InfiniteMLP

WIDTH = 256


def outputs(x: torch.Tensor, width: int, count: int, seed: int = 0) -> torch.Tensor:
    """Values (count, n) at the points of as many random ReLU networks with two hidden layers."""
    generator, chunk, found = torch.Generator().manual_seed(seed), max(1, 2**24 // width**2), []
    for start in range(0, count, chunk):
        h = x.expand(min(chunk, count - start), *x.shape)
        for layer, fan_out in enumerate((width, width, 1)):
            weights = torch.randn(len(h), h.shape[-1], fan_out, generator=generator)
            h = math.sqrt(2 / h.shape[-1]) * (h.relu() if layer else h) @ weights
        found.append(h[..., 0])
    return torch.cat(found)


def kurtosis(values: torch.Tensor) -> tuple[float, float]:
    """Excess kurtosis of centred values, 0 for a Gaussian, with its standard error (from 20 groups)."""
    groups = values.double().reshape(20, -1)
    each = groups.pow(4).mean(1) / values.double().square().mean().square() - 3
    return each.mean().item(), (each.std() / math.sqrt(20)).item()


def study(small: bool) -> dict[str, Any]:
    angles = torch.linspace(-math.pi, math.pi, 25)
    circle = torch.stack([angles.cos(), angles.sin()], dim=-1)
    infinite = InfiniteMLP(2, "relu", "ntk", math.sqrt(2)).nngp(circle.double())
    drawn = outputs(circle, WIDTH, 200 if small else 20_000).double()
    products = drawn[:, 12:13] * drawn
    widths, count = ([16, 64], 4000) if small else ([8, 16, 32, 64], 40_000)
    found = [kurtosis(outputs(circle[:1], width, count, seed=width)) for width in widths]
    return {
        "angles": angles.tolist(),
        "samples": drawn[:6].tolist(),
        "nngp": infinite[12].tolist(),
        "covariance": products.mean(0).tolist(),
        "standard_error": (products.std(0) / math.sqrt(len(drawn))).tolist(),
        "networks": len(drawn),
        "widths": widths,
        "kurtosis": [value for value, _ in found],
        "kurtosis_error": [error for _, error in found],
        # A layer multiplies E[K^2] / E[K]^2 by 1 + 5 / width (E[relu^4] / E[relu^2]^2 = 6), and the last one is
        # Gaussian with the variance K.
        "kurtosis_law": [3 * ((1 + 5 / width) ** 2 - 1) for width in widths],
    }


def draw(found: dict[str, Any], figure: Figure) -> None:
    samples, covariance, shape = figure.subplots(1, 3)
    for line in found["samples"]:
        samples.plot(found["angles"], line, linewidth=1)
    samples.set(
        title=f"Six random networks of width {WIDTH}",
        xlabel="angle of the input, radians",
        ylabel="f(x), standard deviations",
    )
    covariance.plot(found["angles"], found["nngp"], "k--", label="NNGP kernel")
    covariance.errorbar(
        found["angles"], found["covariance"], found["standard_error"], fmt=".", label=f"{found['networks']} networks"
    )
    covariance.set(
        title="Covariance of the outputs", xlabel="angle between two inputs, radians", ylabel="E[f(x) f(x')]"
    )
    covariance.set(ylim=(0, 1.2))
    covariance.legend(loc="lower center")
    shape.plot(found["widths"], found["kurtosis_law"], "k--", label="3 ((1 + 5/n)² − 1)")
    shape.errorbar(found["widths"], found["kurtosis"], found["kurtosis_error"], fmt="o", label="measured")
    shape.set_xscale("log", base=2)
    shape.set(title="Distance from a Gaussian", xlabel="width n", ylabel="excess kurtosis of f(x)", ylim=(0, None))
    shape.legend()


def table(found: dict[str, Any]) -> str:
    names = ("widths", "kurtosis", "kurtosis_error", "kurtosis_law")
    rows = zip(*(found[name] for name in names), strict=True)
    return frame.markdown(
        ["width n", "excess kurtosis", "3 ((1 + 5/n)^2 - 1)"],
        [[width, f"{value:.2f} ± {error:.2f}", f"{law:.2f}"] for width, value, error, law in rows],
    )


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
