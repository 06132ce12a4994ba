"""Runs as a table: grouped by what differs, averaged over seeds and files."""

import csv
import io
import json
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ffnet.runs.run import Run, number


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but what is averaged over."""

    values: dict[str, str]
    runs: list[Run]

    def count(self, *states: str) -> int:
        return sum(run.state in states for run in self.runs)

    def figures(self, metric: str) -> list[float]:
        found = (number(run.metrics.get(metric)) for run in self.runs)
        return [figure for figure in found if figure is not None]

    def mean(self, metric: str) -> float | None:
        figures = self.figures(metric)
        return statistics.fmean(figures) if figures else None

    def spread(self, metric: str) -> float | None:
        """The standard deviation of a sample (n - 1 below the sum); None for fewer than two runs."""
        figures = self.figures(metric)
        return statistics.stdev(figures) if len(figures) > 1 else None


@dataclass(frozen=True)
class Table:
    """Groups of runs.

    Attributes:
        keys: the overrides that tell the groups apart.
        metrics: the figures shown.
        groups: in the order in which they were found.
        shared: overrides that every run has alike.
    """

    keys: list[str]
    metrics: list[str]
    groups: list[Group]
    shared: dict[str, str]

    @property
    def runs(self) -> list[Run]:
        return [run for group in self.groups for run in group.runs]


def varying(runs: Sequence[Run]) -> list[str]:
    """The overrides whose values are not the same in all runs, in the order of their first appearance."""
    keys = dict.fromkeys(key for run in runs for key in run.overrides)
    return [key for key in keys if len({run.overrides.get(key) for run in runs}) > 1]


def metric_names(runs: Sequence[Run]) -> list[str]:
    """The scores that runs have: PSNRs, IoUs."""
    names = dict.fromkeys(name for run in runs for name in run.metrics)
    return [name for name in names if name.startswith(("psnr", "iou"))]


def tabulate(runs: Sequence[Run], over: Sequence[str] = (), metrics: Sequence[str] | None = None) -> Table:
    """``runs`` in groups that differ in nothing but the overrides named in ``over``.

    Raises:
        ValueError: if no run has one of the ``metrics``.
    """
    known = {name for run in runs for name in run.metrics}
    if unknown := [name for name in metrics or [] if name not in known]:
        numeric = [name for name in dict.fromkeys(n for run in runs for n in run.metrics) if name != "versions"]
        raise ValueError(f"metrics: expected some of {', '.join(numeric)}, got {unknown[0]}")
    different = varying(runs)
    keys = [key for key in different if key not in over]
    groups: dict[tuple[str, ...], Group] = {}
    for run in runs:
        values = {key: run.overrides.get(key, "") for key in keys}
        groups.setdefault(tuple(values.values()), Group(values, [])).runs.append(run)
    shared = {key: value for key, value in runs[0].overrides.items() if key not in different}
    return Table(keys, list(metrics or metric_names(runs)), list(groups.values()), shared)


def as_records(table: Table) -> list[dict[str, Any]]:
    """One plain dictionary a group."""
    return [
        group.values
        | {"runs": group.count("complete"), "failed": group.count("failed")}
        | {"unfinished": group.count("unfinished", "missing")}
        | {
            name: value
            for metric in table.metrics
            for name, value in ((metric, group.mean(metric)), (f"{metric}_spread", group.spread(metric)))
        }
        for group in table.groups
    ]


def as_json(table: Table) -> str:
    runs = [
        {"folder": str(run.folder), "state": run.state, "overrides": run.overrides}
        | ({"metrics": run.metrics} if run.metrics else {"reason": run.reason})
        for run in table.runs
    ]
    return json.dumps({"shared": table.shared, "groups": as_records(table), "runs": runs}, indent=2) + "\n"


def as_csv(table: Table) -> str:
    text = io.StringIO()
    records = as_records(table)
    writer = csv.DictWriter(text, list(records[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue()


def as_markdown(table: Table) -> str:
    """The groups with mean ± spread; below it, the runs without figures and why."""
    counts = [name for name in ("failed", "unfinished") if any(record[name] for record in as_records(table))]
    shorten = {key: _shortener([group.values[key] for group in table.groups]) for key in table.keys}
    rows = [
        [
            *(shorten[key](group.values[key]) for key in table.keys),
            *(str(record[name]) for name in ["runs", *counts]),
            *(_figure(group.mean(metric), group.spread(metric)) for metric in table.metrics),
        ]
        for group, record in zip(table.groups, as_records(table), strict=True)
    ]
    parts = [_grid([*table.keys, "runs", *counts, *table.metrics], rows)]
    if others := [run for run in table.runs if run.state != "complete"]:
        different = varying(table.runs)
        parts.append(
            _grid(
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
        parts.append("In every run: " + ", ".join(f"{key}={value}" for key, value in table.shared.items()) + "\n")
    return "\n".join(parts)


FORMATS: dict[str, Callable[[Table], str]] = {"markdown": as_markdown, "csv": as_csv, "json": as_json}


def _figure(mean: float | None, spread: float | None) -> str:
    if mean is None:
        return ""
    return f"{mean:.4g}" if spread is None else f"{mean:.4g} ± {spread:.2g}"


def _grid(head: list[str], rows: list[list[str]]) -> str:
    cells = [[cell.replace("|", "\\|") for cell in row] for row in [head, *rows]]
    widths = [max(3, *(len(row[i]) for row in cells)) for i in range(len(head))]
    cells.insert(1, ["-" * width for width in widths])
    lines = (" | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in cells)
    return "".join(f"| {line} |\n" for line in lines)


def _shortener(values: list[str]) -> Callable[[str], str]:
    """Of paths, the names are enough where they differ."""
    names = {Path(value).name for value in values}
    return (lambda value: Path(value).name) if len(names) == len(set(values)) else str
