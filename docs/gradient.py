"""Draws docs/gradient.png, and solves the same problems without a network: the figures of docs/gradient.md.

python docs/gradient.py draw RUN                        # a run directory of `ffnet fit dataset=gradient`
python docs/gradient.py solve                           # from differences of neighbouring pixels, by a cosine transform
python docs/gradient.py solve --points 16384 --noise 0  # from gradients at scattered points, by sparse least squares
"""

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from matplotlib import pyplot
from scipy.fft import dctn, idctn
from scipy.sparse import csr_array, identity, kron, vstack
from scipy.sparse.linalg import cg

import ffnet
from ffnet.datasets import GradientDataset

SMOOTHNESS = (1e-3, 1e-2, 1e-1, 1)


def decibels(found: np.ndarray, pixels: np.ndarray) -> float:
    """PSNR up to a constant in each channel."""
    return float(-10 * np.log10((found - pixels).var(axis=(0, 1)).mean()))


def poisson(right: np.ndarray, down: np.ndarray) -> np.ndarray:
    """The image (h, w, c) of mean 0 whose forward differences come closest to ``right`` (h, w - 1, c) and ``down``
    (h - 1, w, c): the cosine transform diagonalizes Poisson's equation with Neumann's boundary."""
    pad = lambda axis: [(1, 1) if number == axis else (0, 0) for number in range(3)]  # noqa: E731
    laplacian = np.diff(np.pad(right, pad(1)), axis=1) + np.diff(np.pad(down, pad(0)), axis=0)
    height, width, _ = laplacian.shape
    across, along = (2 * np.cos(np.pi * np.arange(side) / side) - 2 for side in (height, width))
    eigenvalues = across[:, None, None] + along[None, :, None]
    eigenvalues[0, 0] = 1
    spectrum = dctn(laplacian, axes=(0, 1), norm="ortho") / eigenvalues
    spectrum[0, 0] = 0
    return idctn(spectrum, axes=(0, 1), norm="ortho")


def weights(t: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cubic convolution's weights of four neighbours (Keys 1981), and their derivatives."""
    one = [-t / 2 + t**2 - t**3 / 2, 1 - 2.5 * t**2 + 1.5 * t**3, t / 2 + 2 * t**2 - 1.5 * t**3, (t**3 - t**2) / 2]
    two = [-0.5 + 2 * t - 1.5 * t**2, -5 * t + 4.5 * t**2, 0.5 + 4 * t - 4.5 * t**2, 1.5 * t**2 - t]
    return np.stack(one, -1), np.stack(two, -1)


def slopes_of_pixels(points: np.ndarray, height: int, width: int) -> csr_array:
    """The sparse matrix from pixels to the gradients of their cubic interpolation: d/dx of all points, then d/dy."""
    rows = []
    place = points * [width, height] - 0.5
    first = np.floor(place).astype(int)
    (right, right_slope), (down, down_slope) = (weights(place[:, axis] - first[:, axis]) for axis in (0, 1))
    column, row = (
        (first[:, axis, None] + np.arange(-1, 3)).clip(0, side - 1) for axis, side in ((0, width), (1, height))
    )
    pixel = (row[:, :, None] * width + column[:, None]).reshape(len(points), 16)
    for one, two in ((down, right_slope), (down_slope, right)):
        values = (one[:, :, None] * two[:, None]).reshape(-1)
        index = np.repeat(np.arange(len(points)), 16)
        rows.append(csr_array((values, (index, pixel.reshape(-1))), shape=(len(points), height * width)))
    return csr_array(vstack(rows))


def curvature(height: int, width: int) -> csr_array:
    """The sum of second differences of an image along its axes, as a sparse matrix."""
    second = []
    for side in (height, width):
        difference = csr_array(np.eye(side - 1, side, 1) - np.eye(side - 1, side))
        second.append(difference.T @ difference)
    return csr_array(kron(second[0], identity(width)) + kron(identity(height), second[1]))


def draw(run: Path) -> None:
    dataset = GradientDataset()
    with torch.inference_mode():
        views = dataset.views(ffnet.load(str(run)), 512)
    score = json.loads((run / "metrics.json").read_text())["psnr"]
    titles = {"target_gradient": "what training sees (length)", "gradient": "gradient of the fit"}
    titles |= {"reconstruction": f"the fit, {score:.1f} dB", "error": "error, five times as bright"}
    figure, axes = pyplot.subplots(1, 4, figsize=(12, 3.3), layout="constrained")
    for axis, (name, title) in zip(axes, titles.items(), strict=True):
        axis.imshow(views[name].numpy())
        axis.set(title=title, xticks=[], yticks=[])
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)


def solve(points: int | None, noise: float) -> None:
    dataset = GradientDataset(points=points, noise=noise)
    pixels = dataset.observed.image.pixels.numpy() / 255
    height, width, channels = pixels.shape
    start = time.perf_counter()
    if points is None:
        found = poisson(np.diff(pixels, axis=1), np.diff(pixels, axis=0))
        print(f"{1e3 * (time.perf_counter() - start):.0f} ms, {decibels(found, pixels):.1f} dB")
        return
    matrix, smooth = slopes_of_pixels(dataset.source.queries.double().numpy(), height, width), curvature(height, width)
    measured = dataset.source.targets.double().numpy().reshape(points, channels, 2)
    for weight in SMOOTHNESS:
        start = time.perf_counter()
        normal = matrix.T @ matrix + weight * smooth.T @ smooth
        right = matrix.T @ np.concatenate([measured[..., 0], measured[..., 1]])
        solved = [cg(normal, right[:, channel], rtol=1e-4, maxiter=2000)[0] for channel in range(channels)]
        seconds = time.perf_counter() - start
        found = np.stack(solved, -1).reshape(pixels.shape)
        print(f"smoothness {weight:g}: {seconds:.1f} s, {decibels(found, pixels):.2f} dB", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    commands = parser.add_subparsers(required=True, dest="command")
    commands.add_parser("draw").add_argument("run", type=Path)
    solver = commands.add_parser("solve")
    solver.add_argument("--points", type=int)
    solver.add_argument("--noise", type=float, default=0.0)
    given = parser.parse_args()
    if given.command == "draw":
        draw(given.run)
    else:
        solve(given.points, given.noise)
