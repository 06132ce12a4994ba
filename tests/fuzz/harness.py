"""Runs cases, each in a folder of its own, and judges them."""

import os
import random
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import jaxtyping

from tests.fuzz.arguments import outputs, overrides
from tests.fuzz.case import Case, Generate
from tests.fuzz.judge import contents, verdict
from tests.fuzz.recordings import recording
from tests.fuzz.signals import image, mesh, views
from tests.fuzz.stored import checkpoint, exported, record
from tests.harness import forked

# Each kind of input, and its share.
KINDS: dict[str, tuple[Generate, int]] = {
    "image": (image, 4),
    "mesh": (mesh, 4),
    "scene": (views, 2),
    "recording": (recording, 4),
    "checkpoint": (checkpoint, 6),
    "export": (exported, 2),
    "record": (record, 4),
    "override": (overrides, 8),
    "output": (outputs, 3),
}
SECONDS = 60.0
# Address space above that of the process that forks.
MEMORY = 6 * 2**30


@dataclass(frozen=True)
class Result:
    """An input, its kind, how it was answered, and what it took."""

    number: int
    kind: str
    category: str
    argv: list[str]
    code: int
    err: str
    seconds: float
    peak_bytes: int


def generated(seed: int, number: int) -> tuple[str, Case]:
    """The input ``number`` of a ``seed``: the same on every machine."""
    rng = random.Random(f"{seed} {number}")
    names = [name for name, (_, share) in KINDS.items() for _ in range(share)]
    kind = names[number % len(names)]
    return kind, KINDS[kind][0](rng)


def tried(case: Case, setup: forked.Setup = lambda: None, seconds: float = SECONDS) -> tuple[str, forked.Outcome]:
    """The category and the outcome of a case."""
    place = Path(tempfile.mkdtemp(prefix="case-"))
    folder = place / "a" / "b" / "work"  # so that ../.. stays in a folder of the case
    try:
        lay(case, folder)
        before = contents(folder)

        def prepared() -> None:
            os.environ["XDG_CACHE_HOME"] = str(place / "cache")
            jaxtyping.config.update("jaxtyping_disable", True)
            setup()

        outcome = forked.run(case.argv, folder, seconds, memory=MEMORY, setup=prepared)
        return verdict(case, outcome, before, folder), outcome
    finally:
        shutil.rmtree(place, ignore_errors=True)


def lay(case: Case, folder: Path) -> None:
    """Writes the files of a case."""
    folder.mkdir(parents=True)
    for name, data in case.files.items():
        path = folder / name
        if isinstance(data, str):
            shutil.copytree(data, path)
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    (folder / "loop.png").symlink_to("loop.png")


def result(seed: int, number: int) -> Result:
    """Runs an input of a seed."""
    kind, case = generated(seed, number)
    category, outcome = tried(case)
    argv = [argument[:100] for argument in case.argv]
    return Result(number, kind, category, argv, outcome.code, outcome.err[-800:], outcome.seconds, outcome.peak_bytes)
