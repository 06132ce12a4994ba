"""Signals with power-law spectra in one dimension (Tancik et al. 2020, section 5): how the amplitudes of Fourier
features determine what is learned fast and the values between training points. Predicted and trained. The untrained
network's output is subtracted: it is a signal of its own, larger than the one to learn.

python docs/gallery/power_law.py [--small]
"""

import math
import sys
from collections.abc import Callable, Iterable
from typing import Any

import frame
import torch
from matplotlib.figure import Figure

from ffnet.kernels import (
    InfiniteMLP,
    KernelDynamics,
    circulant_eigenvalues,
    empirical_ntk_trace,
    finite_mlp,
    largest_stable_rate,
    stationary_row,
)

POINTS = 32
WIDTH = 1024
FINER = 4
ALPHA = 1.0
MANY = 40
POWERS = (math.inf, 1.5, 1.0, 0.5, 0.0)


def encoder(power: float) -> Callable[[torch.Tensor], torch.Tensor]:
    """``a_j [sin(2 pi j x), cos(2 pi j x)]`` with ``a_j = j^-power``, j to 16; infinite: j = 1."""
    j = torch.arange(1, POINTS // 2 + 1, dtype=torch.float64)
    amplitudes = (j == 1).double() if math.isinf(power) else j**-power
    amplitudes = amplitudes * (POINTS / 2) ** 0.5 / amplitudes.norm()  # so that pre-activations have the variance 1

    def features(x: torch.Tensor) -> torch.Tensor:
        phase = 2 * math.pi * x * j
        return torch.cat([amplitudes * phase.sin(), amplitudes * phase.cos()], dim=-1)

    return features


def signal(x: torch.Tensor, seed: int) -> torch.Tensor:
    """A random periodic signal whose amplitudes fall with the frequency's power ALPHA, of root mean square 1."""
    j = torch.arange(1, POINTS // 2, dtype=torch.float64)
    normal = torch.randn(2, len(j), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) / j**ALPHA
    phase = 2 * math.pi * x * j
    values = (phase.sin() * normal[0] + phase.cos() * normal[1]).sum(-1, keepdim=True)
    return values / math.sqrt(normal.square().sum() / 2)


def one(power: float, steps: int, seeds: int) -> dict[str, Any]:
    """Mean squared errors under gradient descent at half of the largest stable rate, averaged over signals; and those
    predicted at the end, averaged over MANY."""
    features, grid = encoder(power), torch.arange(POINTS * FINER, dtype=torch.float64)[:, None] / (POINTS * FINER)
    inputs, known = features(grid), grid[::FINER]
    network = finite_mlp(inputs.shape[1], WIDTH, 3, seed=0)
    kernel = empirical_ntk_trace(network, inputs)
    dynamics = KernelDynamics(kernel[::FINER, ::FINER])
    rate = 0.5 * largest_stable_rate(dynamics.eigenvalues[-1].item())
    totals = torch.zeros(2, 2, steps + 1, dtype=torch.float64)
    for seed in range(seeds):
        y = signal(grid, seed)
        totals[0] += predicted(y, dynamics, kernel[:, ::FINER], range(steps + 1), rate)
        totals[1] += trained(inputs, y, rate, steps)
    many = [predicted(signal(grid, seed), dynamics, kernel[:, ::FINER], [steps], rate)[1, 0] for seed in range(MANY)]
    row = stationary_row(InfiniteMLP(3, "relu", "ntk", math.sqrt(2), encoder=features).ntk, [len(known)])
    (train, test), (trained_train, trained_test) = (totals / seeds).tolist()
    return {
        "eigenvalues": circulant_eigenvalues(row)[: POINTS // 2 + 1].tolist(),
        "predicted": {"train": train, "test": test},
        "trained": {"train": trained_train, "test": trained_test},
        "many": torch.stack(many).mean().item(),
    }


def predicted(
    y: torch.Tensor, dynamics: KernelDynamics, cross: torch.Tensor, steps: Iterable[int], rate: float
) -> torch.Tensor:
    """Errors (2, steps) at the training points and on the finer grid, from an output that is 0 at the start."""
    error, found = -y, []
    start = error[::FINER]
    for step in steps:
        now = dynamics.residual(start, step, rate, discrete=True)
        everywhere = error + dynamics.change(cross, start, step, rate, discrete=True)
        found.append(torch.stack([now.square().mean(), everywhere.square().mean()]))
    return torch.stack(found, dim=1)


def trained(inputs: torch.Tensor, y: torch.Tensor, rate: float, steps: int) -> torch.Tensor:
    """The same of the network itself under gradient descent."""
    network, found = finite_mlp(inputs.shape[1], WIDTH, 3, seed=0), []
    start = network(inputs).detach()
    optimizer = torch.optim.SGD(network.parameters(), lr=rate)
    for _ in range(steps + 1):
        optimizer.zero_grad()
        error = network(inputs) - start - y
        found.append(torch.stack([part.detach().square().mean() for part in (error[::FINER], error)]))
        (0.5 * error[::FINER].square().sum()).backward()
        optimizer.step()
    return torch.stack(found, dim=1)


def study(small: bool) -> dict[str, Any]:
    steps, seeds, powers = (20, 1, (math.inf, 1.0, 0.0)) if small else (200, 2, POWERS)
    rows = {"inf" if math.isinf(p) else f"{p:g}": one(p, steps, seeds) for p in powers}
    return {"width": WIDTH, "steps": steps, "signals": seeds, "powers": rows}


def draw(found: dict[str, Any], figure: Figure) -> None:
    figure.set_size_inches(12, 3.8)
    spectrum, train, test = figure.subplots(1, 3)
    for power, numbers in found["powers"].items():
        label = f"p = {'∞' if power == 'inf' else power}"
        line = spectrum.semilogy(numbers["eigenvalues"], ".-", label=label)[0]
        for axes, kind in ((train, "train"), (test, "test")):
            axes.loglog(numbers["trained"][kind], color=line.get_color(), label=label)
            axes.loglog(numbers["predicted"][kind], "--", color=line.get_color())
    spectrum.set(title="NTK on features a_j = j^(−p)", xlabel="frequency, cycles per unit", ylabel="eigenvalue")
    spectrum.legend()
    train.set(title="At the training points (predicted: dashed)", ylim=(1e-8, 5))
    test.set(title="On a grid four times as fine")
    for axes in (train, test):
        axes.set(xlabel="step of gradient descent", ylabel="mean squared error (signal: 1)", xlim=(1, found["steps"]))
        axes.legend(loc="lower left")


def table(found: dict[str, Any]) -> str:
    lines = []
    for power, numbers in found["powers"].items():
        ends = [numbers[how][where][-1] for where in ("train", "test") for how in ("predicted", "trained")]
        ratio = max(numbers["eigenvalues"][1:16]) / min(numbers["eigenvalues"][1:16])
        row = [f"{ratio:.3g}", *(f"{end:.2g}" for end in ends), f"{numbers['many']:.3g}"]
        lines.append(["infinite" if power == "inf" else power, *row])
    head = ["p", "eigenvalues at 1 to 15 cycles, largest / smallest"]
    head += ["train, predicted", "trained", "test, predicted", "trained", f"test, predicted, {MANY} signals"]
    return frame.markdown(head, lines)


if __name__ == "__main__":
    frame.main(sys.modules[__name__])
