"""Lifting and classification: two rings that no line separates in the plane, and that a plane separates among features.
The support vector machine is scikit-learn's, with ffnet's kernels as callables (pip install scikit-learn).

python docs/gallery/lifting.py [--small]
"""

import math
import sys
from collections.abc import Callable
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.kernels import Gaussian, InfiniteMLP, KernelPCA, KernelRidge, Linear, Polynomial

Kernel = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]

RADII = (0.7, 2.0)
NOISE = 0.2  # standard deviation of a radius
SIGMA = 0.8
RIDGE = 0.1
PENALTY = 1.0  # C of the support vector machine
SIDE = 41  # points of the grid on which decisions are drawn


def rings(count: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Points (count, 2) of two noisy rings, and -1 for the inner, 1 for the outer one."""
    generator = torch.Generator().manual_seed(seed)
    angle = 2 * math.pi * torch.rand(count, generator=generator, dtype=torch.float64)
    labels = 2.0 * (torch.arange(count, dtype=torch.float64) % 2) - 1
    radius = torch.tensor(RADII, dtype=torch.float64)[(labels > 0).long()]
    radius = radius + NOISE * torch.randn(count, generator=generator, dtype=torch.float64)
    return radius[:, None] * torch.stack([angle.cos(), angle.sin()], dim=-1), labels


def with_one(x: torch.Tensor) -> torch.Tensor:
    """A constant third coordinate, which stands for a bias."""
    return torch.cat([x, torch.ones_like(x[:, :1])], dim=-1)


KERNELS: dict[str, Kernel] = {
    "linear": Linear(),
    "polynomial, degree 2": Polynomial(2),
    f"Gaussian, σ = {SIGMA:g}": Gaussian(SIGMA),
    "NTK, two hidden layers": InfiniteMLP(2, "relu", "ntk", math.sqrt(2), encoder=with_one).ntk,
}


def machine(kernel: Kernel) -> Any:
    """scikit-learn's support vector machine with one of ours."""
    try:
        from sklearn.svm import SVC
    except ImportError:
        raise SystemExit("lifting: expected scikit-learn, found none; pip install scikit-learn") from None
    return SVC(kernel=lambda a, b: kernel(torch.from_numpy(a), torch.from_numpy(b)).numpy(), C=PENALTY)


def plane() -> torch.Tensor:
    """The points of a grid, row by row from below."""
    axis = torch.linspace(-3, 3, SIDE, dtype=torch.float64)
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return torch.stack([x.flatten(), y.flatten()], dim=-1)


def separated(components: torch.Tensor, labels: torch.Tensor) -> float:
    """Fraction of points on their side of the line that least squares draws between components."""
    columns = torch.cat([components, torch.ones_like(components[:, :1])], dim=-1)
    values = columns @ torch.linalg.lstsq(columns, labels[:, None]).solution
    return (values[:, 0].sign() == labels).double().mean().item()


def one(kernel: Kernel, train: tuple[torch.Tensor, torch.Tensor], test: tuple[torch.Tensor, torch.Tensor]) -> Any:
    """Fractions of points that are classified correctly: test points by ridge regression and by the support vector
    machine, training points by a line between their first two principal components.
    """
    (x, labels), (new, wanted) = train, test
    ridge = KernelRidge(kernel, x, labels[:, None], RIDGE)(new)[:, 0]
    svm = machine(kernel).fit(x.numpy(), labels.numpy())
    return {
        "components": separated(KernelPCA(kernel, x, 2)(x), labels),
        "ridge": (ridge.sign() == wanted).double().mean().item(),
        "svm": float((svm.predict(new.numpy()) == wanted.numpy()).mean()),
        "support": int(svm.n_support_.sum()),
        "decision": svm.decision_function(plane().numpy()).tolist(),
    }


def study(small: bool) -> dict[str, Any]:
    train, test = rings(80 if small else 200, 0), rings(400 if small else 4000, 1)
    x, labels = train
    monomials = Polynomial(2).features(x)  # x1^2, sqrt(2) x1 x2, sqrt(2) x1, x2^2, ...
    return {
        "points": x.tolist(),
        "labels": labels.tolist(),
        "squares": monomials[:, [0, 3]].tolist(),
        "components": KernelPCA(Gaussian(SIGMA), x, 2)(x).tolist(),
        "kernels": {name: one(kernel, train, test) for name, kernel in KERNELS.items()},
    }


def scatter(axes: Any, points: list[list[float]], labels: list[float]) -> None:
    for label, color, name in ((-1.0, "C0", "inner ring"), (1.0, "C1", "outer ring")):
        chosen = [point for point, own in zip(points, labels, strict=True) if own == label]
        axes.plot(*zip(*chosen, strict=True), ".", color=color, markersize=5, label=name)


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(14, 4.2)
    points, lifted, components = figure.subplots(1, 3)
    scatter(points, found["points"], found["labels"])
    axis = plane()[:SIDE, 0].tolist()
    for name, style in zip(found["kernels"], (":", "--", "-", "-."), strict=True):
        decision = found["kernels"][name]["decision"]
        rows = [decision[start : start + SIDE] for start in range(0, SIDE**2, SIDE)]
        points.contour(axis, axis, rows, levels=[0.0], colors="black", linestyles=style, linewidths=1)
        points.plot([], [], style, color="black", linewidth=1, label=f"SVM, {name}")
    points.set(title="Two rings, and where machines decide", xlabel="x₁, units of length", ylabel="x₂, units of length")
    points.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal")
    points.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    scatter(lifted, found["squares"], found["labels"])
    border = (sum(RADII) / 2) ** 2
    lifted.plot([0, border], [border, 0], "k--", linewidth=1, label=f"x₁² + x₂² = {border:.2f}")
    lifted.set(
        title="Two of the features of (x · x' + 1)²", xlabel="x₁², units of length²", ylabel="x₂², units of length²"
    )
    lifted.legend(fontsize=8)
    scatter(components, found["components"], found["labels"])
    components.set(title=f"Kernel PCA, Gaussian of σ = {SIGMA:g}", xlabel="first component, units of the feature space")
    components.set(ylabel="second component, same units", ylim=(-0.7, 0.95))
    components.legend(fontsize=8)


def table(found: dict[str, Any]) -> str:
    rows = []
    for name, numbers in found["kernels"].items():
        percent = [f"{100 * numbers[kind]:.1f} %" for kind in ("components", "ridge", "svm")]
        rows.append([name, *percent, numbers["support"]])
    head = ["kernel", "line between two principal components", "ridge regression", "support vector machine"]
    return frame.markdown([*head, f"support vectors of {len(found['labels'])}"], rows)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
