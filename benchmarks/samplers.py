"""Uniform, stratified and importance sampling: steps and time of training until 32 dB, and PSNR at the end.

    python benchmarks/samplers.py IMAGE... --seeds 3 --output samplers.json

Scores during training are those of 2^15 pixels, about every quarter of a second; steps are interpolated between them.
Seconds per step are measured apart, with the three samplers by turns in one process and thread, as those of the
processor, so that other work on the machine changes little: the time until 32 dB is the product. What is in
``--output`` is not run again.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from lightning.pytorch import Trainer
from loops import assembled

from ffnet.fitting import evaluate
from ffnet.sampling import ImportanceSampler, StratifiedSampler, UniformSampler
from ffnet.training import Fitting, KnowsSpans

RECIPES = {"recipe=fast": ["recipe=fast"], "default": [], "recipe=quality": ["recipe=quality"]}
SAMPLERS = {"uniform": UniformSampler, "stratified": StratifiedSampler, "importance": ImportanceSampler}
TARGET, PIXELS, SECONDS, ROUNDS = 32.0, 2**15, 0.25, 80


class Reached(KnowsSpans):
    """The steps of training after which the field had ``TARGET`` dB."""

    def __init__(self) -> None:
        self.curve: list[tuple[float, float]] = []
        self.seconds = 0.0

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if self.curve and pl_module.seconds - self.seconds < SECONDS and not pl_module.due(None):
            return
        self.seconds = pl_module.seconds
        batch = pl_module.dataset.regular.batch(
            torch.randint(pl_module.dataset.regular.size, (PIXELS,), generator=torch.Generator().manual_seed(1))
        )
        with torch.inference_mode():
            error = (pl_module.field(batch.queries) - batch.targets).square().mean().item()
        self.curve.append((pl_module.step, -10 * math.log10(error)))

    def when(self) -> float:
        """The steps, infinite if never."""
        steps, psnr = (np.array(column) for column in zip(*self.curve, strict=True))
        after = int(np.argmax(psnr >= TARGET))
        if psnr[after] < TARGET:
            return math.inf
        part = slice(max(after - 1, 0), after + 1)
        return float(np.interp(TARGET, psnr[part], steps[part]))


def made(image: Path, overrides: list[str]) -> tuple[Fitting, Trainer]:
    still = ["~callbacks.evaluation", "~callbacks.views", "~callbacks.progress", "logger=none"]
    return assembled([f"dataset.path={image}", *still, *overrides])


def measure(image: Path, overrides: list[str]) -> dict[str, float]:
    module, trainer = made(image, overrides)
    reached = Reached()
    trainer.callbacks.append(reached)
    trainer.fit(module)
    return {"steps": reached.when(), "psnr": evaluate(module.field, module.dataset)["psnr"]}


def milliseconds(image: Path, overrides: list[str]) -> dict[str, float]:
    """Of the processor in a step with each sampler, the median; steps take turns."""
    torch.set_num_threads(1)
    module, trainer = made(image, [*overrides, "sampler=uniform", f"trainer.max_steps={3 * ROUNDS}"])
    count = module.dataset.batch_size
    samplers = {name: make(count) for name, make in SAMPLERS.items()}
    taken: dict[str, list[float]] = {name: [] for name in samplers}

    def steps(_: object) -> None:
        optimizer, schedule = module.optimizers(), module.lr_schedulers()
        module.loss_steps = 1  # for the scalars
        for number in range(3 * ROUNDS):
            name = list(samplers)[number % 3]
            module.dataset.sampler = samplers[name]
            start = time.process_time()
            module.stepper.step(number, optimizer, schedule)
            taken[name].append(1000 * (time.process_time() - start))

    module.training_step = steps
    trainer.fit(module)
    return {name: float(np.median(times[10:])) for name, times in taken.items()}


def cells(found: dict[str, list[dict[str, float]]], took: dict[str, float]) -> str:
    """Of each sampler, the means over its runs."""
    every = []
    for sampler, runs in found.items():
        steps, psnr = (float(np.mean([one[name] for one in runs])) for name in ("steps", "psnr"))
        reached = f"{steps * took[sampler] / 1000:.2f} s, {steps:.0f} steps" if math.isfinite(steps) else "not reached"
        every.append(f"{reached}; {psnr:.2f} dB")
    return " | ".join(every)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--recipes", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--output", type=Path, default=Path("samplers.json"))
    arguments = parser.parse_args()
    for logger in ("lightning.pytorch", "ffnet"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    found = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    seeds = [str(seed) for seed in range(arguments.seeds)]
    for seed in seeds:
        for recipe in arguments.recipes:
            for image in arguments.images:
                for sampler in SAMPLERS:
                    kept = found.setdefault(recipe, {}).setdefault(image.stem, {}).setdefault(sampler, {})
                    if seed not in kept:
                        kept[seed] = measure(image, [*RECIPES[recipe], f"sampler={sampler}", f"seed={seed}"])
                        arguments.output.write_text(json.dumps(found, indent=1))
    print("| | image |", " | ".join(SAMPLERS), "|")
    print("|---|---|" + "---|" * len(SAMPLERS))
    for recipe in arguments.recipes:
        took = milliseconds(arguments.images[0], RECIPES[recipe])
        reached = []
        for image in arguments.images:
            rows = {sampler: [kept[seed] for seed in seeds] for sampler, kept in found[recipe][image.stem].items()}
            print(f"| {recipe} | {image.stem} | {cells(rows, took)} |")
            if all(math.isfinite(one["steps"]) for kept in rows.values() for one in kept):
                reached.append(rows)
        every = {sampler: [one for rows in reached for one in rows[sampler]] for sampler in SAMPLERS}
        print(f"| {recipe} | mean of {len(reached)} | {cells(every, took)} |")
        print(recipe, ", ".join(f"{sampler} {value:.2f} ms per step" for sampler, value in took.items()), flush=True)
