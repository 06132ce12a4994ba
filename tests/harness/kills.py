"""Stops fits at random moments, resumes them, and compares what they end with, bit for bit, with undisturbed fits.

    python -m tests.harness.kills [--part fits|writing|sweeps|processes] [--trials N] [--seed N] [--workers N]

Each trial stops a fit with SIGKILL, SIGTERM or SIGINT, some of them once more after they have been resumed, and resumes
it to its end. Weights, optimizer state, generators, scores and reconstruction must be those of a fit that nobody
stopped. ``writing`` stops while a checkpoint is being written, ``sweeps`` a sweep of two runs at a time (joblib),
``processes`` a fit in two processes: the one that was started, or one of the two.
"""

import argparse
import collections
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.harness import descendants, forked
from tests.harness.trials import PARTS, Trial, commands, stop, undisturbed

TRIALS = {"fits": 100, "writing": 20, "sweeps": 10, "processes": 10}


def plan(part: str, count: int, seed: int) -> list[Trial]:
    """The trials of a part: all its fits in turn."""
    names = list(commands(part))
    return [Trial(part, names[index % len(names)], seed * 100_000 + index) for index in range(count)]


def carry_out(trials: Sequence[Trial], folder: Path) -> Iterator[Trial]:
    """Carries out ``trials``; undisturbed fits are made once each."""
    descendants.adopt()
    for trial in trials:
        overrides = commands(trial.part)[trial.case]
        reference = folder / f"{trial.part}-{re.sub('[^a-z0-9]+', '-', trial.case)}"
        if not reference.exists():
            reference.mkdir()
            undisturbed(overrides, reference)
        place = folder / f"{trial.part}-{trial.number}"
        place.mkdir()
        try:
            yield stop(trial, overrides, place, reference)
        except Exception as error:
            trial.faults.append(f"{type(error).__name__}: {error}")
            yield trial
        shutil.rmtree(place)


def side_by_side(trials: Sequence[Trial], workers: int) -> list[Trial]:
    """Carries out ``trials`` in ``workers`` forks."""
    with tempfile.TemporaryDirectory() as name:
        places = [Path(name) / str(worker) for worker in range(workers)]
        processes = []
        for worker, place in enumerate(places):
            place.mkdir()
            # The fits of one case go to one worker, which makes the undisturbed one.
            names = sorted({trial.case for trial in trials})
            mine = [t for t in trials if len(names) == 1 or names.index(t.case) % workers == worker]
            mine = mine[worker::workers] if len(names) == 1 else mine
            processes.append(os.fork())
            if processes[-1] == 0:
                with (place / "trials").open("w", buffering=1) as file:
                    for trial in carry_out(mine, place):
                        file.write(json.dumps(vars(trial)) + "\n")
                        if trial.faults:
                            print(f"WRONG {trial}", flush=True)
                os._exit(0)
        for process in processes:
            os.waitpid(process, 0)
        return [Trial(**json.loads(line)) for place in places for line in (place / "trials").read_text().splitlines()]


def table(trials: Sequence[Trial]) -> str:
    """Trials by part and signals."""
    groups = collections.defaultdict(list)
    for trial in trials:
        groups[trial.part, " + ".join(trial.signals)].append(trial)
    lines = [f"{'part':<10} {'stopped by':<34} {'trials':>6} {'same bits':>9}  steps left"]
    for (part, signals), found in sorted(groups.items()):
        steps = [step for trial in found for step in trial.steps]
        good, span = sum(not trial.faults for trial in found), f"{min(steps)}..{max(steps)}" if steps else "none"
        lines.append(f"{part:<10} {signals:<34} {len(found):>6} {good:>9}  {span}")
    names = len({trial.case for trial in trials})
    good = sum(not trial.faults for trial in trials)
    return "\n".join([*lines, f"{good} of {len(trials)} ended with the same bits; {names} kinds of fits"])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--part", choices=PARTS, action="append")
    parser.add_argument("--trials", type=int, help="of each part")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    arguments = parser.parse_args()
    forked.preload()
    start = time.monotonic()
    parts = arguments.part or list(PARTS)
    trials = [trial for part in parts for trial in plan(part, arguments.trials or TRIALS[part], arguments.seed)]
    done = side_by_side(trials, arguments.workers)
    print(table(done))
    print(f"{time.monotonic() - start:.0f} s")
    return int(len(done) < len(trials) or any(trial.faults for trial in done))


if __name__ == "__main__":
    sys.exit(main())
