"""The kernel trick: ridge regression with features and without them, and features for a kernel that has none.

python docs/gallery/kernel_trick.py [--small]
"""

import math
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.kernels import Gaussian, KernelRidge, Linear, Polynomial, RandomFourierFeatures, Sigmoid, definiteness

RIDGE = 1e-3
DEGREE = 7
SIGMA = 0.15


def data() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(24, 1, generator=generator, dtype=torch.float64)
    noise = 0.05 * torch.randn(24, 1, generator=generator, dtype=torch.float64)
    return x, torch.sin(2 * math.pi * x) + 0.4 * torch.sin(6 * math.pi * x) + noise


def primal(kernel: Linear | Polynomial, x: torch.Tensor, y: torch.Tensor, new: torch.Tensor) -> torch.Tensor:
    """Ridge regression on the kernel's features: a linear model, fitted by the normal equations."""
    features = kernel.features(x)
    identity = torch.eye(features.shape[1], dtype=x.dtype)
    return kernel.features(new) @ torch.linalg.solve(features.T @ features + RIDGE * identity, features.T @ y)


def random_features(counts: list[int], draws: int) -> dict[str, Any]:
    """Root mean square error of random Fourier features over draws and pairs, and what theory says."""
    x = torch.linspace(0, 1, 20, dtype=torch.float64)[:, None]
    kernel, errors, stated = Gaussian(SIGMA), [], []
    for count in counts:
        approximations = [RandomFourierFeatures(kernel, 1, count, seed) for seed in range(draws)]
        squares = torch.stack([(a(x) - kernel(x)).square().mean() for a in approximations])
        errors.append(squares.mean().sqrt().item())
        stated.append(approximations[0].standard_error(x, x).square().mean().sqrt().item())
    return {"counts": counts, "errors": errors, "stated": stated}


def study(small: bool) -> dict[str, Any]:
    x, y = data()
    new = torch.linspace(0, 1, 50 if small else 400, dtype=torch.float64)[:, None]
    kernels = {"linear": Polynomial(1), "polynomial": Polynomial(DEGREE), "gaussian": Gaussian(SIGMA)}
    fits = {name: KernelRidge(kernel, x, y, RIDGE)(new) for name, kernel in kernels.items()}
    difference = (primal(Polynomial(DEGREE), x, y, new) - fits["polynomial"]).abs().max().item()
    three = torch.tensor([[0.0], [1.0], [2.0]], dtype=torch.float64)
    return {
        "x": x[:, 0].tolist(),
        "y": y[:, 0].tolist(),
        "new": new[:, 0].tolist(),
        "fits": {name: fit[:, 0].tolist() for name, fit in fits.items()},
        "difference": difference,
        "sigmoid_eigenvalue": definiteness(Sigmoid(1.0, 1.0)(three)).smallest,
        "random_features": random_features([16, 64, 256] if small else [16, 64, 256, 1024, 4096], 20 if small else 200),
    }


def draw(found: dict[str, Any], figure: Figure) -> None:
    fits, features = figure.subplots(1, 2)
    fits.plot(found["x"], found["y"], "k.", label="data")
    labels = {"linear": "linear", "polynomial": f"polynomial, degree {DEGREE}", "gaussian": f"Gaussian, σ = {SIGMA}"}
    for name, label in labels.items():
        fits.plot(found["new"], found["fits"][name], label=label)
    fits.set(
        title="Kernel ridge regression",
        xlabel="x, units of the domain",
        ylabel="f(x), units of the data",
        ylim=(-1.8, 1.8),
    )
    fits.legend()
    numbers = found["random_features"]
    features.loglog(numbers["counts"], numbers["errors"], "o", label="measured")
    features.loglog(numbers["counts"], numbers["stated"], "k--", label="(1 − k²) / √(2m)")
    features.set(title="Random Fourier features of the Gaussian kernel")
    features.set(xlabel="frequencies m", ylabel="error, root mean square")
    features.legend()


def table(found: dict[str, Any]) -> str:
    numbers = found["random_features"]
    rows = zip(numbers["counts"], numbers["errors"], numbers["stated"], strict=True)
    return frame.markdown(
        ["frequencies m", "measured error", "(1 - k^2) / sqrt(2m)"],
        [[m, f"{error:.4f}", f"{stated:.4f}"] for m, error, stated in rows],
    )


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
