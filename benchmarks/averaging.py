"""What an average of the weights costs and gives.

python benchmarks/averaging.py time [override...]      seconds per step with and without it, in turn
python benchmarks/averaging.py score [override...]     scores for several decays, and without an average
"""

import statistics
import sys

import ffnet

ROUNDS, STEPS = 5, 300
DECAYS = (0.9, 0.99, 0.995, 0.999)
AVERAGE = "callbacks=ema"


def seconds(overrides: list[str]) -> float:
    """Training seconds of a fit of ``STEPS`` steps without views and scores in between."""
    quiet = [f"callbacks.{name}.every_n_steps=null" for name in ("views", "evaluation")]
    run = ffnet.fit(overrides=[*overrides, *quiet, f"trainer.max_steps={STEPS}"], progress=False)
    return run.metrics["seconds"]


def time(overrides: list[str]) -> None:
    ratios = []
    for _ in range(ROUNDS):
        plain, averaged = seconds(overrides), seconds([AVERAGE, *overrides])
        ratios.append(averaged / plain)
        print(f"{1e3 * plain / STEPS:8.3f} ms per step, averaged {1e3 * averaged / STEPS:8.3f} ms", flush=True)
    print(f"ratio: median {statistics.median(ratios):.3f}, from {min(ratios):.3f} to {max(ratios):.3f}")


def score(overrides: list[str]) -> None:
    cases = {"none": []} | {str(decay): [AVERAGE, f"callbacks.ema.decay={decay}"] for decay in DECAYS}
    for name, own in cases.items():
        run = ffnet.fit(overrides=[*own, *overrides], progress=False)
        print(f"{name:6}", ", ".join(f"{score} {value:.3f}" for score, value in run.scores.items()), flush=True)


if __name__ == "__main__":
    {"time": time, "score": score}[sys.argv[1]](sys.argv[2:])
