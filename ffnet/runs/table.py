"""Runs as a table: grouped by what differs, averaged over seeds and files."""

import csv
import io
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ffnet.runs.paper import reported
from ffnet.runs.run import Run, number

PAPER = "Tancik et al. 2020"


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
        """The standard deviation of a sample (n - 1 below the sum); None for fewer than two runs, or a perfect one."""
        figures = self.figures(metric)
        return statistics.stdev(figures) if len(figures) > 1 and all(map(math.isfinite, figures)) else None


@dataclass(frozen=True)
class Table:
    """Groups of runs.

    Attributes:
        keys: the overrides that tell the groups apart.
        metrics: the figures shown.
        groups: in the order in which they were found.
        shared: overrides that every run has alike.
        baselines: simple methods on the same signals, each signal once.
    """

    keys: list[str]
    metrics: list[str]
    groups: list[Group]
    shared: dict[str, str]
    baselines: list[Group] = field(default_factory=list)

    @property
    def runs(self) -> list[Run]:
        return [run for group in self.groups for run in group.runs]

    @property
    def rows(self) -> list[Group]:
        return [*self.groups, *self.baselines]

    def paper(self, group: Group) -> tuple[float, float] | None:
        """The mean and spread that the paper reports of a row."""
        return None if group in self.baselines else reported(self.shared | group.values)


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
        names = dict.fromkeys(name for run in runs for name in run.metrics)
        numeric = [name for name in names if name not in ("baselines", "versions")]
        raise ValueError(f"metrics: expected some of {', '.join(numeric)}, got {unknown[0]}")
    different = varying(runs)
    keys = [key for key in different if key not in over]
    groups: dict[tuple[str, ...], Group] = {}
    for run in runs:
        values = {key: run.overrides.get(key, "") for key in keys}
        groups.setdefault(tuple(values.values()), Group(values, [])).runs.append(run)
    shared = {key: value for key, value in runs[0].overrides.items() if key not in different}
    simple = _baselines(runs, keys)
    if simple and (label := _label(keys)) not in keys:
        keys = [label, *keys]
        for group in groups.values():
            group.values.setdefault(label, "")
    return Table(keys, list(metrics or metric_names(runs)), list(groups.values()), shared, simple)


def _label(keys: Sequence[str]) -> str:
    """The column for the names of simple methods: that of the first setting that is the fit's own."""
    return next((key for key in keys if key != "seed" and key.partition(".")[0] != "dataset"), "method")


def _baselines(runs: Sequence[Run], keys: Sequence[str]) -> list[Group]:
    """Groups of the simple methods that the runs' datasets know; a signal that several runs fit counts once."""
    found: dict[tuple[str, ...], tuple[dict[str, str], dict[tuple[str, ...], Run]]] = {}
    for run in runs:
        signal = {key: value for key, value in run.overrides.items() if key.partition(".")[0] == "dataset"}
        for method, figures in run.metrics.get("baselines", {}).items():
            values = {key: signal.get(key, "") for key in keys} | {_label(keys): method}
            _, signals = found.setdefault(tuple(values.values()), (values, {}))
            signals[tuple(signal.values())] = Run(run.folder, signal, "complete", figures)
    return [Group(values, list(signals.values())) for values, signals in found.values()]


def as_records(table: Table) -> list[dict[str, Any]]:
    """One plain dictionary a group, then one a baseline; with the paper's figures if it has some."""
    in_paper = any(map(table.paper, table.groups))
    return [
        group.values
        | {"runs": group.count("complete"), "failed": group.count("failed")}
        | {"unfinished": group.count("unfinished", "missing")}
        | {
            name: value
            for metric in table.metrics
            for name, value in ((metric, group.mean(metric)), (f"{metric}_spread", group.spread(metric)))
        }
        | (dict(zip(("paper", "paper_spread"), table.paper(group) or (None, None), strict=True)) if in_paper else {})
        for group in table.rows
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
    records = as_records(table)
    counts = [name for name in ("failed", "unfinished") if any(record[name] for record in records)]
    paper = [PAPER] if "paper" in records[0] else []
    shorten = {key: _shortener([group.values[key] for group in table.rows]) for key in table.keys}
    rows = [
        [
            *(shorten[key](group.values[key]) for key in table.keys),
            *(str(record[name]) for name in ["runs", *counts]),
            *(_figure(group.mean(metric), group.spread(metric)) for metric in table.metrics),
            *(_figure(record["paper"], record["paper_spread"]) for _ in paper),
        ]
        for group, record in zip(table.rows, records, strict=True)
    ]
    parts = [_grid([*table.keys, "runs", *counts, *table.metrics, *paper], rows)]
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
    """Four digits of the mean, and as many decimals of the spread, so that a column's figures are alike."""
    if mean is None:
        return ""
    text = f"{mean:#.4g}".rstrip(".")
    return text if spread is None else f"{text} ± {spread:.{len(text.partition('.')[2])}f}"


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
