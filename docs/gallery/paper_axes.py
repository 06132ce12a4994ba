"""Figure 11 of Tancik et al. 2020: frequencies along the axes favour waves along the axes; those of an isotropic
Gaussian treat all directions alike.

python docs/gallery/paper_axes.py [--small]
"""

import math
import sys
from functools import partial
from typing import Any

import frame
import torch
from matplotlib.figure import Figure
from stacked import Stack

from ffnet.encoders import FourierEncoder, GaussianEncoder
from ffnet.kernels import InfiniteMLP, grid_points
from ffnet.models import CoordinateMLP

SIZE = 32  # training points along an axis; the test points are on a grid twice as fine
ROWS = 64
RADII = (6.0, 10.0)  # cycles
SIGMA = 6.0
HIGHEST = 4.0  # octaves of the axis-aligned frequencies


def encoders(draws: int) -> dict[str, list[FourierEncoder]]:
    """The paper's two mappings: frequencies ``2^linspace(0, s) - 1`` along each axis, and draws of a Gaussian."""
    along = 2 ** torch.linspace(0, HIGHEST, ROWS // 2, dtype=torch.float64) - 1
    gaussian: list[FourierEncoder] = [GaussianEncoder(2, ROWS, SIGMA, seed=seed) for seed in range(draws)]
    return {"axis-aligned": [FourierEncoder(2, along)], "Gaussian": gaussian}


def wave(x: torch.Tensor, radius: float, angle: float) -> torch.Tensor:
    """A cosine (points, 1) of whole cycles along both axes, nearest to this frequency and direction (radians)."""
    a, b = round(radius * math.cos(angle)), round(radius * math.sin(angle))
    return torch.cos(2 * math.pi * (a * x[:, :1] + b * x[:, 1:]))


def psnr(drawn: list[FourierEncoder], angles: list[float], steps: int, width: int) -> list[list[float]]:
    """Of waves between the training points, by radius and angle, mean over the draws; a cosine ranges from -1 to 1."""
    fine = grid_points([2 * SIZE, 2 * SIZE], offset=0.0)
    targets = torch.stack([wave(fine, radius, angle) for radius in RADII for angle in angles])
    known = (fine * 2 * SIZE % 2 == 0).all(-1)
    stack = Stack([CoordinateMLP(e, 1, width, 1, seed=seed) for e in drawn for seed in range(len(targets))])
    x, y = fine.float(), targets.float().repeat(len(drawn), 1, 1)
    stack.train(x[known], y[:, known], steps, partial(torch.optim.Adam, lr=2e-3), 1 / SIZE**2)
    with torch.no_grad():
        error = torch.cat([(stack(part) - y[:, place]) for part, place in parts(x)], dim=1)
    values = -10 * torch.log10(error.square().mean((1, 2)) / 4)
    return values.unflatten(0, (len(drawn), len(RADII), -1)).mean(0).tolist()


def parts(x: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Points in parts, with their places."""
    places = torch.arange(len(x)).split(1024)
    return [(x[place], place) for place in places]


def spectrum(encoder: FourierEncoder) -> torch.Tensor:
    """``v* K v`` of plane waves v (frequencies along y, along x) from -16 to 15 cycles, with the infinite network's NTK
    on the training grid, relative to its largest."""
    features = FourierEncoder(2, [1.0], encoder.B, dtype=torch.float64)(grid_points([SIZE, SIZE], offset=0.0))
    kernel = InfiniteMLP(1, "relu", "unit_variance").ntk(features / features[0].norm())
    on_grid = kernel.unflatten(0, (SIZE, SIZE)).unflatten(2, (SIZE, SIZE))
    transformed = torch.fft.ifft2(torch.fft.fft2(on_grid, dim=(0, 1)), dim=(2, 3)).flatten(2).flatten(0, 1)
    values = torch.fft.fftshift(transformed.diagonal().real.unflatten(0, (SIZE, SIZE)))
    return values / values.max()


def study(small: bool) -> dict[str, Any]:
    steps, width, count, draws = (20, 16, 3, 2) if small else (50, 64, 7, 4)
    angles = [k * math.pi / 2 / (count - 1) for k in range(count)]
    found: dict[str, Any] = {"steps": steps, "draws": draws, "angles": angles, "mappings": {}}
    for name, drawn in encoders(draws).items():
        found["mappings"][name] = {
            "frequencies": drawn[0].B.tolist(),
            "spectrum": spectrum(drawn[0]).tolist(),
            "psnr": psnr(drawn, angles, steps, width),
        }
    return found


def by_angle(numbers: dict[str, Any]) -> list[float]:
    """Mean over the radii."""
    return [sum(column) / len(column) for column in zip(*numbers["psnr"], strict=True)]


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(14.5, 3.9)
    *maps, lines = figure.subplots(1, 3)
    extent = (-SIZE / 2 - 0.5, SIZE / 2 - 0.5, -SIZE / 2 - 0.5, SIZE / 2 - 0.5)
    for color, axes, (name, numbers) in zip(("C0", "C1"), maps, found["mappings"].items(), strict=True):
        values = [[math.log10(max(v, 1e-6)) for v in row] for row in numbers["spectrum"]]
        image = axes.imshow(values, origin="lower", extent=extent, cmap="viridis", vmin=-3, vmax=0)
        figure.colorbar(image, ax=axes, label="log10 of v* Θ v / maximum")
        axes.plot(*zip(*numbers["frequencies"], strict=True), ".", color="white", markersize=2)
        axes.set(title=f"11: {name} (dots: b)", xlabel="cycles along x", ylabel="cycles along y")
        axes.set(xlim=extent[:2], ylim=extent[2:])
        degrees = [math.degrees(angle) for angle in found["angles"]]
        lines.plot(degrees, by_angle(numbers), "o-", color=color, label=name)
        for row in numbers["psnr"]:
            lines.plot(degrees, row, "-", color=color, linewidth=0.7, alpha=0.5)
    waves = " and ".join(f"{radius:g}" for radius in RADII)
    lines.set(title=f"waves of {waves} cycles; mean: dots", xlabel="direction, degrees")
    lines.set(ylabel=f"test PSNR after {found['steps']} steps, dB", xticks=(0, 15, 30, 45, 60, 75, 90))
    top = max(max(max(row) for row in numbers["psnr"]) for numbers in found["mappings"].values())
    lines.set_ylim(top=top + 8)
    lines.legend(loc="upper center", ncols=2, fontsize="small")


def table(found: dict[str, Any]) -> str:
    lines = []
    for name, numbers in found["mappings"].items():
        mean = by_angle(numbers)
        middle = len(mean) // 2
        spread = max(mean) - min(mean)
        along = (mean[0] + mean[-1]) / 2
        lines.append([name, f"{along:.1f} dB", f"{mean[middle]:.1f} dB", f"{spread:.1f} dB"])
    return frame.markdown(["mapping", "along the axes", "at 45 degrees", "largest - smallest, over directions"], lines)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
