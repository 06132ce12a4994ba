"""Tables of runs: grouped by the overrides that differ, averaged over seeds and files."""

import csv
import io
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ffnet.printable import printable
from ffnet.runs.paper import reported
from ffnet.runs.run import Run, number, score_directions, strict_json

PAPER = "Tancik et al. 2020"
# Groups of settings that say how a fit is carried out.
EXECUTION = ("callbacks", "engine", "logger", "limits", "name", "tags")


@dataclass(frozen=True)
class Group:
    """Runs with the same overrides, except for those averaged over."""

    overrides: dict[str, str]
    runs: list[Run]

    def count(self, *states: str) -> int:
        return sum(run.state in states for run in self.runs)

    def values(self, metric: str) -> list[float]:
        """The runs' values of a metric; runs without one are left out."""
        values = (number(run.metrics.get(metric)) for run in self.runs)
        return [value for value in values if value is not None]

    def mean(self, metric: str) -> float | None:
        values = self.values(metric)
        # Unlike fmean, a plain sum of opposite infinities is NaN and not an error.
        return sum(values) / len(values) if values else None

    def std(self, metric: str) -> float | None:
        """The standard deviation of the sample (divisor n - 1); None for fewer than two runs or non-finite values."""
        values = self.values(metric)
        return statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else None


@dataclass(frozen=True)
class Table:
    """Groups of runs.

    Attributes:
        keys: the overrides that differ between the groups.
        metrics: the columns shown.
        groups: in order of first appearance.
        shared: overrides that are the same in all runs.
        higher_is_better: the direction of each score, None if unknown; metrics that are no score, such as ``seconds``,
            have none.
        baselines: simple methods, such as interpolation, on the same signals; each signal counts once.
    """

    keys: list[str]
    metrics: list[str]
    groups: list[Group]
    shared: dict[str, str]
    higher_is_better: dict[str, bool | None] = field(default_factory=dict)
    baselines: list[Group] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        return [run for group in self.groups for run in group.runs]

    @property
    def rows(self) -> list[Group]:
        return [*self.groups, *self.baselines]

    def best(self, metric: str) -> float | None:
        """The best mean of all rows; None if the metric has no direction or the means do not differ."""
        means = {mean for group in self.rows if (mean := group.mean(metric)) is not None and not math.isnan(mean)}
        higher = self.higher_is_better.get(metric)
        if higher is None or len(means) < 2:
            return None
        return max(means) if higher else min(means)

    def paper(self, group: Group) -> tuple[float, float | None] | None:
        """The mean and standard deviation that the paper reports for a row."""
        return None if group in self.baselines else reported(self.shared | group.overrides)


def varying(runs: Sequence[Run]) -> list[str]:
    """The overrides that differ between ``runs``, in order of first appearance; those of the fit before those of its
    execution."""
    keys = dict.fromkeys(key for run in runs for key in run.overrides)
    different = [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]
    return sorted(different, key=lambda key: key.partition(".")[0] in EXECUTION)


def tabulate(runs: Sequence[Run], over: Sequence[str] = (), metrics: Sequence[str] | None = None) -> Table:
    """Groups ``runs`` by the overrides that differ, except those named in ``over``.

    ``metrics`` are the columns; None shows every score.

    Raises:
        ValueError: if no run has one of the ``metrics``.
    """
    directions = score_directions(runs)
    numeric = [name for run in runs for name, value in run.metrics.items() if number(value) is not None]
    known = dict.fromkeys([*directions, *numeric])
    if unknown := [name for name in metrics or [] if name not in known]:
        raise ValueError(f"metrics: expected some of {', '.join(known)}, got {unknown[0]}")
    different = varying(runs)
    keys = [key for key in different if key not in over]
    groups: dict[tuple[str, ...], Group] = {}
    for run in runs:
        overrides = {key: run.overrides.get(key, "") for key in keys}
        groups.setdefault(tuple(overrides.values()), Group(overrides, [])).runs.append(run)
    shared = {key: value for key, value in runs[0].overrides.items() if key not in different}
    baselines = _baselines(runs, keys)
    if baselines and (column := _method_column(keys)) not in keys:
        keys = [column, *keys]
        for group in groups.values():
            group.overrides.setdefault(column, "")
    return Table(keys, list(metrics or directions), list(groups.values()), shared, directions, baselines)


def _method_column(keys: Sequence[str]) -> str:
    """The column that names the baselines: the first override that neither is the seed, nor chooses the data, nor is of
    the execution."""
    others = ("seed", "dataset", *EXECUTION)
    return next((key for key in keys if key.partition(".")[0] not in others), "method")


def _baselines(runs: Sequence[Run], keys: Sequence[str]) -> list[Group]:
    """Groups of the baselines in the runs' metrics; a signal that several runs fit counts once."""
    found: dict[tuple[str, ...], tuple[dict[str, str], dict[tuple[str, ...], Run]]] = {}
    for run in runs:
        signal = {key: value for key, value in run.overrides.items() if key.partition(".")[0] == "dataset"}
        for method, metrics in run.metrics.get("baselines", {}).items():
            overrides = {key: signal.get(key, "") for key in keys} | {_method_column(keys): method}
            _, signals = found.setdefault(tuple(overrides.values()), (overrides, {}))
            signals[tuple(signal.values())] = Run(run.folder, signal, "complete", metrics)
    return [Group(overrides, list(signals.values())) for overrides, signals in found.values()]


def as_records(table: Table) -> list[dict[str, Any]]:
    """One dictionary per group, then one per baseline; with the paper's values where it reports some."""
    in_paper = any(map(table.paper, table.groups))
    return [
        {key: group.overrides[key] for key in table.keys}
        | {"runs": group.count("complete"), "failed": group.count("failed")}
        | {"unfinished": group.count("unfinished", "missing")}
        | {
            name: value
            for metric in table.metrics
            for name, value in ((metric, group.mean(metric)), (f"{metric}_std", group.std(metric)))
        }
        | (dict(zip(("paper", "paper_std"), table.paper(group) or (None, None), strict=True)) if in_paper else {})
        for group in table.rows
    ]


def as_json(table: Table) -> str:
    runs = [
        {"folder": str(run.folder), "state": run.state, "overrides": run.overrides}
        | ({"metrics": run.metrics} if run.state == "complete" else {"reason": run.reason})
        for run in table.runs
    ]
    content = {"shared": table.shared, "higher_is_better": table.higher_is_better}
    return strict_json(content | {"groups": as_records(table), "runs": runs}, indent=2) + "\n"


def as_csv(table: Table) -> str:
    text = io.StringIO()
    records = as_records(table)
    writer = csv.DictWriter(text, [printable(name) for name in records[0]], lineterminator="\n")
    writer.writeheader()
    writer.writerows({printable(name): _printable(value) for name, value in record.items()} for record in records)
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """The groups with mean ± std, the best mean of each score in bold; then the runs without metrics and why."""
    records = as_records(table)
    counts = [name for name in ("failed", "unfinished") if any(record[name] for record in records)]
    paper = [PAPER] if "paper" in records[0] else []
    shorten = {key: _shortener([group.overrides[key] for group in table.rows]) for key in table.keys}
    best = {metric: table.best(metric) for metric in table.metrics}
    rows = [
        [
            *(shorten[key](group.overrides[key]) for key in table.keys),
            *(str(record[name]) for name in ["runs", *counts]),
            *(_mean_std(mean := group.mean(m), group.std(m), mean == best[m]) for m in table.metrics),
            *(_mean_std(record["paper"], record["paper_std"]) for _ in paper),
        ]
        for group, record in zip(table.rows, records, strict=True)
    ]
    arrows = {True: " ↑", False: " ↓", None: ""}
    headers = [metric + arrows[table.higher_is_better.get(metric)] for metric in table.metrics]
    parts = [_pipe_table([*table.keys, "runs", *counts, *headers, *paper], rows)]
    if others := [run for run in table.runs if run.state != "complete"]:
        different = varying(table.runs)
        parts.append(
            _pipe_table(
                ["run", "state", "overrides", "reason"],
                [
                    [
                        str(run.folder),
                        run.state,
                        " ".join(f"{key}={run.overrides[key]}" for key in different if key in run.overrides),
                        run.reason,
                    ]
                    for run in others
                ],
            )
        )
    if table.shared:
        shared = ", ".join(f"{key}={value}" for key, value in table.shared.items())
        parts.append(f"In every run: {printable(shared)}\n")
    return "\n".join(parts)


FORMATS: dict[str, Callable[[Table], str]] = {"markdown": as_markdown, "csv": as_csv, "json": as_json}


def _printable(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value


def _mean_std(mean: float | None, std: float | None, bold: bool = False) -> str:
    """Four significant digits of the mean, and as many decimals of the standard deviation."""
    if mean is None:
        return ""
    text = f"{mean:#.4g}".rstrip(".")
    if std is not None:
        text += f" ± {std:.{len(text.partition('.')[2])}f}"
    return f"**{text}**" if bold else text


def _pipe_table(head: list[str], rows: list[list[str]]) -> str:
    cells = [[printable(cell.replace("|", "\\|").replace("\n", " ")) for cell in row] for row in [head, *rows]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(head))]
    cells.insert(1, ["-" * width for width in widths])
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"| {line} |\n" for line in lines)


def _shortener(values: list[str]) -> Callable[[str], str]:
    """Shortens paths to their last part, if that still tells them apart."""
    names = {Path(value).name for value in values}
    return (lambda value: Path(value).name) if len(names) == len(set(values)) else str
