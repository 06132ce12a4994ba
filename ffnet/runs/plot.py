"""Plots of a score against a setting."""

import math
from pathlib import Path

from ffnet.atomic import replacing
from ffnet.runs.run import number
from ffnet.runs.table import Table

# Settings that vary by more than this factor get a logarithmic axis.
LOGARITHMIC = 20


def curves(table: Table, x: str, metric: str) -> dict[str, list[tuple[float, float, float]]]:
    """(x, mean, std) of the groups, one curve for each combination of the other overrides.

    The std of a single run is 0; groups without a finite mean are left out.
    """
    lines: dict[str, list[tuple[float, float, float]]] = {}
    for group in table.groups:
        at, mean = number(group.overrides.get(x)), group.mean(metric)
        label = ", ".join(f"{key}={value}" for key, value in group.overrides.items() if key != x)
        if at is not None and mean is not None and math.isfinite(mean):
            lines.setdefault(label, []).append((at, mean, group.std(metric) or 0.0))
    return {label: sorted(points) for label, points in lines.items()}


def numeric(table: Table) -> list[str]:
    """The overrides that differ between groups and are numbers in every group that has them."""
    values = {key: [group.overrides[key] for group in table.groups if group.overrides[key]] for key in table.keys}
    return [key for key, found in values.items() if all(number(value) is not None for value in found)]


def draw(table: Table, x: str | None, path: Path) -> None:
    """Plots the table's first metric against the numeric override ``x`` and writes the figure to ``path``.

    There is a line for each combination of the other overrides; error bars are one standard deviation of what the
    table averages over. ``x`` may be None if there is only one numeric override.

    Raises:
        ValueError: if ``x`` is not a number that differs between the groups, or no run has a finite score.
        OSError: if the figure cannot be written.
    """
    from matplotlib.figure import Figure

    known = numeric(table)
    if x is None and len(known) == 1:
        x = known[0]
    if x is None or x not in known:
        raise ValueError(f"x: expected one of the numeric overrides {', '.join(known) or '(none)'}, got {x}")
    if not table.metrics:
        raise ValueError("plot: no run has a score")
    metric = table.metrics[0]
    lines = curves(table, x, metric)
    if not lines:
        raise ValueError(f"plot: no run has a finite {metric}")
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for label, points in lines.items():
        at, mean, std = zip(*points, strict=True)
        axes.errorbar(at, mean, std, marker="o", capsize=3, label=label)
    places = [point[0] for points in lines.values() for point in points]
    if min(places) > 0 and max(places) / min(places) > LOGARITHMIC:
        axes.set_xscale("log")
    axes.set(xlabel=x, ylabel=axis_label(table, metric))
    axes.grid(alpha=0.3)
    if any(lines):
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)


def axis_label(table: Table, metric: str) -> str:
    """The metric's name and, of a score, its direction."""
    directions = {True: " (higher is better)", False: " (lower is better)", None: ""}
    return metric + directions[table.higher_is_better.get(metric)]
