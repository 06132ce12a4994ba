"""Helpers of the gallery's scripts.

A script has three functions: ``study(small)`` computes plain numbers, ``draw(found, figure)`` makes a figure of them,
``table(found)`` the lines that the guide shows.
"""

import argparse
import json
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from guide import fill
from matplotlib.figure import Figure

FIGURES = Path(__file__).resolve().parents[1] / "figures"
SECONDS = FIGURES / "seconds.json"  # how long each script took when it last made its figure
SMALL = Path("outputs/gallery")
NAMES = (
    "kernel_trick",
    "lifting",
    "wide_networks",
    "ntk_width",
    "lazy_training",
    "predicted_curves",
    "uncertainty",
    "bandwidth",
    "spectral_bias",
    "power_law",
)
# The figures of Tancik et al. 2020, which have a page of their own.
PAPER = (
    "paper_mappings",
    "paper_sampling",
    "paper_optimized",
    "paper_depth",
    "paper_axes",
)


def rounded(value: Any) -> Any:
    """Plain numbers with six digits, which is more than a figure or a table shows."""
    if isinstance(value, dict):
        return {str(key): rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def make(script: ModuleType, small: bool, folder: Path) -> dict[str, Any]:
    """Writes ``<script>.json`` and ``<script>.png``, and returns the numbers."""
    found: dict[str, Any] = rounded(script.study(small))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{stem(script)}.json").write_text(json.dumps(found, allow_nan=False) + "\n")
    show(script, found, folder)
    return found


def show(script: ModuleType, found: dict[str, Any], folder: Path) -> None:
    """Writes the figure of numbers that are there already."""
    figure = Figure(figsize=(10, 3.6), layout="constrained")
    script.draw(found, figure)
    for axes in figure.axes:
        axes.grid(alpha=0.3)
    figure.savefig(folder / f"{stem(script)}.png", dpi=100)


def run(script: ModuleType, small: bool, folder: Path) -> None:
    """Makes a figure; if it is the guide's, notes how long it took and writes its numbers into the guide."""
    name, start = stem(script), time.perf_counter()
    text = script.table(make(script, small, folder))
    seconds = time.perf_counter() - start
    if folder == FIGURES:
        fill(name, text)
        known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
        known[name] = [round(seconds, 1), torch.get_num_threads()]
        SECONDS.write_text(json.dumps(dict(sorted(known.items()))) + "\n")
    print(f"{name}, {seconds:.1f} s\n{text}\n", flush=True)


def expected(names: tuple[str, ...]) -> str:
    """How long these scripts took the last time, from ``seconds.json``."""
    known = json.loads(SECONDS.read_text()) if SECONDS.exists() else {}
    timed = [known[name] for name in names if name in known]
    threads = sorted({count for _, count in timed})
    unknown = [name for name in names if name not in known]
    minutes, seconds = divmod(round(sum(seconds for seconds, _ in timed)), 60)
    line = f"{len(names)} scripts: {minutes} min {seconds} s the last time (threads: {', '.join(map(str, threads))})"
    return line + (f"; not timed yet: {', '.join(unknown)}" if unknown else "")


def stem(script: ModuleType) -> str:
    return Path(str(script.__file__)).stem


def markdown(head: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; numbers come as text."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def arguments(description: str | None) -> tuple[bool, Path]:
    """(whether small, folder) from the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a small version that takes a moment, into another folder")
    parser.add_argument("--output", type=Path, help=f"folder; docs/{FIGURES.name} by default, or {SMALL} with --small")
    found = parser.parse_args()
    return found.small, found.output or (SMALL if found.small else FIGURES)


def main(script: ModuleType) -> None:
    """One script, from the command line."""
    run(script, *arguments(script.__doc__))
