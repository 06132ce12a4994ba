"""Rows and columns of a table, chosen and sorted."""

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ffnet.runs.run import number
from ffnet.runs.table import Group, Table


def arranged(
    table: Table, sort: str | None = None, best: str | None = None, columns: Sequence[str] | None = None
) -> Table:
    """The table with its rows and columns as asked.

    Args:
        sort: a metric, whose best mean comes first, or an override, in ascending order; numbers count as numbers.
        best: an override; of the rows with the same value of it, only the one with the best first score is kept.
        columns: overrides and metrics to show, in this order within each kind; None shows all.

    Raises:
        ValueError: if a name is neither, or there is no score to compare by.
    """
    if best is not None:
        _check("best", best, table.keys)
        score = next((name for name in table.metrics if table.higher_is_better.get(name) is not None), None)
        if score is None:
            raise ValueError(f"best: expected a score among the metrics, got {', '.join(table.metrics) or 'none'}")
        kept: dict[str, Group] = {}
        for group in sorted(table.groups, key=lambda group: _rank(table, score, group)):
            kept.setdefault(group.overrides[best], group)
        table = replace(table, groups=[group for group in table.groups if any(group is one for one in kept.values())])
    if sort is not None:
        _check("sort", sort, [*table.keys, *_metrics(table)])
        table = replace(table, groups=sorted(table.groups, key=lambda group: _rank(table, sort, group)))
    if columns is not None:
        for name in columns:
            _check("columns", name, [*table.keys, *_metrics(table)])
        keys, metrics = ([name for name in columns if (name in table.keys) == of_keys] for of_keys in (True, False))
        table = replace(table, keys=keys, metrics=metrics)
    return table


def _metrics(table: Table) -> list[str]:
    """The metrics of the runs that are numbers."""
    return list(dict.fromkeys(name for run in table.runs for name, value in run.metrics.items() if _is_number(value)))


def _is_number(value: Any) -> bool:
    return number(value) is not None


def _check(setting: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"{setting}: expected one of {', '.join(known) or 'none'}, got {name}")


def _rank(table: Table, name: str, group: Group) -> tuple[bool, float, str]:
    """The place of a row in the order of a metric or an override; what has no number comes last."""
    if name in table.keys:
        text = group.overrides[name]
        value = _as_float(text)
        return value is None, value or 0.0, text
    mean = group.mean(name)
    if mean is None or math.isnan(mean):
        return True, 0.0, ""
    return False, -mean if table.higher_is_better.get(name) else mean, ""


def _as_float(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return None if math.isnan(value) else value
