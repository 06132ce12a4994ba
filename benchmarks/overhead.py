"""What ``ffnet fit`` costs beyond the arithmetic: its rate beside that of a bare loop over the same steps.

    python benchmarks/overhead.py --rounds 5

The bare loop draws the same batches from the same feature cache, in the same precision, with the same optimizer
and schedule, and does nothing else. ``ffnet fit`` runs with TensorBoard, progress and checkpoints as they are set by
default; the clock runs from the start of training to its end.
"""

import argparse
import logging
import statistics
import time

import torch
from lightning.pytorch import Callback
from loops import assembled


class Clock(Callback):
    def on_train_start(self, *_) -> None:
        self.start = time.perf_counter()

    def on_train_end(self, *_) -> None:
        self.seconds = time.perf_counter() - self.start


def fit(points: int, steps: int) -> tuple[float, str]:
    still = ["~callbacks.evaluation", "~callbacks.views"]
    module, trainer = assembled(["recipe=paper", f"dataset.batch_size={points}", f"trainer.max_steps={steps}", *still])
    clock = Clock()
    trainer.callbacks.append(clock)
    trainer.fit(module)
    return clock.seconds, str(trainer.precision)


def bare(points: int, steps: int, precision: str) -> float:
    module, _ = assembled(["recipe=paper", f"dataset.batch_size={points}", f"trainer.max_steps={steps}"])
    field, dataset, generator = module.field, module.dataset, torch.Generator().manual_seed(0)
    optimizer = module.make_optimizer(field.named_parameters())
    schedule = module.make_schedule(optimizer)
    autocast = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16-mixed", cache_enabled=False)
    with autocast:
        cache = module.engine.cache(field, dataset, torch.device("cpu"))
    start = time.perf_counter()
    for _ in range(steps):
        inputs, targets, *_ = cache.batch(torch.randint(len(cache.features), (points,), generator=generator))
        optimizer.zero_grad()
        with autocast:
            loss = torch.nn.functional.mse_loss(field.decode(inputs).float(), targets)
        loss.backward()
        optimizer.step()
        schedule.step()
    return time.perf_counter() - start


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for points, steps in ((2048, 500), (256, 2000)):
        ratios = []
        for _ in range(arguments.rounds + 1):
            whole, precision = fit(points, steps)
            ratios.append(bare(points, steps, precision) / whole)
        ratios = sorted(ratios[1:])  # the first round warms up
        median = statistics.median(ratios)
        span = f"{ratios[0]:.1%} to {ratios[-1]:.1%}"
        print(f"batch {points}: {median:.1%} of the bare loop's rate ({span}), both in {precision}", flush=True)
