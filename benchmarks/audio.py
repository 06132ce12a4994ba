"""Encoders and networks for audio: SNR, log-spectral distance and processor time of fits of recordings.

    python benchmarks/audio.py RECORDING... --seconds 1.75 --steps 300   # every row on the first seconds
    python benchmarks/audio.py RECORDING... --steps 1000 --only "siren 500 Hz 1e-3"

Bandwidths are in hertz, so that they mean the same for recordings of any length.
"""

import argparse
import itertools
import math
import time
from pathlib import Path

import soundfile

import ffnet


def gaussian(hertz: float, rate: float, seconds: float) -> list[str]:
    """``hertz`` is the standard deviation of the frequencies."""
    return ["encoder=gaussian", f"encoder.sigma={hertz * seconds}", f"optimizer.lr={rate}"]


def sines(model: str, hertz: float, rate: float, seconds: float) -> list[str]:
    """``hertz`` is the largest frequency of the initial first layer, whose coordinate is in [-1, 1]."""
    omega = math.pi * hertz * seconds
    return ["encoder=centred", f"model={model}", f"model.first_omega={omega}", f"optimizer.lr={rate}"]


ROWS = {"grid": lambda seconds: ["dataset.batch_size=8192", "trainer.max_steps=600"]}
for hertz, rate in itertools.product((500, 1500, 4000), (1e-3, 3e-3)):
    ROWS[f"gaussian {hertz} Hz {rate:g}"] = lambda seconds, h=hertz, r=rate: gaussian(h, r, seconds)
for model, hertz, rate in itertools.product(("siren", "finer"), (150, 500, 1500), (3e-4, 1e-3)):
    ROWS[f"{model} {hertz} Hz {rate:g}"] = lambda seconds, m=model, h=hertz, r=rate: sines(m, h, r, seconds)


def fit(path: Path, row: str, seconds: float | None, steps: int) -> str:
    length = min(seconds or math.inf, soundfile.info(path).duration)
    overrides = ["dataset=audio", "dataset.batch_size=4096", f"trainer.max_steps={steps}", *ROWS[row](length)]
    overrides += [] if seconds is None else [f"dataset.duration={seconds}"]
    overrides += ["~callbacks.views", "~callbacks.evaluation"]
    start = time.process_time()
    run = ffnet.fit(path, overrides=overrides, progress=False)
    processor, metrics = time.process_time() - start, run.metrics
    return (
        f"{metrics['snr']:.1f} dB, LSD {metrics['lsd']:.1f} dB, {metrics['parameters']} parameters, "
        f"{metrics['steps']} steps, processor {processor:.0f} s, clock {metrics['seconds']:.0f} s"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("recordings", nargs="+", type=Path)
    parser.add_argument("--seconds", type=float, help="of the start of each recording; by default all")
    parser.add_argument("--steps", type=int, default=1000, help="of 4096 samples, for all but the grid")
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=list(ROWS))
    arguments = parser.parse_args()
    for path, row in itertools.product(arguments.recordings, arguments.only):
        print(f"| {path.name} | {row} | {fit(path, row, arguments.seconds, arguments.steps)} |", flush=True)
