"""Encoders and networks for audio: SNR, log-spectral distance and seconds of fits of recordings.

    python benchmarks/audio.py RECORDING... --seconds 1.75 --steps 200 --rows "siren 50 1e-3" "gaussian 1500 3e-3"
    python benchmarks/audio.py RECORDING... --rows "grid" "grid encoder.levels=10"

A row is ``grid`` with overrides, or a network (``gaussian``, ``siren``, ``finer``), its bandwidth in hertz and its
learning rate. In hertz, bandwidths mean the same for recordings of any length: for ``gaussian`` the standard deviation
of the frequencies, for the others the largest frequency of the initial first layer.
"""

import argparse
import itertools
import math
import time
from pathlib import Path

import soundfile

import ffnet


def overrides(row: str, seconds: float, steps: int) -> list[str]:
    """The settings of ``row`` for a recording of so many seconds."""
    name, *values = row.split()
    if name == "grid":
        return values
    hertz, rate = map(float, values)
    network = [f"encoder.sigma={hertz * seconds}"]
    if name != "gaussian":  # its coordinate is in [-1, 1]
        network = [f"model={name}", f"model.first_omega={math.pi * hertz * seconds}"]
    encoder = "gaussian" if name == "gaussian" else "centred"
    batch = ["dataset.batch_size=4096", f"trainer.max_steps={steps}"]
    return [*network, f"encoder={encoder}", f"optimizer.lr={rate}", *batch]


def fit(path: Path, row: str, seconds: float | None, steps: int) -> str:
    length = min(seconds or math.inf, soundfile.info(path).duration)
    settings = ["dataset=audio", *overrides(row, length, steps), f"dataset.duration={length}"]
    start = time.process_time()
    run = ffnet.fit(path, overrides=[*settings, "~callbacks.views", "~callbacks.evaluation"], progress=False)
    processor, metrics = time.process_time() - start, run.metrics
    return (
        f"{metrics['snr']:.1f} dB | {metrics['lsd']:.1f} dB | {metrics['parameters']:,} | {metrics['steps']} | "
        f"{processor:.0f} s ({metrics['seconds']:.0f} s)"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--rows", nargs="+", default=["grid"])
    parser.add_argument("--seconds", type=float, help="of the start of each recording; by default all")
    parser.add_argument("--steps", type=int, default=1000, help="of 4096 samples, for all but the grid")
    arguments = parser.parse_args()
    print("| recording | row | SNR | LSD | parameters | steps | processor (training by the clock) |")
    print("|---|---|---|---|---|---|---|")
    for path, row in itertools.product(arguments.recordings, arguments.rows):
        print(f"| {path.name} | {row} | {fit(path, row, arguments.seconds, arguments.steps)} |", flush=True)
