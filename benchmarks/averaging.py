"""What an average of the weights costs and gives.

python benchmarks/averaging.py time [override...]      seconds per step with and without it, in turn
python benchmarks/averaging.py score [override...]     scores for several decays, and without an average
"""

import statistics
import sys
from time import perf_counter

import torch
from loops import assembled

import ffnet
from ffnet.training import Averaging

WARM_UP, ROUNDS = 10, 60
DECAYS = (0.9, 0.99, 0.999)
AVERAGE = "callbacks=ema"


def time(overrides: list[str]) -> None:
    """Steps with and without an average take turns in one process and thread, so that other work on the machine meets
    both."""
    torch.set_num_threads(1)
    length = f"trainer.max_steps={2 * (WARM_UP + ROUNDS)}"
    module, trainer = assembled([AVERAGE, length, "logger=none", "~callbacks.progress", *overrides])
    average = next(callback for callback in trainer.callbacks if isinstance(callback, Averaging))
    taken: dict[bool, list[float]] = {True: [], False: []}

    def steps(_: object) -> None:
        optimizer, schedule = module.optimizers(), module.lr_schedulers()
        module.loss_steps = 1  # for the scalars
        for number in range(2 * (WARM_UP + ROUNDS)):
            averaged = number % 2 == 1
            start = perf_counter()
            module.stepper.step(number, optimizer, schedule)
            if averaged:
                average.update(module, number)
            if module.device.type == "cuda":
                torch.cuda.synchronize()
            taken[averaged].append(perf_counter() - start)

    module.training_step = steps
    trainer.fit(module)
    for averaged, seconds in taken.items():
        kept = taken[averaged] = seconds[WARM_UP:]
        figures = f"median {1e3 * statistics.median(kept):.2f} ms per step, fastest {1e3 * min(kept):.2f} ms"
        print(f"{'averaged' if averaged else 'plain':9}", figures)
    pairs = [with_it / without for with_it, without in zip(taken[True], taken[False], strict=True)]
    low, middle, high = statistics.quantiles(pairs, n=4)
    print(f"ratio: median of pairs {middle:.3f}, quartiles {low:.3f} and {high:.3f}")


def score(overrides: list[str]) -> None:
    cases = {"none": []} | {str(decay): [AVERAGE, f"callbacks.ema.decay={decay}"] for decay in DECAYS}
    for name, own in cases.items():
        run = ffnet.fit(overrides=[*own, *overrides], progress=False)
        print(f"{name:6}", ", ".join(f"{score} {value:.3f}" for score, value in run.scores.items()), flush=True)


if __name__ == "__main__":
    {"time": time, "score": score}[sys.argv[1]](sys.argv[2:])
