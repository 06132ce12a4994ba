"""Speed and memory of the empirical NTK, of its leading eigenvalues, of a solve on a grid, and of watching a run.

python benchmarks/kernels.py ntk | lanczos | grid | watch

The network is that of Tancik et al. 2020: 256 Gaussian frequencies, 3 hidden layers of 256, 3 outputs. Each figure of
memory is the peak of a process of its own, less what the process held before the measured call.
"""

import resource
import statistics
import subprocess
import sys
import time

import torch

from ffnet.encoders import GaussianEncoder
from ffnet.kernels import (
    GridKernel,
    InfiniteMLP,
    empirical_ntk_trace,
    grid_points,
    jacobian,
    leading_eigenpairs,
    ntk_operator,
    stationary_steps,
)
from ffnet.models import CoordinateMLP

POINTS = 2048


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def network() -> CoordinateMLP:
    return CoordinateMLP(GaussianEncoder(2), 3, seed=0)


def contraction(model: CoordinateMLP, x: torch.Tensor) -> torch.Tensor:
    """The Jacobian of all points at once, contracted: what torch.func's tutorial on the NTK does."""
    return sum(torch.einsum("nip,mip->nm", block, block) for block in jacobian(model, x))


METHODS = {"layers": empirical_ntk_trace, "jacobian": contraction}


def one(method: str) -> None:
    """Time and memory of one way to the trace kernel, in this process."""
    model, x = network(), torch.rand(POINTS, 2, generator=torch.Generator().manual_seed(0))
    METHODS[method](model, x[:64])
    before, start = peak_megabytes(), time.perf_counter()
    kernel = METHODS[method](model, x)
    seconds = time.perf_counter() - start
    print(seconds, peak_megabytes() - before, kernel.double().norm().item())


def ntk() -> None:
    found = {}
    for method in METHODS:
        rounds = []
        for _ in range(3 if method == "layers" else 1):
            command = [sys.executable, __file__, method]
            printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            rounds.append([float(word) for word in printed.split()])
        found[method] = sorted(rounds)[len(rounds) // 2]
        print(f"{method:10} {found[method][0]:8.2f} s {found[method][1]:8.0f} MB   norm {found[method][2]:.6g}")
    (s, m, _), (slow, large, _) = found["layers"], found["jacobian"]
    print(f"ratios: {slow / s:.1f} in time, {large / m:.1f} in memory")


def lanczos() -> None:
    model, x = network(), grid_points([256, 256], dtype=torch.float32)
    start = time.perf_counter()
    operator = ntk_operator(model, x)
    print(f"set up {time.perf_counter() - start:.1f} s, {operator.size} rows")
    found = leading_eigenpairs(operator, operator.size, 30, dtype=torch.float32)
    seconds = time.perf_counter() - start
    print(f"{found.products} products, {seconds:.1f} s in all, peak {peak_megabytes():.0f} MB of the whole process")
    print("eigenvalues", [f"{v:.4g}" for v in found.values.tolist()])
    print(f"largest relative residual {(found.residuals / found.values).max():.1e}")


def grid() -> None:
    encoder = GaussianEncoder(2, dtype=torch.float64)
    kernel = InfiniteMLP(3, "relu", "ntk", 2**0.5, encoder=encoder).ntk
    start = time.perf_counter()
    matrix = GridKernel(stationary_steps(kernel, [256, 256]))
    print(f"kernel at all steps {time.perf_counter() - start:.2f} s")
    values = torch.rand(matrix.size, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    start = time.perf_counter()
    found = matrix.solve(values)
    seconds = time.perf_counter() - start
    print(f"solve {seconds:.2f} s, {found.iterations} iterations, relative residual {found.residuals.item():.1e}")


def watch(rounds: int = 5, steps: int = 40) -> None:
    """What ``callbacks=kernel`` costs in a default fit, in optimiser steps of that fit."""
    from loops import assembled

    from ffnet.training import KernelWatch

    costs: dict[str, list[float]] = {"on_train_start": [], "act": []}

    def timed(name: str):
        plain = getattr(KernelWatch, name)

        def run(*arguments):
            start = time.perf_counter()
            plain(*arguments)
            costs[name].append(time.perf_counter() - start)

        return run

    for name in costs:
        setattr(KernelWatch, name, timed(name))
    every = ["callbacks=kernel", f"callbacks.kernel.every_n_steps={steps}", f"trainer.max_steps={rounds * steps}"]
    module, trainer = assembled(["recipe=paper", *every, "~callbacks.evaluation", "~callbacks.views"])
    trainer.fit(module)
    step = module.seconds / module.step
    start, entry = (statistics.median(times) for times in costs.values())
    print(f"step {1000 * step:.1f} ms, start {start:.2f} s = {start / step:.0f} steps, ", end="")
    print(f"entry {entry:.3f} s = {entry / step:.1f} steps; {trainer.precision}")


if __name__ == "__main__":
    what = sys.argv[1]
    one(what) if what in METHODS else {"ntk": ntk, "lanczos": lanczos, "grid": grid, "watch": watch}[what]()
