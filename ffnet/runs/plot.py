"""A metric against a setting, as a picture."""

from pathlib import Path

from ffnet.files import replacing
from ffnet.runs.run import number
from ffnet.runs.table import Table

# Wider ranges than this are drawn on a logarithmic axis.
LOGARITHMIC = 20


def curves(table: Table, x: str, metric: str) -> dict[str, list[tuple[float, float, float]]]:
    """(x, mean, spread) of the groups, by what else tells them apart; a single run has no spread, 0."""
    lines: dict[str, list[tuple[float, float, float]]] = {}
    for group in table.groups:
        at, mean = number(group.values.get(x)), group.mean(metric)
        label = ", ".join(f"{key}={value}" for key, value in group.values.items() if key != x)
        if at is not None and mean is not None:
            lines.setdefault(label, []).append((at, mean, group.spread(metric) or 0.0))
    return {label: sorted(points) for label, points in lines.items()}


def numeric(table: Table) -> list[str]:
    """The overrides that are numbers in every group that has them, and differ."""
    values = {key: [group.values[key] for group in table.groups if group.values[key]] for key in table.keys}
    return [key for key, found in values.items() if all(number(value) is not None for value in found)]


def draw(table: Table, x: str | None, path: Path) -> None:
    """Draws the table's first metric against the numeric override ``x``, one line a group, into ``path``.

    ``x`` may be None if there is only one. What the table averages over becomes the points' spread.

    Raises:
        ValueError: if ``x`` is not a number that differs between the groups, or no run has a figure.
        OSError: if the picture cannot be written.
    """
    from matplotlib.figure import Figure

    known = numeric(table)
    if x is None and len(known) == 1:
        x = known[0]
    if x is None or x not in known:
        raise ValueError(f"x: expected one of the numeric overrides {', '.join(known) or '(none)'}, got {x}")
    if not table.metrics:
        raise ValueError("plot: no run has a score")
    lines = curves(table, x, table.metrics[0])
    if not lines:
        raise ValueError(f"plot: no run has {table.metrics[0]}")
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for label, points in lines.items():
        at, mean, spread = zip(*points, strict=True)
        axes.errorbar(at, mean, spread, marker="o", capsize=3, label=label)
    places = [point[0] for points in lines.values() for point in points]
    if min(places) > 0 and max(places) / min(places) > LOGARITHMIC:
        axes.set_xscale("log")
    axes.set(xlabel=x, ylabel=table.metrics[0])
    axes.grid(alpha=0.3)
    if any(lines):
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, dpi=120)
