"""A training step of tomography relative to its matrix products alone, in turn, in one process.

    python benchmarks/tomography.py [--rounds 5] [--lines 2560] [--precision 32-true bf16-mixed]

The step is that of ``ffnet fit experiment=tancik2020/ct dataset.size=128``: 2,560 lines or fewer, each sampled at 128
new places; the paper's network with 512 Gaussian features. The products are those of its forward and backward pass,
with the same number of rows and in the same type, at the fastest of three block sizes. Both run on one thread, and
seconds are those of the processor, so that other work on the machine hardly changes the ratio.
"""

import argparse
import itertools
import logging
import statistics
import time

import torch
from loops import assembled, processor

from ffnet.memory import keep_freed_memory
from ffnet.training import KnowsSpans

SIZES = (512, 256, 256, 256, 1)
SAMPLES = 128
TYPES = {"32-true": torch.float32, "bf16-mixed": torch.bfloat16}


class Clock(KnowsSpans):
    """Seconds and steps from the first call of the loop on."""

    step, start, seconds = 0, 0.0, 0.0

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if not self.step:
            self.step, self.start = pl_module.step, time.process_time()
        self.steps, self.seconds = pl_module.step - self.step, time.process_time() - self.start


def fit(precision: str, lines: int, steps: int, settings: list[str]) -> float:
    """Seconds per step of ``ffnet fit``."""
    still = ["~callbacks.evaluation", "~callbacks.views", "trainer.accelerator=cpu"]
    size = [f"dataset.size={SAMPLES}", f"dataset.batch_size={lines}"]
    given = [*size, *settings, f"precision={precision}", f"trainer.max_steps={steps + 1}", *still]
    module, trainer = assembled(["experiment=tancik2020/ct", *given])
    clock = Clock()
    trainer.callbacks.append(clock)
    trainer.fit(module)
    return clock.seconds / clock.steps


def products(dtype: torch.dtype, rows: int, block: int) -> float:
    """Seconds for the products of one step: forward, and back to weights and inputs."""
    layers = [[torch.rand(s).to(dtype) for s in ((block, i), (o, i), (block, o))] for i, o in itertools.pairwise(SIZES)]
    start = time.process_time()
    for _ in range(rows // block):
        for index, (x, w, g) in enumerate(layers):
            x @ w.T
            g.T @ x
            if index:
                g @ w
    return time.process_time() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--lines", type=int, default=2560, help="a multiple of 64")
    parser.add_argument("--settings", nargs="*", default=[], help="such as engine.micro_batch=4096")
    parser.add_argument("--precision", nargs="+", choices=TYPES, default=list(TYPES))
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    keep_freed_memory()
    torch.set_num_threads(1)
    rows = arguments.lines * SAMPLES
    flops = 2 * rows * (3 * sum(i * o for i, o in itertools.pairwise(SIZES)) - SIZES[0] * SIZES[1])
    print(f"{processor()}, one thread, torch {torch.__version__}")
    for precision in arguments.precision:
        rounds = []
        for _ in range(arguments.rounds + 1):
            step = fit(precision, arguments.lines, arguments.steps, arguments.settings)
            rounds.append((step, min(products(TYPES[precision], rows, block) for block in (2048, 4096, 8192))))
        steps, alone = zip(*rounds[1:], strict=True)  # the first round warms up
        ratios = sorted(b / a for a, b in zip(steps, alone, strict=True))
        rates = [flops / 1e9 / statistics.median(values) for values in (steps, alone)]
        print(
            f"{precision}: {rates[0]:.0f} GFLOP/s in a step, {rates[1]:.0f} GFLOP/s of the products alone: "
            f"{statistics.median(ratios):.3f} ({ratios[0]:.3f} to {ratios[-1]:.3f})",
            flush=True,
        )
