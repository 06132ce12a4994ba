"""Reading run directories."""

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import yaml

State = Literal["complete", "failed", "unfinished", "missing"]

# The files of a run directory that record what was run and how it ended.
OVERRIDES, METRICS, FAILURE = ".hydra/overrides.yaml", "metrics.json", "failed.json"
# Overrides that control how a run is executed; they are not part of the experiment.
EXECUTION_OVERRIDES = ("resume", "trust")
# Format of 0.1: metrics.json had no "higher_is_better"; these were its scores, and higher is better for all of them.
SCORES_OF_0_1 = ("psnr", "psnr_rest", "psnr_train", "iou_surface", "iou_uniform")


@dataclass(frozen=True)
class Run:
    """A run.

    Attributes:
        folder: the run directory.
        overrides: setting to value, as given on the command line; values are text.
        state: ``complete`` runs have metrics; ``failed`` runs have a reason; ``unfinished`` runs were stopped or are
            still running; ``missing`` runs belong to a sweep and have not started.
        metrics: the contents of ``metrics.json``; empty unless complete.
        failure: the contents of ``failed.json``: ``reason`` and ``exit_code``; empty unless failed.
    """

    folder: Path
    overrides: dict[str, str]
    state: State
    metrics: dict[str, Any] = field(default_factory=dict)
    failure: dict[str, Any] = field(default_factory=dict)

    @property
    def higher_is_better(self) -> dict[str, bool | None]:
        """The direction of each score, most important score first; None where the metric does not say."""
        if "higher_is_better" in self.metrics:
            return dict(self.metrics["higher_is_better"])
        return {name: True for name in SCORES_OF_0_1 if name in self.metrics}

    @property
    def reason(self) -> str:
        """Why there are no metrics, in one line."""
        stopped = "stopped or still running" if self.state == "unfinished" else "not started"
        return {"complete": "", "failed": str(self.failure.get("reason", "unknown"))}.get(self.state, stopped)


def read_run(folder: Path) -> Run:
    """The run in the directory ``folder``; ``failed`` if one of its records is damaged."""
    records: dict[str, dict[str, Any]] = {}
    damaged = []
    for name, parse in ((OVERRIDES, _overrides), (METRICS, _metrics), (FAILURE, _failure)):
        try:
            records[name] = parse((folder / name).read_text(encoding="utf-8"))
        except FileNotFoundError:
            pass
        except Exception:  # of the file, or of the parsers: also of what is nested too deeply
            damaged.append(name)
    if damaged:
        records[FAILURE] = {"reason": f"damaged record: {', '.join(damaged)}"}
    overrides = records.get(OVERRIDES, {})
    if FAILURE in records:
        return Run(folder, overrides, "failed", failure=records[FAILURE])
    return Run(folder, overrides, "complete" if METRICS in records else "unfinished", records.get(METRICS, {}))


def find_runs(folder: Path, expected: Sequence[Sequence[str]] = ()) -> list[Run]:
    """All runs of ``ffnet fit`` in ``folder`` and its subdirectories, in natural order of their paths.

    ``expected`` are the overrides of each job of a sweep, by number; jobs without a run directory are ``missing``.

    Raises:
        FileNotFoundError: if there is no such directory, or no run in it.
    """
    if not folder.is_dir():
        raise FileNotFoundError(f"run: expected a run or sweep directory, got {folder}")
    records = [*folder.rglob(METRICS), *folder.rglob(FAILURE)]
    places = {path.parent for path in records} | {path.parent.parent for path in folder.rglob(OVERRIDES)}
    # `ffnet ntk` writes directories with Hydra's records as well.
    runs = [read_run(place) for place in places if not (place / "ntk.json").exists()]
    for index, overrides in enumerate(expected):
        if folder / str(index) not in places:
            runs.append(Run(folder / str(index), settings(overrides), "missing"))
    if not runs:
        raise FileNotFoundError(f"run: found no run in {folder}")
    return sorted(runs, key=lambda run: _natural(run.folder))


def score_directions(runs: Iterable[Run]) -> dict[str, bool | None]:
    """All scores of ``runs`` in order of first appearance, and whether higher is better; None if unknown."""
    return {name: up for run in runs for name, up in run.higher_is_better.items()}


def settings(overrides: Iterable[str]) -> dict[str, str]:
    """``["+a=1", "b='x y'"]`` as ``{"a": "1", "b": "x y"}``."""
    pairs = (override.lstrip("+").partition("=") for override in overrides)
    return {key: _unquoted(value) for key, _, value in pairs if key not in EXECUTION_OVERRIDES}


def number(value: Any) -> float | None:
    """``value`` as a number, which may be infinite or NaN; None if it is not one."""
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        return None


def strict_json(value: Any, indent: int | None = None) -> str:
    """``value`` as JSON. It has no infinities and NaN: these become "inf", "-inf" and "nan", which ``number`` reads."""
    return json.dumps(_finite(value), indent=indent, allow_nan=False)


def exit_code(runs: Iterable[Run]) -> int:
    """The largest exit code of the runs: 0 complete, 1 failed or unfinished, 2 bad input."""
    codes = {"complete": 0, "unfinished": 1, "missing": 1}
    return max((codes.get(run.state, run.failure.get("exit_code", 1)) for run in runs), default=0)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, float) and not math.isfinite(value) else value


def _unquoted(value: str) -> str:
    quoted = re.fullmatch(r"(['\"])(.*)\1", value)
    return re.sub(r"\\(['\"\\])", r"\1", quoted[2]) if quoted else value


def _natural(folder: Path) -> list[tuple[int, str]]:
    """Sorts 10 after 9."""
    return [(int(part) if part.isdigit() else -1, part) for part in folder.parts]


def _overrides(text: str) -> dict[str, str]:
    contents = yaml.safe_load(text) or []
    if not isinstance(contents, list) or not all(isinstance(override, str) for override in contents):
        raise ValueError("expected a list of overrides")
    return settings(contents)


def _metrics(text: str) -> dict[str, Any]:
    contents = _mapping(json.loads(text))
    if not all(up is None or isinstance(up, bool) for up in _mapping(contents.get("higher_is_better", {})).values()):
        raise ValueError("higher_is_better: expected true, false or null for each score")
    for values in _mapping(contents.get("baselines", {})).values():
        _mapping(values)
    return contents


def _failure(text: str) -> dict[str, Any]:
    contents = _mapping(json.loads(text))
    code = contents.get("exit_code", 1)
    if type(code) is not int or not 0 <= code < 256:
        raise ValueError("exit_code: expected a whole number below 256")
    return contents


def _mapping(contents: Any) -> dict[str, Any]:
    if not isinstance(contents, dict):
        raise ValueError("expected a mapping")
    return contents
