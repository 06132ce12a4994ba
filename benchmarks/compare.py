"""Whether two checkouts of ffnet behave the same: weights bit for bit, scores to 1e-9, over the same fits.

    python benchmarks/compare.py OLD NEW --small          # minutes: small images, batches and meshes
    python benchmarks/compare.py OLD NEW --threads 2      # full size
    python benchmarks/compare.py OLD NEW --case half --case natural --steps 50

Each fit is a process of this interpreter with one checkout on its ``PYTHONPATH``, in float32 on the CPU with a fixed
number of threads; OLD and NEW take turns. Run directories and labelled points go to a temporary directory, so that
the checkouts and the user's cache stay as they are. Prints a Markdown table; exits with 1 if anything differs or a fit
fails.

What counts as a difference:

- a tensor of the field that both have, in its bits, type or shape;
- a parameter that one side lacks. Buffers that one side lacks are listed and do not count: what they do is seen in
  the weights and scores;
- a score that OLD has and NEW lacks, or that moves by more than ``--tolerance``. Scores that only NEW has are listed.

Names that changed between the versions are in ``RENAMED`` and ``OLDER``.
"""

import argparse
import json
import math
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

IMAGE = "dataset.size=[64,64] dataset.batch_size=512"
SHAPE = "dataset.batch_size=512 dataset.scored_points=4096 dataset.resolution=32"
# Name: the settings of the fit; what --small adds to them.
CASES = {
    "paper": ("encoder=gaussian", IMAGE),
    "fast": ("recipe=fast", IMAGE),
    # Muon orthogonalises in bfloat16 whatever the precision: small matrices where that is not native.
    "muon": (
        "encoder=gaussian optimizer=muon",
        f"{IMAGE} optimizer.muon_lr=1e-2 optimizer.momentum=0.9 model.hidden_features=64 encoder.num_frequencies=64",
    ),
    "half": ("encoder=gaussian dataset.split=half", IMAGE),
    "occupancy": ("dataset=occupancy", f"{SHAPE} dataset.pool=65536"),
    "occupancy_fresh": ("dataset=occupancy dataset.pool=null", SHAPE),
    "natural": ("experiment=tancik2020/natural", "dataset.size=[64,64] engine.micro_batch=256"),
    "shape": ("experiment=tancik2020/shape", f"{SHAPE} optimizer.lr=2e-3"),  # at 5e-4 all is outside by then
}
# Scores at the end only; the training loop reads nothing from the callbacks left out.
COMMON = (
    "precision=32-true trainer.accelerator=cpu logger=none "
    "callbacks.evaluation.every_n_steps=null ~callbacks.views ~callbacks.progress"
)
# Settings by the name used above, and the one they had before. A checkout whose conf/<group>/ lacks the first takes
# the second.
OLDER = {
    "callbacks.views": "callbacks.pictures",
    "engine.micro_batch": "engine.block_points",
}
# Scores and tensors of the field (without "field.") by the name they had before, and the one they have now.
RENAMED = {
    "psnr_rest": "rest/psnr",
    "psnr_train": "train/psnr",
    "iou_surface": "surface/iou",
    "iou_uniform": "uniform/iou",
}
# Scores that are no longer written: the mean squared error says what the PSNR says.
DROPPED = {"mse"}
TOLERANCE = 1e-9


class Score(NamedTuple):
    """One score on both sides; None where a side lacks it."""

    name: str
    old: float | None
    new: float | None

    @property
    def difference(self) -> float:
        """Absolute; 0 if OLD lacks the score, inf if NEW does."""
        if self.old is None or self.new is None:
            return 0.0 if self.old is None else math.inf
        if self.old == self.new or (math.isnan(self.old) and math.isnan(self.new)):
            return 0.0
        return abs(self.old - self.new)


def same_bits(one: Tensor, other: Tensor) -> bool:
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return torch.equal(*(t.contiguous().reshape(-1).view(torch.uint8) for t in (one, other)))


def largest_difference(one: Tensor, other: Tensor) -> float:
    """Over all elements; inf where shapes differ or only one side is a number."""
    if one.shape != other.shape:
        return math.inf
    wide = torch.complex128 if one.is_complex() or other.is_complex() else torch.float64
    difference = (one.to(wide) - other.to(wide)).abs()
    unequal = one.ne(other) & ~(one.isnan() & other.isnan())
    return difference[unequal].nan_to_num(math.inf).max().item() if unequal.any() else 0.0


def compare_weights(old: dict[str, Tensor], new: dict[str, Tensor], buffers: Collection[str] = ()) -> dict[str, float]:
    """Tensors that differ, with their largest difference (0 if only in bits, such as -0 and 0; inf if one is missing).

    Args:
        buffers: those of the names that only one side has which are no parameters; they may be missing.
    """
    differing = {}
    for name in sorted(old.keys() | new.keys()):
        if name in old and name in new:
            if not same_bits(old[name], new[name]):
                differing[name] = largest_difference(old[name], new[name])
        elif name not in buffers:
            differing[name] = math.inf
    return differing


def compare_scores(old: dict[str, float], new: dict[str, float]) -> list[Score]:
    """All scores of both sides, in OLD's order."""
    return [Score(name, old.get(name), new.get(name)) for name in dict.fromkeys([*old, *new])]


def read_weights(run: Path) -> dict[str, Tensor]:
    """The field's tensors after the last step, under the names they have now."""
    state = torch.load(run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
    names = {name: name.removeprefix("field.") for name in state if name.startswith("field.")}
    if not names:
        raise RuntimeError(f"{run}: expected entries field.* in the checkpoint's state_dict, got {', '.join(state)}")
    return {RENAMED.get(short, short): state[name] for name, short in names.items()}


def read_scores(run: Path) -> dict[str, float]:
    """The numbers of metrics.json that are neither counts (integers) nor times."""
    metrics = json.loads((run / "metrics.json").read_text())
    scores = {name: value for name, value in metrics.items() if isinstance(value, float) and "second" not in name}
    return {RENAMED.get(name, name): value for name, value in scores.items() if name not in DROPPED}


class Side:
    """A checkout, and the temporary directory of what it writes.

    Raises:
        ValueError: if its ffnet is not what this interpreter imports with the checkout on its path.
    """

    def __init__(self, checkout: Path, folder: Path, threads: int) -> None:
        self.checkout, self.folder = checkout.resolve(), folder
        folder.mkdir()
        self.environment = os.environ | {
            "PYTHONPATH": str(self.checkout),
            "PYTHONDONTWRITEBYTECODE": "1",
            "XDG_CACHE_HOME": str(folder / "cache"),  # of its own: labels are part of what is compared
            "MPLCONFIGDIR": str(folder.parent / "matplotlib"),  # a list of fonts, that takes seconds to make
            **dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS"), str(threads)),
        }
        imported = self.python("-c", "import ffnet; print(ffnet.__file__)").strip()
        if not Path(imported).is_relative_to(self.checkout):
            raise ValueError(f"{checkout}: expected a checkout of ffnet, but python imports {imported}")

    def python(self, *arguments: str) -> str:
        """What the interpreter prints.

        Raises:
            RuntimeError: with its last lines, if it fails.
        """
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=self.folder, env=self.environment, capture_output=True, text=True)
        if done.returncode:
            last = " / ".join((done.stdout + done.stderr).strip().splitlines()[-3:])
            raise RuntimeError(f"{self.checkout}: exit code {done.returncode}: {last}")
        return done.stdout

    def spelled(self, settings: str) -> list[str]:
        """Settings under the names that this checkout has for them."""
        for name, older in OLDER.items():
            group, key = name.split(".")
            options = (self.checkout / "conf" / group).rglob("*.yaml")
            if not any(re.search(rf"^{key}:", option.read_text(), re.MULTILINE) for option in options):
                settings = settings.replace(name, older)
        return settings.split()

    def fit(self, settings: str) -> Path:
        """The run directory of a fit."""
        run = Path(tempfile.mkdtemp(dir=self.folder))
        self.python("-m", "ffnet", "fit", *self.spelled(settings), f"hydra.run.dir={run}")
        return run

    def parameters(self, run: Path) -> set[str]:
        """Names of the field's parameters, as the checkout itself loads it."""
        code = "import ffnet, sys; print(*(n for n, _ in ffnet.load(sys.argv[1]).named_parameters()))"
        return {RENAMED.get(name, name) for name in self.python("-c", code, str(run)).split()}


class Outcome(NamedTuple):
    """What a case showed; ``notes`` say which names only one side has, ``failure`` that a fit did not end."""

    weights: dict[str, float]
    scores: list[Score]
    notes: list[str]
    failure: str = ""

    def same(self, tolerance: float) -> bool:
        close = all(score.difference <= tolerance for score in self.scores)  # False for a NaN on one side
        return not self.failure and not self.weights and close


def timed_fit(name: str, label: str, side: Side, settings: str) -> Path:
    start = time.perf_counter()
    run = side.fit(settings)
    print(f"{name}: {label} {time.perf_counter() - start:.1f} s", file=sys.stderr, flush=True)
    return run


def compare(old: Side, new: Side, name: str, settings: str) -> Outcome:
    try:
        one, other = timed_fit(name, "OLD", old, settings), timed_fit(name, "NEW", new, settings)
        weights, new_weights = read_weights(one), read_weights(other)
        scores = compare_scores(read_scores(one), read_scores(other))
        unmatched = weights.keys() ^ new_weights.keys()
        buffers = unmatched - old.parameters(one) - new.parameters(other) if unmatched else set()
    except (OSError, RuntimeError) as error:
        return Outcome({}, [], [], str(error))
    notes = [f"only in {'OLD' if n in weights else 'NEW'}: tensor {n}" for n in sorted(unmatched)]
    notes += [f"only in OLD: score {score.name}" for score in scores if score.new is None]
    notes += [f"only in NEW: score {score.name}" for score in scores if score.old is None]
    return Outcome(compare_weights(weights, new_weights, buffers), scores, notes)


def as_table(outcomes: dict[str, Outcome], tolerance: float) -> str:
    """Markdown; a row for every score, the first of a case with its weights and verdict."""
    lines = ["| case | weights identical | score | old | new | difference | verdict |", "|---|---|---|---|---|---|---|"]
    for name, outcome in outcomes.items():
        identical = "yes"
        if outcome.weights:
            worst = max(outcome.weights, key=lambda tensor: outcome.weights[tensor])
            identical = f"no: {len(outcome.weights)} differ, `{worst}` by {outcome.weights[worst]:.1e}"
        verdict = "identical" if outcome.same(tolerance) else f"**{'failed' if outcome.failure else 'differs'}**"
        first = (name, "" if outcome.failure else identical, verdict)
        for score in outcome.scores or [Score("", None, None)]:
            old, new = ("" if value is None else f"{value:.10g}" for value in (score.old, score.new))
            moved = f"{score.difference:.1e}" if old and new else ""
            lines.append(f"| {first[0]} | {first[1]} | {score.name} | {old} | {new} | {moved} | {first[2]} |")
            first = ("", "", "")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--case", action="append", choices=list(CASES), help="repeatable; all of them by default")
    parser.add_argument("--small", action="store_true", help="small images, batches and meshes")
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--threads", type=int, default=1, help="of each fit (default 1)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help="of scores (default 1e-9)")
    given = parser.parse_args(arguments)
    outcomes = {}
    with tempfile.TemporaryDirectory() as folder:
        try:
            old, new = (Side(getattr(given, name), Path(folder, name), given.threads) for name in ("old", "new"))
        except (ValueError, RuntimeError) as error:
            parser.error(str(error))
        for name in given.case or CASES:
            settings, small = CASES[name]
            settings += f" {COMMON} trainer.max_steps={given.steps} {small if given.small else ''}"
            outcomes[name] = compare(old, new, name, settings)
    print(as_table(outcomes, given.tolerance))
    for name, outcome in outcomes.items():
        notes = [*outcome.notes, f"failed: {outcome.failure}"] if outcome.failure else outcome.notes
        if notes:
            print(f"\n{name}:", *(f"- {note}" for note in notes), sep="\n")
    same = sum(outcome.same(given.tolerance) for outcome in outcomes.values())
    print(f"\n{same} of {len(outcomes)} cases identical")
    return int(same < len(outcomes))


if __name__ == "__main__":
    sys.exit(main())
