"""Uncertainty: what kernels know between data, and the spread of real networks, of which all layers or the last alone
are trained.

python docs/gallery/uncertainty.py [--small]
"""

import math
import statistics
import sys
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.analysis.ensembles import Kernels, distribution, predicted, stable_rate, trained
from ffnet.encoders import GaussianEncoder
from ffnet.kernels import InfiniteMLP, KernelDynamics, finite_mlp, grid_points

WIDTH = 256
NETWORKS = 50
STEPS = (0, 1, 2, 5, 10, 20, 50, 100, 200)
EARLY = 2  # steps
KNOWN = (0.06, 0.14, 0.22, 0.31, 0.62, 0.72, 0.8)
PLACES = (0.14, 0.26, 0.47, 0.95)
ENCODER = GaussianEncoder(1, 64, 1.0, dtype=torch.float64)


def signal(x: torch.Tensor) -> torch.Tensor:
    return 0.8 * torch.sin(2 * math.pi * 1.3 * x)


def numbers(deviations: Any) -> dict[str, list[float]]:
    return {name: values.tolist() for name, values in deviations._asdict().items()}


def spread(values: torch.Tensor) -> list[dict[str, list[float]]]:
    """Mean and standard deviation of the networks (t, networks, m)."""
    return [{"mean": each.mean(0).tolist(), "deviation": each.std(0).tolist()} for each in values.double()]


def study(small: bool) -> dict[str, Any]:
    width, networks, steps = (128, 20, STEPS[:6]) if small else (WIDTH, NETWORKS, STEPS)
    limit = InfiniteMLP(2, "relu", "ntk", math.sqrt(2), encoder=ENCODER)
    x, new = torch.tensor(KNOWN, dtype=torch.float64)[:, None], grid_points([100])
    y, kernels = signal(x), Kernels.of(limit, x, new)
    rate = stable_rate(kernels, 0.5)
    kernel = predicted(kernels, y, steps, rate)
    ensemble = [finite_mlp(ENCODER.out_features, width, 2, seed, dtype=torch.float32) for seed in range(networks)]
    known, features = ENCODER(x).float(), ENCODER(new).float()
    values = trained(ensemble, known, y.float(), features, steps, rate)[..., 0]
    # The last layer's own kernel is the NNGP's, with a learning rate of its own.
    for network in ensemble:
        for parameter in list(network.parameters())[:-1]:
            parameter.requires_grad_(False)
    own = stable_rate(Kernels(kernels.nngp, kernels.nngp_cross, *kernels.prior), 0.5)
    last = trained(ensemble, known, y.float(), features, steps, own)[..., 0]
    dynamics = KernelDynamics(kernels.nngp)
    after = [dynamics.ensemble(kernels.nngp_cross, *kernels.prior, y, t, own, discrete=True) for t in steps]
    return {
        "steps": list(steps),
        "networks": networks,
        "width": width,
        "known": {"x": list(KNOWN), "y": y[:, 0].tolist()},
        "x": new[:, 0].tolist(),
        "signal": signal(new)[:, 0].tolist(),
        "prior": numbers(kernel["prior"]),
        "ensemble": numbers(kernel["ensemble"]),
        "posterior": numbers(kernel["posterior"]),
        "all layers": {"predicted": [numbers(each) for each in kernel["after"]], "trained": spread(values)},
        "last layer": {"predicted": [numbers(distribution(*each)) for each in after], "trained": spread(last)},
        "samples": values[:, :4].double().tolist(),
    }


def edges(found: dict[str, list[float]], sign: int) -> list[float]:
    """Two standard deviations above or below the mean."""
    return [m + 2 * sign * d for m, d in zip(found["mean"], found["deviation"], strict=True)]


def draw_moment(axes: Any, found: dict[str, Any], which: str, index: int) -> None:
    x, kernel, networks = found["x"], found[which]["predicted"][index], found[which]["trained"][index]
    axes.fill_between(x, edges(kernel, -1), edges(kernel, 1), alpha=0.3, linewidth=0, label="kernel: mean ± 2 std.")
    axes.plot(x, kernel["mean"], "C0")
    for sign in (-1, 1):
        label = f"{found['networks']} networks: mean ± 2 std." if sign > 0 else None
        axes.plot(x, edges(networks, sign), "k:", label=label)
    axes.plot(x, found["signal"], "C2", linewidth=1, label="signal")
    axes.plot(found["known"]["x"], found["known"]["y"], "kx", label="data")
    axes.set(xlabel="x, units of the domain", ylabel="f(x), units of the signal", xlim=(0, 1), ylim=(-4.4, 3.2))
    axes.legend(fontsize=7, loc="lower left", ncols=2)


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(13, 7.4)
    (prior, early, late), (last, along, over) = figure.subplots(2, 3)
    step = found["steps"].index(EARLY)
    draw_moment(prior, found, "all layers", 0)
    for line in found["samples"][0]:
        prior.plot(found["x"], line, "C1", linewidth=0.6)
    prior.set_title("Prior, with four of the networks")
    draw_moment(early, found, "all layers", step)
    early.set_title(f"All layers trained, after {EARLY} steps")
    draw_moment(late, found, "all layers", -1)
    late.set_title(f"All layers trained, after {found['steps'][-1]} steps")
    draw_moment(last, found, "last layer", -1)
    last.set_title(f"Last layer trained, after {found['steps'][-1]} steps")
    along.plot(found["x"], found["prior"]["deviation"], color="gray", label="prior")
    kinds = {
        "all layers": ("ensemble", "NTK ensemble, in the end"),
        "last layer": ("posterior", "NNGP's posterior, in the end"),
    }
    for number, (which, (end, label)) in enumerate(kinds.items()):
        along.plot(found["x"], found[which]["predicted"][-1]["deviation"], f"C{number}", label=f"kernel, {which}")
        along.plot(found["x"], found[end]["deviation"], f"C{number}--", linewidth=1, label=label)
        dots = found[which]["trained"][-1]["deviation"]
        along.plot(found["x"], dots, f"C{number}.", markersize=3, label=f"networks, {which}")
    along.plot(found["known"]["x"], [0] * len(found["known"]["x"]), "kx", clip_on=False)
    along.set(title=f"Spread after {found['steps'][-1]} steps", xlabel="x, units of the domain", xlim=(0, 1))
    along.set(ylabel="standard deviation, units of the signal", ylim=(0, 1.8))
    along.legend(fontsize=7, loc="upper center", ncols=2)
    for number, place in enumerate(PLACES):
        i = nearest(found, place)
        lines = found["all layers"]
        curve, dots = ([each["deviation"][i] for each in lines[kind]] for kind in ("predicted", "trained"))
        over.plot(found["steps"], curve, f"C{number}", label=f"kernel, x = {place}")
        over.plot(found["steps"], dots, f"C{number}o", markersize=3)
    over.set_xscale("symlog", linthresh=1)
    over.set(title="Spread over training (dots: networks)", xlabel="steps of gradient descent")
    over.set(ylabel="standard deviation, units of the signal", xlim=(0, found["steps"][-1] * 1.1), ylim=(0, 1.65))
    over.legend(fontsize=7, loc="upper right", ncols=2)


def nearest(found: dict[str, Any], place: float) -> int:
    return min(range(len(found["x"])), key=lambda i: abs(found["x"][i] - place))


def ratios(found: dict[str, Any], which: str, index: int) -> list[float]:
    """Spread of the networks over that of the kernel, where the latter is at least a tenth of the prior's."""
    kernel, networks = (found[which][kind][index]["deviation"] for kind in ("predicted", "trained"))
    pairs = zip(kernel, networks, found["prior"]["deviation"], strict=True)
    return [network / wanted for wanted, network, prior in pairs if wanted >= 0.1 * prior]


def distances(found: dict[str, Any], which: str, index: int) -> list[float]:
    """Distance of the two means in standard errors of the networks' mean, at the same points."""
    kernel, networks = (found[which][kind][index] for kind in ("predicted", "trained"))
    columns = zip(kernel["mean"], networks["mean"], kernel["deviation"], found["prior"]["deviation"], strict=True)
    root = math.sqrt(found["networks"])
    return [abs(a - b) * root / wanted for a, b, wanted, prior in columns if wanted >= 0.1 * prior]


def table(found: dict[str, Any]) -> str:
    rows = []
    for which in ("all layers", "last layer"):
        for step in (0, EARLY, 10, found["steps"][-1]):
            index = found["steps"].index(step)
            if step == 0 and which == "last layer":
                continue
            spread_of = statistics.median(found[which]["predicted"][index]["deviation"])
            ratio, apart = ratios(found, which, index), distances(found, which, index)
            trained_layers = "none" if step == 0 else which
            row = [f"{spread_of:.3f}", f"{statistics.median(ratio):.2f}", f"{statistics.median(apart):.1f}"]
            rows.append([trained_layers, step, *row])
    head = ["trained", "steps", "standard deviation, predicted, median over x", "that of the networks, relative to it"]
    return frame.markdown([*head, "distance of the means, standard errors"], rows)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
