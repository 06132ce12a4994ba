"""A run's folder, read."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

State = Literal["complete", "failed", "unfinished", "missing"]

# Overrides that say how a run is carried out, not what it is.
NOT_ITS_OWN = ("resume", "trust")


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        folder: where it lies.
        overrides: setting to value, as the user gave them; values are text.
        state: ``complete`` has figures; ``failed`` has a reason; ``unfinished`` was killed or is still at work;
            ``missing`` is a run of a sweep that has not begun.
        metrics: the contents of ``metrics.json``; empty unless complete.
        failure: the contents of ``failed.json``: ``reason`` and ``exit_code``; empty unless failed.
    """

    folder: Path
    overrides: dict[str, str]
    state: State
    metrics: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """Why there are no figures, in a line."""
        stopped = "stopped, or still at work" if self.state == "unfinished" else "has not begun"
        return {"complete": "", "failed": str(self.failure.get("reason"))}.get(self.state, stopped)


def read_run(folder: Path) -> Run:
    """The run in ``folder``."""
    record = folder / ".hydra" / "overrides.yaml"
    overrides = settings(yaml.safe_load(record.read_text()) or []) if record.is_file() else {}
    failure, metrics = _read(folder / "failed.json"), _read(folder / "metrics.json")
    if failure:
        return Run(folder, overrides, "failed", failure=failure)
    return Run(folder, overrides, "complete" if metrics else "unfinished", metrics)


def find_runs(folder: Path, expected: Sequence[Sequence[str]] = ()) -> list[Run]:
    """Every run of ``ffnet fit`` in ``folder`` and below, in the order of their folders' names.

    ``expected`` are the overrides of each job of a sweep, by number; those without a folder come as missing.

    Raises:
        FileNotFoundError: if there is no such folder, or no run in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"run: expected the folder of a sweep or of runs, got {folder}")
    records = [*folder.rglob("metrics.json"), *folder.rglob("failed.json")]
    places = {path.parent for path in records} | {path.parent.parent for path in folder.rglob(".hydra/overrides.yaml")}
    # `ffnet ntk` leaves a folder as well.
    runs = [read_run(place) for place in places if not (place / "ntk.json").exists()]
    for index, overrides in enumerate(expected):
        if folder / str(index) not in places:
            runs.append(Run(folder / str(index), settings(overrides), "missing"))
    if not runs:
        raise FileNotFoundError(f"run: there is no run in {folder}")
    return sorted(runs, key=lambda run: _in_order(run.folder))


def settings(overrides: Iterable[str]) -> dict[str, str]:
    """``["+a=1", "b='x y'"]`` as ``{"a": "1", "b": "x y"}``."""
    pairs = (override.lstrip("+").partition("=") for override in overrides)
    return {key: _unquoted(value) for key, _, value in pairs if key not in NOT_ITS_OWN}


def number(value: Any) -> float | None:
    """``value`` as a number, if it is one."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None


def exit_code(runs: Iterable[Run]) -> int:
    """The worst exit code of the runs: 1 for one that failed or never finished, 2 for bad input."""
    codes = {"complete": 0, "unfinished": 1, "missing": 1}
    return max((codes.get(run.state, int(run.failure.get("exit_code", 1))) for run in runs), default=0)


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"(['\"])(.*)\1", value)
    return re.sub(r"\\(['\"\\])", r"\1", quoted[2]) if quoted else value


def _read(path: Path) -> dict[str, Any]:
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError):  # not there, or cut short
        return {}
    return found if isinstance(found, dict) else {}


def _in_order(folder: Path) -> list[tuple[int, str]]:
    """Run 10 comes after run 9."""
    return [(int(part) if part.isdigit() else -1, part) for part in folder.parts]
