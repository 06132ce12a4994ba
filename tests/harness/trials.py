"""A trial of the kill harness: a fit is stopped at a random moment, resumed, and compared with an undisturbed one."""

import functools
import json
import os
import random
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from tests.harness import descendants, forked
from tests.harness.cases import IMAGE, INPUTS, cases, write_inputs
from tests.harness.ranks import fork_ranks

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
STEP_SECONDS, WRITE_SECONDS = 0.01, 0.15
# Seconds that a command of a trial may take.
LONGEST = 120
# Fits in processes that are not forks, which cannot be slowed down.
LONG = (*IMAGE, "model.hidden_features=16", "trainer.max_steps=2000", "trainer.accelerator=cpu")
LONG += ("callbacks.checkpoints.every_n_steps=100", "encoder=annealed", "callbacks.evaluation.every_n_steps=500")
TWO = ("trainer.devices=2",)
# Fits in two processes.
SHARED = ("encoder=annealed", "encoder=grid", "dataset=occupancy, fresh", "dataset=ct", "recipe=quality")
SWEEP = ("-m", "seed=0,1", "hydra/launcher=joblib", "hydra.sweep.dir=run")


@dataclass
class Trial:
    """A trial and what came of it.

    Attributes:
        part, case, number: what is stopped, and the seed of the trial.
        signals: names of the signals sent.
        steps: steps of the checkpoints that they left.
        faults: what is not as it should be; empty if the resumed fit ended with the same bits.
    """

    part: str
    case: str
    number: int
    signals: list[str] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def slow_steps() -> None:
    """In a fork: steps take longer, without work for the processor, so that most kills hit the training."""
    from ffnet.fitting import Stepper

    step = Stepper.step

    @functools.wraps(step)
    def slow(*arguments: Any) -> Any:
        time.sleep(STEP_SECONDS)
        return step(*arguments)

    Stepper.step = slow  # type: ignore[method-assign]


def slow_writes() -> None:
    """In a fork: the time between the first byte of a file and its place takes longer."""
    sync, move = os.fsync, Path.replace

    def slow_sync(descriptor: int) -> None:
        sync(descriptor)
        time.sleep(WRITE_SECONDS)

    def slow_move(path: Path, target: Path) -> Path:
        moved = move(path, target)
        time.sleep(WRITE_SECONDS / 4)
        return moved

    os.fsync, Path.replace = slow_sync, slow_move  # type: ignore[assignment]


def kept(run: Path) -> dict[str, Any]:
    """What must not depend on kills: the state in the checkpoint, the scores and the reconstruction."""
    contents = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)
    metrics = json.loads((run / "metrics.json").read_text())
    parts = ("state_dict", "optimizer_states", "lr_schedulers", "global_step")
    found: dict[str, Any] = {name: contents[name] for name in parts}
    found |= {name: contents["ffnet"][name] for name in ("generator", "sampler", "field")}
    found |= {"scores": {name: metrics[name] for name in metrics["higher_is_better"]}}
    return found | {path.name: path.read_bytes() for path in sorted(run.glob("reconstruction.*"))}


def differences(one: Any, two: Any, name: str = "") -> Iterator[str]:
    """The names of the entries in which two nested structures differ."""
    if isinstance(one, dict) and isinstance(two, dict) and one.keys() == two.keys():
        for key in one:
            yield from differences(one[key], two[key], f"{name}.{key}")
    elif isinstance(one, list | tuple) and isinstance(two, list | tuple) and len(one) == len(two):
        for index, pair in enumerate(zip(one, two, strict=True)):
            yield from differences(*pair, f"{name}.{index}")
    elif isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        if one.dtype != two.dtype or not torch.equal(one, two):
            yield name
    elif one != two and not (one != one and two != two):  # not-a-number is itself here
        yield name


def training(runs: Sequence[Path], child: forked.Child, generator: random.Random) -> None:
    """Waits until each run has written some of its checkpoints, and then for a part of the way to the next one; not
    longer than a trial may take."""
    paths = [run / "checkpoints" / "last.ckpt" for run in runs]
    last, counts, wanted = [stamp(path) for path in paths], [0] * len(paths), generator.randint(1, 8)
    while min(counts) < wanted and child.running() and time.monotonic() < child.start + LONGEST:
        for index, now in enumerate(map(stamp, paths)):
            counts[index] += now != last[index]
            last[index] = now
        time.sleep(0.005)
    pause(child, generator.uniform(0, 5 * STEP_SECONDS))


def anywhere(runs: Sequence[Path], child: forked.Child, generator: random.Random) -> None:
    """Waits for a moment between the start and the end of the command."""
    pause(child, generator.uniform(0, 2.0))


def writing(runs: Sequence[Path], child: forked.Child, generator: random.Random) -> None:
    """Waits until one of the first checkpoints is half written."""
    seen, last = 0, False
    wanted = generator.randint(1, 5)
    while seen < wanted and child.running():
        now = any(runs[0].glob("checkpoints/.last.*.partial.ckpt"))
        seen, last = seen + (now and not last), now
        time.sleep(0.002)
    pause(child, generator.uniform(0, WRITE_SECONDS))


def stamp(path: Path) -> int | None:
    return path.stat().st_mtime_ns if path.exists() else None


def pause(child: forked.Child, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and child.running():
        time.sleep(0.002)


@dataclass(frozen=True)
class Part:
    """How a part of the harness stops fits.

    Attributes:
        setup: called in the fork.
        moments: how a moment is chosen; one of them each time.
        runs: the run directories below ``run``.
        interval: of the checkpoints; a kill leaves a multiple of it.
        victims: processes one of which gets SIGKILL, in place of the command, in some of the trials.
    """

    setup: Callable[[], None]
    moments: Sequence[Callable[[Sequence[Path], forked.Child, random.Random], None]]
    runs: tuple[str, ...] = (".",)
    interval: int = 5
    victims: Callable[[int], list[int]] = lambda process: []


def _both() -> None:
    slow_steps()
    slow_writes()


def _two() -> None:
    slow_steps()
    fork_ranks()


PARTS = {
    "fits": Part(slow_steps, (training, training, training, anywhere)),
    "writing": Part(_both, (writing,)),
    "sweeps": Part(lambda: None, (training,), ("0", "1"), 100),
    "processes": Part(_two, (training,), victims=descendants.children),
}


def commands(part: str) -> dict[str, tuple[str, ...]]:
    """The fits that a part stops."""
    if part == "sweeps":
        return {"two runs at a time": (*SWEEP, *LONG)}
    if part == "processes":
        return {name: (*TWO, *case) for name, case in cases().items() if name in SHARED}
    return cases()


def undisturbed(overrides: tuple[str, ...], folder: Path) -> None:
    """Fits in ``folder`` without a stop."""
    alone = [override for override in overrides if not override.startswith("hydra/launcher")]
    write_inputs(folder)
    done = forked.run(["fit", *_placed(alone)], folder, 240, setup=fork_ranks)
    if done.code != 0 or done.err:
        raise RuntimeError(f"{' '.join(alone)}: ended with {done.code}: {done.err}")


def _placed(overrides: Iterable[str]) -> list[str]:
    return [*overrides, *([] if "-m" in overrides else ["hydra.run.dir=run"])]


def stop(trial: Trial, overrides: tuple[str, ...], folder: Path, reference: Path) -> Trial:
    """Carries out ``trial`` in the empty ``folder``; ``reference`` holds the same fit, undisturbed."""
    part, generator = PARTS[trial.part], random.Random(f"{trial.part} {trial.number}")
    runs = [folder / "run" / name for name in part.runs]
    for name in INPUTS:
        shutil.copy(reference / name, folder)
    known = set(descendants.descendants(os.getpid()))
    start = ["fit", *_placed(overrides)]
    for _ in range(generator.choice((1, 1, 1, 2))):
        number = generator.choice(SIGNALS)
        child = forked.Child(_next(start, runs), folder, setup=part.setup)
        generator.choice(part.moments)(runs, child, generator)
        victims = part.victims(child.pid) if generator.random() < 0.5 else []
        if victims:
            os.kill(generator.choice(victims), signal.SIGKILL)
            trial.signals.append("SIGKILL of one")
        elif child.running():
            child.kill(number)
            trial.signals.append(number.name)
        else:
            trial.signals.append("ended before")
        trial.faults += _stopped(child.wait(LONGEST), trial.signals[-1], runs, part, trial.steps)
        if count := descendants.left(known, 10):
            trial.faults.append(f"{trial.signals[-1]}: {count} processes left")
    ended = forked.run(_next(start, runs, last=True), folder, 240, setup=fork_ranks)
    if ended.code != 0 or ended.err:
        trial.faults.append(f"resumed: exit {ended.code}: {ended.err.strip()}")
        return trial
    for name, run in zip(part.runs, runs, strict=True):
        trial.faults += [f"differs: {entry}" for entry in differences(kept(reference / "run" / name), kept(run))][:5]
        trial.faults += [f"left {path.name}" for path in run.rglob(".*.partial*")]
    return trial


def _next(start: list[str], runs: Sequence[Path], last: bool = False) -> list[str]:
    """The command that goes on: the first one again if no run has been saved. To its end, a sweep goes run by run."""
    if len(runs) > 1 and (runs[0].parent / "multirun.yaml").exists():
        return ["fit", "resume=run", *([] if last else ["hydra/launcher=joblib"])]
    return ["fit", "resume=run", *(o for o in start if o in TWO)] if step_of(runs[0]) is not None else start


def step_of(run: Path) -> int | None:
    """The step of a run's checkpoint."""
    path = run / "checkpoints" / "last.ckpt"
    return torch.load(path, weights_only=True)["global_step"] if path.exists() else None


def _stopped(outcome: forked.Outcome, sent: str, runs: Sequence[Path], part: Part, steps: list[int]) -> Iterator[str]:
    """What is wrong with how a command has stopped. Adds the steps of the checkpoints that it has left to ``steps``."""
    earlier, found = set(steps), [step for step in map(step_of, runs) if step is not None]
    steps += found
    code, pattern = _expected(sent)
    if outcome.code == 0:  # it was done before the signal came
        code, pattern = 0, ""
    if outcome.code != code or not re.fullmatch(pattern, outcome.err):
        yield f"{sent}: exit {outcome.code}: {outcome.err.strip()}"
    if "SIGKILL" in sent:
        wrong = [step for step in found if step % part.interval and step not in earlier]
        if wrong and len(runs) == 1:
            yield f"{sent}: left step {wrong[0]}"
    elif any(list(run.rglob(".*.partial*")) for run in runs):
        yield f"{sent}: left a partial file"
    said = re.search(r"saved at step (\d+)", outcome.err)
    if said and int(said[1]) != found[0]:
        yield f"{sent}: said step {said[1]}, left step {found[0]}"


def _expected(sent: str) -> tuple[int, str]:
    """Exit code, and pattern of all of stderr."""
    if sent in ("ended before", "SIGKILL"):
        return (0 if sent == "ended before" else -signal.SIGKILL), ""
    if sent == "SIGKILL of one":
        return 1, r"ffnet fit: the run failed: process \d was killed by SIGKILL\n"
    return 128 + signal.Signals[sent], rf"ffnet fit: stopped by {sent}[^\n]*\n"
