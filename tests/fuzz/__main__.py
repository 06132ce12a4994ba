"""The full part: ``python -m tests.fuzz --inputs 2400 --seed 0 --jobs 2``.

Prints how many inputs of each kind were answered how, and every defect with what repeats it. The exit code is 1 if
there is a defect.
"""

import argparse
import fcntl
import gc
import json
import os
import shlex
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict

from tests.fuzz import material, stored
from tests.fuzz.harness import KINDS, Result, result
from tests.fuzz.judge import ACCEPTED, DEFECTS, DIVERGED, REFUSED
from tests.fuzz.recordings import recordings
from tests.harness import forked


def results(seed: int, numbers: list[int], jobs: int) -> Iterator[Result]:
    """Runs the inputs in ``jobs`` processes forked from this one. Those of multiprocessing are workers to ffnet."""
    reading, writing = os.pipe()
    with tempfile.TemporaryFile() as lock:
        for job in range(jobs):
            if os.fork() == 0:
                with os.fdopen(writing, "w") as pipe, open(f"/proc/self/fd/{lock.fileno()}") as own:
                    for number in numbers[job::jobs]:
                        line = json.dumps(asdict(result(seed, number)))
                        fcntl.flock(own, fcntl.LOCK_EX)  # so that lines stay whole
                        print(line, file=pipe, flush=True)
                        fcntl.flock(own, fcntl.LOCK_UN)
                os._exit(0)
        os.close(writing)
        with os.fdopen(reading) as lines:
            for line in lines:
                yield Result(**json.loads(line))
    for _ in range(jobs):
        os.wait()


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=2400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--first", type=int, default=0, help="the number of the first input, to repeat one")
    arguments = parser.parse_args()
    forked.preload()
    for kind in ("image", "shape", "ct", "nerf", "sweep"):
        material.fitted(kind)
    for kind in stored.KINDS:
        stored.contents(kind)
    material.images()
    recordings()
    gc.freeze()  # so that forks copy fewer pages
    numbers = list(range(arguments.first, arguments.first + arguments.inputs))
    counts: Counter[tuple[str, str]] = Counter()
    slowest = 0.0
    for found in results(arguments.seed, numbers, arguments.jobs):
        if counts.total() % 100 == 0:
            print(f"{counts.total()} of {len(numbers)}", file=sys.stderr, flush=True)
        counts[found.kind, found.category] += 1
        slowest = max(slowest, found.seconds)
        if found.category in DEFECTS:
            print(f"{found.category}: --seed {arguments.seed} --first {found.number} --inputs 1 --jobs 1")
            print(f"  exit code {found.code} after {found.seconds:.1f} s: ffnet {shlex.join(found.argv)}")
            print(f"  {found.err[-1500:]!r}", flush=True)
    print(table(counts))
    print(f"slowest: {slowest:.1f} s")
    return int(any(counts[kind, defect] for kind in KINDS for defect in DEFECTS))


def table(counts: Counter[tuple[str, str]]) -> str:
    """The numbers of inputs by kind and category."""
    categories = (ACCEPTED, REFUSED, DIVERGED, *DEFECTS)
    rows = [("", *KINDS, "all")]
    for category in categories:
        row = [counts[kind, category] for kind in KINDS]
        rows.append((category, *map(str, row), str(sum(row))))
    rows.append(
        ("all", *(str(sum(counts[kind, category] for category in categories)) for kind in KINDS), str(counts.total()))
    )
    return "\n".join("  ".join(cell.rjust(20 if i == 0 else 10) for i, cell in enumerate(row)) for row in rows)


if __name__ == "__main__":
    sys.exit(main())
