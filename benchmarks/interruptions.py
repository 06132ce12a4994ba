"""Stops runs at random moments, resumes them, and compares the final weights with those of an undisturbed run.

    python benchmarks/interruptions.py [--trials 10]

For each of SIGINT, SIGTERM and SIGKILL: exit code, step of the checkpoint that was left, and whether the resumed
run ends with the same bits.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

FFNET = [sys.executable, "-m", "ffnet"]
SETTINGS = ["dataset.batch_size=512", "trainer.max_steps=600", "trainer.accelerator=cpu"]
INTERVAL = "callbacks.checkpoints.every_n_steps=100"
EXPECTED = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    command = [*FFNET, "fit", *arguments]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def contents(run: Path) -> dict:
    return torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)


def same(one: dict, two: dict) -> bool:
    return all(torch.equal(value, two["state_dict"][key]) for key, value in one["state_dict"].items())


def trial(folder: Path, number: signal.Signals, reference: dict, seconds: float) -> bool:
    run = folder / "run"
    process = start(folder, *SETTINGS, INTERVAL, f"hydra.run.dir={run}")
    while not (run / "checkpoints" / "last.ckpt").exists():
        time.sleep(0.01)
    time.sleep(random.uniform(0, 0.95 * seconds))
    os.kill(process.pid, number)
    code = process.wait()
    left = contents(run)["global_step"]
    expected = code == EXPECTED[number] and (number != signal.SIGKILL or left % 100 == 0)
    resumed = start(folder, f"resume={run}").wait()
    good = expected and resumed == 0 and same(reference, contents(run)) and (run / "metrics.json").exists()
    print(
        f"{number.name} exit {code}, left step {left:3}, resumed {resumed}, {'same bits' if good else 'WRONG'}",
        flush=True,
    )
    return good


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        assert start(folder, *SETTINGS, INTERVAL, "hydra.run.dir=whole").wait() == 0
        reference = contents(folder / "whole")
        seconds = reference["ffnet"]["seconds"]
        print(f"undisturbed: {reference['global_step']} steps in {seconds:.1f} s")
        results = []
        for index in range(arguments.trials):
            for number in EXPECTED:
                place = folder / f"{index}-{number.name}"
                place.mkdir()
                results.append(trial(place, number, reference, seconds))
        print(f"{sum(results)} of {len(results)} as they should be")
        sys.exit(not all(results))
