"""The figure of ``ffnet ntk ntk.study=ensemble``."""

from pathlib import Path
from typing import Any

# matplotlib is imported where the figure is made; the other functions get its axes.
Axes = Any


def draw(report: dict[str, Any], x: list[float], title: str, path: Path) -> None:
    """Plots prior and ensemble with the networks trained, and all standard deviations along the line.

    Args:
        report: the result of ``ensemble``.
        x: coordinates along the line.
        title: name of the network.
        path: file to write; the suffix determines the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(14, 8), layout="constrained")
    figure.suptitle(f"Uncertainty by kernels, and {report['networks']} networks: {title}")
    (prior, after), (deviation, over_steps) = figure.subplots(2, 2)
    draw_moment(prior, report, x, 0)
    prior.set_title("Before training")
    draw_moment(after, report, x, -1)
    after.set_title(f"After {report['steps'][-1]} steps of gradient descent")
    draw_deviation(deviation, report, x)
    draw_steps(over_steps, report, x)
    for axes in (prior, after, deviation, over_steps):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.savefig(path, dpi=110)


def band(axes: Axes, x: list[float], found: dict[str, list[float]], **style: Any) -> None:
    """Two standard deviations around the mean."""
    edges = [[m + sign * 2 * d for m, d in zip(found["mean"], found["deviation"], strict=True)] for sign in (-1, 1)]
    axes.fill_between(x, *edges, **style)


def draw_moment(axes: Axes, report: dict[str, Any], x: list[float], index: int) -> None:
    """Mean and two standard deviations at one number of steps, of the kernel's prediction and of the networks."""
    found = report["trained"][index]
    band(axes, x, report["predicted"][index], color="C0", alpha=0.3, linewidth=0, label="kernel, 2 std.")
    axes.plot(x, report["predicted"][index]["mean"], "C0", label="kernel, mean")
    for sign in (-1, 1):
        edge = [m + sign * 2 * d for m, d in zip(found["mean"], found["deviation"], strict=True)]
        axes.plot(x, edge, "k:", label="networks, 2 std." if sign > 0 else None)
    for number, line in enumerate(report["samples"][index]):
        axes.plot(x, line, color="C1", linewidth=0.7, label=None if number else "five networks")
    axes.plot(x, report["values"], "C2", linewidth=1, label="signal")
    axes.plot(
        [x[i] for i in report["known"]], [report["values"][i] for i in report["known"]], "kx", label="known values"
    )
    axes.set(xlabel="x along the line, units of the extent", ylabel="value, less the mean", xlim=(x[0], x[-1]))


def draw_deviation(axes: Axes, report: dict[str, Any], x: list[float]) -> None:
    last = report["steps"][-1]
    axes.plot(x, report["prior"]["deviation"], color="gray", label="prior")
    axes.plot(x, report["predicted"][-1]["deviation"], "C0", label=f"NTK, {last} steps")
    axes.plot(x, report["ensemble"]["deviation"], "C3--", label="NTK, in the end")
    axes.plot(x, report["posterior"]["deviation"], "C4-.", label="NNGP's posterior")
    axes.plot(x, report["trained"][-1]["deviation"], "k.", markersize=3, label=f"networks, {last} steps")
    axes.set(title="Standard deviation along the line", xlabel="x along the line, units of the extent")
    axes.set(ylabel="standard deviation, units of the value", xlim=(x[0], x[-1]), ylim=(0, None))


def draw_steps(axes: Axes, report: dict[str, Any], x: list[float]) -> None:
    """The standard deviation over training, at a known point and where it is largest in the end."""
    last = report["predicted"][-1]["deviation"]
    order = sorted(range(len(x)), key=last.__getitem__)
    for number, (name, i) in enumerate(
        {"most certain": order[0], "median": order[len(x) // 2], "least certain": order[-1]}.items()
    ):
        curve, dots = ([each["deviation"][i] for each in report[kind]] for kind in ("predicted", "trained"))
        axes.plot(report["steps"], curve, f"C{number}", label=f"kernel, {name}, x = {x[i]:.3f}")
        axes.plot(report["steps"], dots, f"C{number}o", markersize=4, label="networks there")
    axes.set_xscale("symlog", linthresh=1)
    axes.set(title="Standard deviation over training", xlabel="step", ylabel="standard deviation, units of the value")
    axes.set(ylim=(0, None))
