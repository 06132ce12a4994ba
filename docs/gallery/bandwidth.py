"""How sigma sets the bandwidth of a network's kernel on Gaussian Fourier features.

python docs/gallery/bandwidth.py [--small]
"""

import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import InfiniteMLP, frequency_eigenvalues, grid_points

# Half the width at half the maximum of exp(-2 pi^2 sigma^2 d^2), times sigma.
HALF = math.sqrt(math.log(2) / 2) / math.pi
LEVEL = 0.1


def profile(sigma: float, distance: torch.Tensor) -> torch.Tensor:
    """The infinite network's NTK at distances, relative to 0, on infinitely many features."""
    gap = -2 * torch.expm1(-2 * (math.pi * sigma * distance).square())
    one = torch.ones_like(gap)
    kernel = InfiniteMLP(3, "relu", "unit_variance").propagate(one, one, gap)[1]
    return kernel / kernel[0]


def half_width(sigma: float) -> float:
    """The distance at which the NTK is half way from 1 to what it is between unrelated points."""
    distance = torch.linspace(0, 1 / sigma, 100_001, dtype=torch.float64)
    values = profile(sigma, distance)
    return distance[(values > (1 + values[-1]) / 2).sum()].item()


def study(small: bool) -> dict[str, Any]:
    sigmas = [1.0, 4.0, 16.0]
    points, features = (64, 64) if small else (512, 4096)
    distance = torch.linspace(0, 0.5, 101 if small else 501, dtype=torch.float64)
    zero = torch.zeros(1, 1, dtype=torch.float64)
    rows = []
    for sigma in sigmas:
        encoder = GaussianEncoder(1, features, sigma, normalize=True, dtype=torch.float64)
        infinite = InfiniteMLP(3, "relu", "unit_variance", encoder=encoder)
        row = infinite.ntk(zero, distance[:, None])[0]
        spectrum = frequency_eigenvalues(infinite.ntk(grid_points([points])))
        rows.append(
            {
                "sigma": sigma,
                "features": (encoder(zero) @ encoder(distance[:, None]).T)[0].tolist(),
                "law": torch.exp(-2 * (math.pi * sigma * distance).square()).tolist(),
                "ntk": (row / row[0]).tolist(),
                "spectrum": (spectrum / spectrum.max()).tolist(),
                "half_width": half_width(sigma),
                # The first frequency whose eigenvalue is below a fraction of the one at 1 cycle.
                "cutoff": int((spectrum[1:] > LEVEL * spectrum[1]).int().cumprod(0).sum()) + 1,
            }
        )
    return {"distance": distance.tolist(), "rows": rows}


def draw(found: dict[str, Any], figure: Figure) -> None:
    features, ntk, spectrum = figure.subplots(1, 3)
    for row in found["rows"]:
        label = f"σ = {row['sigma']:g}"
        line = features.plot(found["distance"], row["features"], label=label)[0]
        features.plot(found["distance"], row["law"], "--", color="black", linewidth=0.8)
        ntk.plot(found["distance"], row["ntk"], color=line.get_color(), label=label)
        spectrum.loglog(range(1, len(row["spectrum"])), row["spectrum"][1:], color=line.get_color(), label=label)
    features.set(
        title="Features γ(x)·γ(x'); law dashed",
        xlabel="|x − x'|, in the unit of x",
        ylabel="inner product",
        xlim=(0, 0.5),
    )
    ntk.set(
        title="NTK of three layers on them",
        xlabel="|x − x'|, in the unit of x",
        ylabel="Θ(x, x') / Θ(x, x)",
        xlim=(0, 0.5),
    )
    spectrum.set(title="Its spectrum on a grid", xlabel="frequency, cycles per unit", ylabel="relative eigenvalue")
    spectrum.set(ylim=(1e-5, 1.5))
    for axes in (features, ntk, spectrum):
        axes.legend(loc="lower left" if axes is spectrum else "upper right")


def table(found: dict[str, Any]) -> str:
    lines = [
        [
            f"{row['sigma']:g}",
            f"{HALF / row['sigma']:.5f}",
            f"{row['half_width']:.5f}",
            f"{row['half_width'] * row['sigma']:.4f}",
            row["cutoff"],
        ]
        for row in found["rows"]
    ]
    head = [
        "sigma",
        "half-width of the features' kernel",
        "of the NTK",
        "times sigma",
        f"$v^* K v$ below {LEVEL:g} at, cycles",
    ]
    return frame.markdown(head, lines)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
