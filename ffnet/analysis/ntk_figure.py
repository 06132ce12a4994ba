"""The figure of ``ffnet ntk``."""

from pathlib import Path
from typing import Any

# matplotlib is imported where the figure is made; the other functions get its axes.
Axes = Any


def draw(report: dict[str, Any], title: str, path: Path) -> None:
    """Plots a row of the kernel, its spectrum, decay times, and the predicted and trained curves.

    Args:
        report: the results of ``ntk.line_spectrum`` and ``ntk.curves``.
        title: name of the network.
        path: file to write; the suffix determines the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 8), layout="constrained")
    figure.suptitle(f"Neural tangent kernel at the start: {title}")
    (row, spectrum), (decay, curves) = figure.subplots(2, 2)
    draw_row(row, report["row"])
    draw_spectrum(spectrum, report["eigenvalues_by_frequency"])
    draw_decay(decay, report)
    draw_curves(curves, report)
    for axes in (row, spectrum, decay, curves):
        axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120)


def draw_row(axes: Axes, values: list[float]) -> None:
    count = len(values)
    axes.plot([(i + 0.5) / count for i in range(count)], values)
    axes.set(title="A row of the kernel, from the middle of a line", xlim=(0, 1))
    axes.set(xlabel="x along the first axis", ylabel="Θ(x, ½), mean over outputs")


def draw_spectrum(axes: Axes, values: list[float]) -> None:
    shown = [value if value > 0 else None for value in values]
    axes.semilogy(shown, ".-", markersize=4)
    axes.set(title="Eigenvalue by frequency on the line", xlabel="frequency, cycles per unit", ylabel="v* Θ v")


def draw_decay(axes: Axes, report: dict[str, Any]) -> None:
    """Decay times by frequency, without 0 because the axis is logarithmic."""
    times = report["decay_steps_by_frequency"]
    axes.loglog(range(1, len(times)), times[1:], ".", markersize=4, alpha=0.5, label="each frequency")
    for k, ((low, high), time) in enumerate(zip(report["octaves"], report["decay_steps_by_octave"], strict=True)):
        if time is not None:
            ends = [low - 0.25 * low**0.5 * (low == high), high + 0.25 * (low == high)]
            axes.plot(ends, [time, time], color="C1", linewidth=3, label=None if k else "octaves")
    axes.set(title="Spectral bias: how long a wave's error takes to fall to 1/e")
    axes.set(xlabel="frequency, cycles per unit", ylabel="steps of gradient descent on the line")
    axes.legend()


def draw_curves(axes: Axes, report: dict[str, Any]) -> None:
    until, steps = report["holds_until"], len(report["trained_psnr"]) - 1
    axes.plot(report["trained_psnr"], label="gradient descent")
    axes.plot(report["predicted_psnr"], "--", color="black", label="predicted by the kernel at the start")
    axes.plot(report["optimizer_psnr"], label=f"{report['optimizer']}, as in fit (not predicted)", alpha=0.8)
    if 0 <= until < steps:
        axes.axvline(until, color="gray", linestyle=":", label=f"within 1 dB until step {until}")
    axes.set(title=f"PSNR on {report['points']} training points, all in every step", xlim=(0, steps))
    axes.set(xlabel="step", ylabel="PSNR, dB")
    axes.legend()
