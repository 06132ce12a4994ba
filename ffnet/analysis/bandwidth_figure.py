"""The figure of ``ffnet ntk ntk.study=bandwidth``."""

from pathlib import Path
from typing import Any


def draw(report: dict[str, Any], title: str, path: Path) -> None:
    """Plots the PSNR of the short fits over sigma, and the sigma that is chosen.

    Args:
        report: the fields of ``Bandwidth``.
        title: name of the network.
        path: file to write; the suffix determines the format.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.semilogx(report["tried"], report["held_out"], "o-", base=2, label="held-out pixels")
    axes.semilogx(report["tried"], report["known"], "o--", base=2, label="known pixels")
    axes.axvline(report["sigma"], color="C2", label=f"chosen: {report['sigma']:g}")
    axes.set(title=title, xlabel="sigma, cycles per unit", ylabel="PSNR of short fits, dB")
    axes.set_xticks(report["tried"], [f"{sigma:.3g}" for sigma in report["tried"]])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
