"""Draws docs/audio.png: spectrograms of recordings, of their reconstructions and of the differences.

python docs/audio.py RUN...   # run directories of `ffnet fit RECORDING`
"""

import argparse
import json
from pathlib import Path

import soundfile
from matplotlib import pyplot

from ffnet.signals.spectrogram import RANGE, spectrogram


def recordings(run: Path) -> tuple[str, int, dict[str, object]]:
    """The title, the rate, and the samples (n, c) by what they are, of a run."""
    line = next(
        line for line in (run / ".hydra" / "overrides.yaml").read_text().splitlines() if "dataset.path=" in line
    )
    path = Path(line.partition("dataset.path=")[2].strip("'\""))
    target, rate = soundfile.read(path, always_2d=True)
    fitted = soundfile.read(next(run.glob("reconstruction.*")), always_2d=True)[0]
    score = json.loads((run / "metrics.json").read_text())["snr"]
    peak = abs(target).max()
    found = {"target": target / peak, "reconstruction": fitted / peak, "error": (fitted - target) / peak}
    return f"{path.name}, {score:.1f} dB", rate, found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", nargs="+", type=Path)
    runs = parser.parse_args().runs
    figure, axes = pyplot.subplots(len(runs), 3, figsize=(10, 2.6 * len(runs)), squeeze=False, layout="constrained")
    for row, run in zip(axes, runs, strict=True):
        title, rate, found = recordings(run)
        for axis, (name, samples) in zip(row, found.items(), strict=True):
            extent = (0, len(samples) / rate, 0, rate / 2000)
            shown = axis.imshow(
                RANGE * (spectrogram(samples, 512)[..., 0] - 1),
                "magma",
                aspect="auto",
                vmin=-RANGE,
                vmax=0,
                extent=extent,
            )
            axis.set(title=f"{name}" if name != "target" else title, xlabel="s")
        row[0].set_ylabel("kHz")
    figure.colorbar(shown, ax=axes, label="dB")
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=80)
