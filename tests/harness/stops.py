"""Signals at chosen moments: exit code, the one line, what is saved, and which processes are left.

python -m tests.harness.stops [NAME ...]
"""

import os
import re
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lightning.pytorch import LightningModule, Trainer

from ffnet.training import KnowsSpans
from tests.harness import descendants, forked
from tests.harness.cases import IMAGE
from tests.harness.trials import LONG, SWEEP, TWO, slow_steps, step_of

ROOT = Path(__file__).parents[2]
INT, TERM, HUP, KILL = signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGKILL
# Long enough to be stopped, with steps that are slowed down in a fork.
FIT = (*IMAGE, "model.hidden_features=16", "trainer.accelerator=cpu", "callbacks.checkpoints.every_n_steps=10")
SAVED = r"; saved at step \d+; go on with: ffnet fit resume=.*run"
ENDLESS = tuple("trainer.max_steps=1000000" if o.startswith("trainer.max_steps") else o for o in LONG)


class Hang(KnowsSpans):
    """Stays in step 20 for ever, in the second process."""

    def on_train_batch_end(self, trainer: Trainer, pl_module: LightningModule, *_: object) -> None:
        while trainer.global_rank == 1 and trainer.global_step >= 20:
            (Path(trainer.default_root_dir) / "stuck").touch()
            time.sleep(1)


@dataclass(frozen=True)
class Stop:
    """A command, how it is stopped, and what is to come of it.

    Attributes:
        argv: arguments of ``ffnet``.
        act: stops the command once ``ready`` is there; gets its process.
        code: expected exit code.
        line: pattern of all of stderr, without "ffnet COMMAND: "; empty for nothing.
        setup: called in the fork.
        ready: pattern of a file whose existence starts ``act``; ``after``: how many seconds after that.
        before: arguments of a command that is run to its end before.
        within: how many seconds it may take to end.
        saves: whether the state at the signal is saved, rather than an earlier one.
    """

    argv: Sequence[str]
    act: Callable[[int], None]
    code: int
    line: str
    setup: Callable[[], None] = lambda: None
    ready: str = "run/checkpoints/last.ckpt"
    after: float = 0.5
    saves: bool = True
    before: Sequence[str] = ()
    within: float = 60.0


@dataclass(frozen=True)
class Found:
    """What came of a stop: exit code, stderr, step of the checkpoint, processes left, and how long it took to end."""

    code: int
    err: str
    step: int | None
    left: int
    seconds: float


def send(*numbers: signal.Signals, pause: float = 0.1) -> Callable[[int], None]:
    """Sends signals to the command."""

    def act(process: int) -> None:
        for number in numbers:
            os.kill(process, number)
            time.sleep(pause)

    return act


def one(number: signal.Signals, *then: signal.Signals) -> Callable[[int], None]:
    """Sends a signal to the last process that the command has started, and others to the command after a moment."""

    def act(process: int) -> None:
        os.kill(max(descendants.children(process)), number)
        time.sleep(0.5)
        send(*then)(process)

    return act


def very_slow_steps() -> None:
    """In a fork: the second signal comes before the end of the step."""
    from tests.harness import trials

    trials.STEP_SECONDS = 0.7
    slow_steps()


def slow_writing() -> None:
    """In a fork: the signal comes while a file is half written."""
    from tests.harness import trials

    trials.WRITE_SECONDS = 3.0
    trials.slow_writes()


def slow_scores() -> None:
    """In a fork: each chunk of an evaluation takes half a second, and the first one says so."""
    from ffnet.training import evaluation

    evaluate = evaluation.evaluate

    def slow(field: Any, dataset: Any, points: int, processes: Any, before_chunk: Callable[[], None]) -> Any:
        def wait() -> None:
            Path("scoring").touch()
            time.sleep(0.5)
            before_chunk()

        return evaluate(field, dataset, points, processes, wait)

    evaluation.evaluate = slow


def importable() -> None:
    """In a fork: the processes that it starts find this file."""
    os.environ["PYTHONPATH"] = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])


def _single() -> dict[str, Stop]:
    fit = ("fit", *FIT, "trainer.max_steps=100000", "hydra.run.dir=run")
    found = {
        f"{number.name} in training": Stop(
            fit, send(number), 128 + number, f"stopped by {number.name}{SAVED}", slow_steps
        )
        for number in (INT, TERM, HUP)
    }
    found |= {
        f"{number.name} twice": Stop(
            fit, send(number, number), 128 + number, f"stopped by {number.name}{SAVED}", very_slow_steps, saves=False
        )
        for number in (INT, TERM)
    }
    found |= {
        f"{number.name} at the start": Stop(
            fit, send(number), 128 + number, f"stopped by {number.name}.*", ready="", after=0.05, saves=False
        )
        for number in (INT, TERM, HUP)
    }
    short = ("fit", *FIT, "trainer.max_steps=20", "hydra.run.dir=run")
    done = "; saved at step 20; go on with: ffnet fit resume=.*run"
    found["SIGTERM while fit writes the image"] = Stop(
        short, send(TERM), 143, f"stopped by SIGTERM{done}", slow_writing, "run/.reconstruction.*.partial.png", 0.0
    )
    found["SIGTERM while fit scores"] = Stop(  # 24 chunks
        (*short, "+callbacks.evaluation.points=20"),
        send(TERM),
        143,
        f"stopped by SIGTERM{done}",
        slow_scores,
        "scoring",
        within=6.0,
    )
    for name, argv, output in (
        ("render", ("render", "checkpoint=run", "output=large.png"), ".large.*.partial.png"),
        ("table", ("table", "run=run", "output=scores.md"), ".scores.*.partial.md"),
        ("report", ("report", "run=run", "output=report.html"), ".report.*.partial.html"),
    ):
        found[f"SIGINT while {name} writes"] = Stop(
            argv, send(INT), 130, "stopped by SIGINT", slow_writing, output, 0.0, before=short
        )
    return found


def _two() -> dict[str, Stop]:
    fit = ("fit", *ENDLESS, *TWO, "hydra.run.dir=run")
    stuck = (*fit, "+callbacks.hang._target_=tests.harness.stops.Hang")
    slow = r"(; process \d did not stop and was killed)+"
    return {
        "two processes: TERM": Stop(fit, send(TERM), 143, f"stopped by SIGTERM{SAVED}"),
        "two processes: INT": Stop(fit, send(INT), 130, f"stopped by SIGINT{SAVED}"),
        "two processes: HUP": Stop(fit, send(HUP), 129, f"stopped by SIGHUP{SAVED}"),
        "two processes: INT twice": Stop(fit, send(INT, INT, pause=0), 130, f"stopped by SIGINT{SAVED}", saves=False),
        "two processes: TERM twice": Stop(
            fit, send(TERM, TERM, pause=0), 143, f"stopped by SIGTERM{SAVED}", saves=False
        ),
        "two processes: TERM at the start": Stop(
            fit, send(TERM), 143, "stopped by SIGTERM; nothing was saved", ready="run", after=4, saves=False
        ),
        "frozen process, TERM": Stop(fit, one(signal.SIGSTOP, TERM), 143, f"stopped by SIGTERM{SAVED}"),
        "stuck process, TERM": Stop(
            stuck, send(TERM), 143, f"stopped by SIGTERM{slow}{SAVED}", importable, "stuck", saves=False
        ),
        "killed process": Stop(fit, one(KILL), 1, r"the run failed: process \d was killed by SIGKILL", saves=False),
        "killed parent": Stop(fit, send(KILL), -9, ""),
        "killed parent, frozen process": Stop(fit, one(signal.SIGSTOP, KILL), -9, ""),
        "killed parent, stuck process": Stop(stuck, send(KILL), -9, "", importable, "stuck", saves=False),
    }


def _sweeps() -> dict[str, Stop]:
    sweep = ("fit", *SWEEP, *ENDLESS)
    again = "; go on with: ffnet fit resume=run"
    first = "run/0/checkpoints/last.ckpt"
    return {
        "sweep of two at a time: TERM": Stop(
            sweep, send(TERM), 143, f"stopped by SIGTERM{again}", ready=first, after=2
        ),
        "sweep of two at a time: INT": Stop(sweep, send(INT), 130, f"stopped by SIGINT{again}", ready=first, after=2),
        "sweep of two at a time: INT twice": Stop(
            sweep, send(INT, INT, pause=0), 130, f"stopped by SIGINT{again}", ready=first, after=2, saves=False
        ),
        "sweep of two at a time: killed": Stop(sweep, send(KILL), -9, "", ready=first, after=2),
    }


def stops() -> dict[str, Stop]:
    """All stops by name."""
    return _single() | _two() | _sweeps()


def carry_out(stop: Stop, folder: Path) -> Found:
    """Stops the command in the empty ``folder``."""
    descendants.adopt()
    known = set(descendants.descendants(os.getpid()))
    if stop.before:
        forked.run(stop.before, folder)
    child = forked.Child(stop.argv, folder, setup=stop.setup)
    deadline = time.monotonic() + 120
    while stop.ready and not any(folder.glob(stop.ready)) and child.running() and time.monotonic() < deadline:
        time.sleep(0.01)
    time.sleep(stop.after)
    stop.act(child.pid)
    start = time.monotonic()
    outcome = child.wait(150)
    left = descendants.left(known, max(0, 10 - (time.monotonic() - start)))
    run = folder / "run"
    step = step_of(run / "0" if (run / "0").exists() else run)
    return Found(outcome.code, outcome.err, step, left, time.monotonic() - start)


def faults(stop: Stop, found: Found, folder: Path) -> list[str]:
    """What is not as it should be."""
    wrong = []
    expected = rf"ffnet {stop.argv[0]}: {stop.line}\n" if stop.line else ""
    if found.code != stop.code:
        wrong.append(f"exit {found.code}, expected {stop.code}")
    if not re.fullmatch(expected, found.err):
        wrong.append(f"stderr {found.err!r}, expected {expected!r}")
    if found.seconds > stop.within:
        wrong.append(f"took {found.seconds:.1f} s to end")
    if found.left:
        wrong.append(f"{found.left} processes left")
    said = re.search(r"saved at step (\d+)", found.err)
    if said and int(said[1]) != found.step:
        wrong.append(f"said step {said[1]}, left step {found.step}")
    if stop.saves and stop.argv[0] == "fit" and (found.step is None or found.step == 0):
        wrong.append(f"saved step {found.step}")
    if stop.code != -9 and list(folder.rglob(".*.partial*")):
        wrong.append("left a partial file")
    return wrong


def main() -> int:
    forked.preload()
    chosen = {name: stop for name, stop in stops().items() if not sys.argv[1:] or any(a in name for a in sys.argv[1:])}
    print("| stop | exit code | stderr | step saved | processes after 10 s | seconds | as it should be |")
    print("|---|---|---|---|---|---|---|")
    bad = 0
    for name, stop in chosen.items():
        with tempfile.TemporaryDirectory() as place:
            found = carry_out(stop, Path(place))
            wrong = faults(stop, found, Path(place))
        bad += bool(wrong)
        err = found.err.strip().replace("\n", " // ").replace(place, "").replace("|", "/")
        verdict = "; ".join(wrong) or "yes"
        print(
            f"| {name} | {found.code} | {err} | {found.step} | {found.left} | {found.seconds:.1f} | {verdict} |",
            flush=True,
        )
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())
