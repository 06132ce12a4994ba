"""The figure of ``ffnet ntk ntk.study=regression``."""

from pathlib import Path
from typing import Any

from jaxtyping import Float
from torch import Tensor

from ffnet.analysis.image_regression import at_end

# matplotlib is imported where the figure is made; the other functions get its axes.
Axes = Any

NAMES = {
    "regression": "kernel regression",
    "descent": "descent with the kernel",
    "network": "network, as in fit",
}


def draw(
    report: dict[str, Any], truth: Float[Tensor, "h w c"], found: dict[str, Tensor], title: str, path: Path
) -> None:
    """Plots the image and its three reconstructions, and their PSNR over steps and against each other.

    Args:
        report, found: the results of ``regression``.
        truth: the image, values in [0, 1].
        title: name of the network.
        path: file to write; the suffix determines the format.
    """
    from matplotlib.figure import Figure

    height, width, _ = truth.shape
    figure = Figure(figsize=(13, 4.6 + 3.1 * min(2.0, height / width)), layout="constrained")
    figure.suptitle(f"Kernel regression with the NTK of infinite width: {title}")
    upper, lower = figure.subfigures(2, 1, height_ratios=[3.1 * min(2.0, height / width) + 0.6, 4.0])  # type: ignore[misc]
    for axes, name in zip(upper.subplots(1, 4), ("truth", *NAMES), strict=True):
        draw_image(axes, truth if name == "truth" else found[name])
        if name == "truth":
            axes.set_title(f"image, {width} x {height} pixels,\nevery fourth is known", fontsize=10)
        else:
            steps = "" if name == "regression" else f", {report['steps']} steps"
            ends = at_end(report, name)
            numbers = f"{decibels(ends['train'])} known, {decibels(ends['held_out'])} held out"
            axes.set_title(f"{NAMES[name]}{steps}\n{numbers}", fontsize=10)
    over_steps, against = lower.subplots(1, 2)
    draw_steps(over_steps, report)
    draw_paths(against, report)
    for axes in (over_steps, against):
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left", bbox_to_anchor=(1.01, 1))
    figure.savefig(path, dpi=120)


def decibels(value: float) -> str:
    return f"{value:.2f} dB" if value < 100 else "over 100 dB"


def draw_image(axes: Axes, values: Float[Tensor, "h w c"]) -> None:
    shown = values.clamp(0, 1).numpy()
    # Gray, or RGB of an image with alpha.
    axes.imshow(shown[..., 0] if shown.shape[-1] < 3 else shown[..., :3], cmap="gray", vmin=0, vmax=1)
    axes.set(xlabel="x, pixels", ylabel="y, pixels")


def draw_steps(axes: Axes, report: dict[str, Any]) -> None:
    for number, name in enumerate(("descent", "network")):
        axes.plot(report[name]["steps"], report[name]["held_out"], f"C{number}.-", label=f"{NAMES[name]}, held out")
        axes.plot(report[name]["steps"], report[name]["train"], f"C{number}--", label=f"{NAMES[name]}, known")
    axes.axhline(report["regression"]["held_out"], color="C2", label=f"{NAMES['regression']}, held out")
    axes.set_xscale("symlog", linthresh=1)
    axes.set(title="PSNR over training", xlabel="step", ylabel="PSNR, dB", xlim=(0, report["descent"]["steps"][-1]))


def draw_paths(axes: Axes, report: dict[str, Any]) -> None:
    """Held-out pixels over known ones, a clock that both kinds of training share."""
    for number, name in enumerate(("descent", "network")):
        axes.plot(report[name]["train"], report[name]["held_out"], f"C{number}.-", label=NAMES[name])
    axes.axhline(
        report["regression"]["held_out"], color="C2", label=f"{NAMES['regression']}, which\nis exact at known pixels"
    )
    low, high = axes.get_ylim()
    axes.set_ylim(low, max(high, report["regression"]["held_out"] + 0.5))
    axes.set(
        title="What is learned of the rest", xlabel="PSNR of known pixels, dB", ylabel="PSNR of held-out pixels, dB"
    )
