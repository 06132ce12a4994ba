"""Uniform, stratified and importance sampling: steps and seconds of training until 32 dB, and PSNR at the end.

    python benchmarks/samplers.py IMAGE... --output samplers.json

Scores during training are those of 2^15 pixels, about every quarter of a second, for which the clock stands still;
steps and seconds are interpolated between them. What is in ``--output`` is not run again. Last come the milliseconds
that a sampler takes per step, to draw 8192 of 393,216 queries and to learn of their errors.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from loops import assembled

from ffnet.fitting import evaluate
from ffnet.sampling import ImportanceSampler, Sampler, StratifiedSampler, UniformSampler
from ffnet.training import KnowsSpans

RECIPES = {"recipe=fast": ["recipe=fast"], "default": [], "recipe=quality": ["recipe=quality"]}
SAMPLERS = {"uniform": UniformSampler, "stratified": StratifiedSampler, "importance": ImportanceSampler}
TARGET, PIXELS, SECONDS = 32.0, 2**15, 0.25


class Reached(KnowsSpans):
    """The steps and seconds of training after which the field had ``TARGET`` dB."""

    def __init__(self) -> None:
        self.curve: list[tuple[float, float, float]] = []

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if pl_module.seconds - (self.curve[-1][0] if self.curve else 0) < SECONDS and not pl_module.due(None):
            return
        batch = pl_module.dataset.regular.batch(
            torch.randint(pl_module.dataset.regular.size, (PIXELS,), generator=torch.Generator().manual_seed(1))
        )
        with torch.inference_mode():
            error = (pl_module.field(batch.queries) - batch.targets).square().mean().item()
        self.curve.append((pl_module.seconds, pl_module.step, -10 * math.log10(error)))

    def when(self) -> tuple[float, float]:
        """(steps, seconds), infinite if never."""
        seconds, steps, psnr = (np.array(column) for column in zip(*self.curve, strict=True))
        after = int(np.argmax(psnr >= TARGET))
        if psnr[after] < TARGET:
            return math.inf, math.inf
        part = slice(max(after - 1, 0), after + 1)
        return float(np.interp(TARGET, psnr[part], steps[part])), float(np.interp(TARGET, psnr[part], seconds[part]))


def measure(image: Path, overrides: list[str]) -> dict[str, float]:
    still = ["~callbacks.evaluation", "~callbacks.views", "~callbacks.progress", "logger=none"]
    module, trainer = assembled([f"dataset.path={image}", *still, *overrides])
    reached = Reached()
    trainer.callbacks.append(reached)
    trainer.fit(module)
    psnr = evaluate(module.field, module.dataset)["psnr"]
    steps, seconds = reached.when()
    return {"steps": steps, "seconds": seconds, "psnr": psnr, "training": module.seconds}


def milliseconds(sampler: Sampler, size: int = 393_216, steps: int = 100) -> float:
    """Of a draw and an update, the median."""
    generator, times = torch.Generator().manual_seed(0), []
    errors = torch.rand(sampler.batch_size(size), generator=generator)
    for _ in range(steps):
        start = time.perf_counter()
        index, _ = sampler.draw(size, generator)
        if sampler.adaptive:
            sampler.update(index, errors)
        times.append(time.perf_counter() - start)
    return 1000 * float(np.median(times))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--recipes", nargs="+", default=["recipe=fast", "default"], choices=list(RECIPES))
    parser.add_argument("--output", type=Path, default=Path("samplers.json"))
    arguments = parser.parse_args()
    for logger in ("lightning.pytorch", "ffnet"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    found = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    print("| | image |", " | ".join(SAMPLERS), "|")
    print("|---|---|" + "---|" * len(SAMPLERS))
    for recipe in arguments.recipes:
        for image in arguments.images:
            row = found.setdefault(f"{recipe} {image.name}", {})
            for sampler in SAMPLERS:
                if sampler not in row:
                    row[sampler] = measure(image, [*RECIPES[recipe], f"sampler={sampler}"])
                    arguments.output.write_text(json.dumps(found, indent=1))
            cells = [
                f"{r['steps']:.0f} steps, {r['seconds']:.1f} s; {r['psnr']:.2f} dB, {r['training']:.1f} s"
                for r in (row[sampler] for sampler in SAMPLERS)
            ]
            print(f"| {recipe} | {image.stem} |", " | ".join(cells), "|", flush=True)
    print(", ".join(f"{name} {milliseconds(make(8192)):.2f} ms" for name, make in SAMPLERS.items()))
