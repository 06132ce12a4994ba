"""Encoders for volumes: PSNR and seconds of fits.

    python benchmarks/volume.py VOLUME... --rows "" "encoder.levels=4" "dataset.batch_size=32768 trainer.max_steps=200"

A row is overrides of the default.
"""

import argparse
import itertools
from pathlib import Path

import ffnet


def fit(dataset: str, path: Path, overrides: list[str]) -> str:
    """A line of the table, of the fit of a file."""
    quiet = ["~callbacks.views", "~callbacks.evaluation"]
    run = ffnet.fit(path, overrides=[f"dataset={dataset}", *overrides, *quiet], progress=False)
    found = run.metrics
    return (
        f"{found['psnr']:.2f} dB | {found['parameters']:,} | {found['steps']} | {found['seconds']:.0f} s | "
        f"{found['total_seconds']:.0f} s"
    )


def table(dataset: str, description: str) -> None:
    """Prints the table of fits of the files and rows of the command line."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--rows", nargs="+", default=[""])
    parser.add_argument("--all", default="", help="overrides of all rows, which come after theirs")
    arguments = parser.parse_args()
    print("| file | row | PSNR | parameters | steps | training | in all |")
    print("|---|---|---|---|---|---|---|")
    for path, row in itertools.product(arguments.files, arguments.rows):
        line = fit(dataset, path, [*row.split(), *arguments.all.split()])
        print(f"| {path.name} | {row or 'default'} | {line} |", flush=True)


if __name__ == "__main__":
    table("volume", __doc__)
