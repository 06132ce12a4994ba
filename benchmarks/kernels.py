"""Speed and memory of the empirical NTK, of its leading eigenvalues, of a solve on a grid, and of watching a run.

python benchmarks/kernels.py ntk | lanczos | grid | image | watch | commands | watched

The network is that of Tancik et al. 2020: 256 Gaussian frequencies, 3 hidden layers of 256, 3 outputs. Each figure of
memory is the peak of a process of its own, less what the process held before the measured call.
"""

import resource
import statistics
import subprocess
import sys
import tempfile
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


def image(*sizes: int) -> None:
    """Regression and descent with a kernel on a quarter of the pixels of square images: times, and peak of memory."""
    from ffnet.analysis.image_regression import ImageKernel
    from ffnet.analysis.limit import ntk_steps
    from ffnet.kernels import descent, largest_stable_rate

    for side in sizes or (256, 512, 1024):
        start = time.perf_counter()
        matrix = ImageKernel(ntk_steps(network().double(), [side, side]))
        steps = time.perf_counter() - start
        values = torch.rand(matrix.known.size, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        found = matrix.known.solve(values)
        matrix.everywhere(found.x)
        solved = time.perf_counter() - start - steps
        rate = 0.5 * largest_stable_rate(matrix.largest())
        descent(matrix.known, values, rate, [1000])
        moved = time.perf_counter() - start - steps - solved
        print(f"{side}x{side}: kernel at all offsets {steps:.2f} s, solve {solved:.2f} s, ", end="")
        print(f"{found.iterations} iterations, 1000 steps of descent {moved:.2f} s, peak {peak_megabytes():.0f} MB")


def command(*settings: str) -> tuple[float, float]:
    """Wall and CPU seconds of an ffnet command in a process and a directory of its own."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        words = [sys.executable, "-m", "ffnet", *settings, f"hydra.run.dir={folder}/run"]
        subprocess.run(words, check=True, capture_output=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands() -> None:
    """``ffnet ntk`` after a grid and after Gaussian features, at equal numbers of parameters (375,000 and 245,000)."""
    pairs = {
        "width 256": (["encoder=grid"], ["encoder=gaussian", "model.hidden_features=323"]),
        "recipe=fast": (["recipe=fast"], ["encoder=gaussian", "model.hidden_features=246"]),
    }
    for name, (grid, gaussian) in pairs.items():
        found = [command("ntk", *settings) for settings in (grid, gaussian)]
        for kind, (wall, cpu) in zip(("grid", "Gaussian"), found, strict=True):
            print(f"{name}, {kind}: {wall:.1f} s, {cpu:.1f} s of CPU")
        print(f"ratios: {found[0][0] / found[1][0]:.2f} in time, {found[0][1] / found[1][1]:.2f} of CPU")


def watched(rounds: int = 3) -> None:
    """What ``callbacks=kernel`` adds to a default and to a fast run: wall time of the commands, in turn."""
    for name, settings in {"default": [], "recipe=fast": ["recipe=fast"]}.items():
        plain, kernel = [], []
        for _ in range(rounds):
            plain.append(command("fit", *settings)[0])
            kernel.append(command("fit", *settings, "callbacks=kernel")[0])
        a, b = statistics.median(plain), statistics.median(kernel)
        print(f"{name}: {a:.2f} s, with callbacks=kernel {b:.2f} s: {100 * (b / a - 1):.0f} % more")


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
    parts = (ntk, lanczos, grid, image, watch, commands, watched)
    one(what) if what in METHODS else {part.__name__: part for part in parts}[what](*map(int, sys.argv[2:]))
