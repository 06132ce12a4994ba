"""Every encoder and every network at equal parameters and steps, each tuned by the same sweep.

    python benchmarks/comparison.py PICTURE... --jobs 2 --output docs/comparison.json

Half of the pixels are trained on, ``[1::2, 1::2]`` are scored. The width is what brings the network to ``PARAMETERS``.
The rate is climbed in half decades until the best one has a worse neighbour on both sides; then the other values of
what sets the bandwidth are tried at that rate. What counts is the mean score over the pictures.
Rows that are in ``--output`` already are not run again.
"""

import argparse
import functools
import json
import logging
import multiprocessing
import statistics
from pathlib import Path

import torch
from loops import assembled

from ffnet.training import NonFiniteLoss, evaluate

PARAMETERS = 66_000
WORK = [
    *("dataset.size=256", "dataset.split=half", "dataset.batch_size=2048", "trainer.max_steps=600"),
    *("~callbacks.evaluation", "~callbacks.pictures", "~callbacks.progress", "~callbacks.checkpoints", "logger=none"),
    "+trainer.enable_progress_bar=false",
]
RATES = [10 ** (k / 2) for k in range(-10, 1)]
FIRST = (5, 6)  # 10^-2.5 and 10^-2, where each climb begins

OCTAVES = "{_target_: ffnet.encoders.PositionalEncoder, in_features: 1, num_frequencies: %d}"

# Name: the line, and what sets its bandwidth, the default first.
ENCODERS = {
    "identity": ("encoder=identity", "", []),
    "centred": ("encoder=centred", "", []),
    "basic": ("encoder=basic", "", []),
    "positional": ("encoder=positional", "encoder.num_frequencies", [6, 5, 7]),
    "composite of positional": (
        "encoder=composite",
        "encoder.encoders",
        [f"[{OCTAVES % n}, {OCTAVES % n}]" for n in (8, 6, 7)],
    ),
    "Gaussian": ("encoder=gaussian encoder.num_frequencies=128", "encoder.sigma", [10, 5, 20]),
    "Gaussian, trainable": ("encoder=trainable encoder.num_frequencies=128", "encoder.sigma", [10, 5, 20]),
    "Gaussian, annealed": (
        "encoder=annealed encoder.encoder.num_frequencies=128",
        "encoder.encoder.sigma",
        [10, 5, 20],
    ),
    "integrated": ("encoder=integrated", "encoder.variance", [1.3e-6, 5.2e-6, 2.1e-5]),
    "triangle wave": ("encoder=triangle", "encoder.num_frequencies", [10, 7, 8]),
    "one-blob": ("encoder=one_blob", "encoder.num_bins", [64, 32, 128]),
    "grid": ("encoder=grid encoder.table_size=4096 model.hidden_layers=2", "encoder.max_resolution", [512, 64, 128]),
}
NETWORKS = {
    "SIREN": ("model=siren", "model.first_omega", [30, 15, 60]),
    "FINER": ("model=finer", "model.first_omega", [30, 15, 60]),
    "Gaussian activation": ("model=gaussian", "model.activation.sigma", [0.1, 0.05, 0.2]),
    "Gabor activation": ("model=gabor", "model.activation.scale", [10, 5, 20]),
    "WIRE": ("model=wire", "model.scale", [10, 5, 20]),
    "Fourier filters": ("model=fourier_filters", "model.input_scale", [256, 64, 128]),
    "Gabor filters": ("model=gabor_filters", "model.input_scale", [256, 64, 128]),
}
ROWS = ENCODERS | NETWORKS


def parameters(line: list[str]) -> int:
    return sum(p.numel() for p in assembled([*WORK, *line])[0].field.parameters())


def width(line: list[str]) -> int:
    """The hidden width whose network comes closest to ``PARAMETERS`` from below."""
    low, high = 2, 512
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (
            (middle, high) if parameters([*line, f"model.hidden_features={middle}"]) <= PARAMETERS else (low, middle)
        )
    return low


def scores(line: list[str], pictures: list[Path]) -> dict:
    """Mean and single PSNRs, and what was run; a run that diverges counts as 0 dB."""
    line = [*line, f"model.hidden_features={width(line)}"]
    held_out, fitted, seconds = [], [], []
    for picture in pictures:
        module, trainer = assembled([*WORK, f"dataset.path={picture}", *line])
        try:
            trainer.fit(module)
        except NonFiniteLoss:
            held_out.append(0.0), fitted.append(0.0)
            continue
        found = evaluate(module.field, module.dataset)
        held_out.append(found["psnr"]), fitted.append(found["psnr_train"]), seconds.append(module.seconds)
    return {
        "line": " ".join(line),
        "parameters": parameters(line),
        "psnr": statistics.fmean(held_out),
        "psnr_train": statistics.fmean(fitted),
        "each": held_out,
        "seconds": statistics.fmean(seconds) if seconds else None,
    }


def tune(name: str, pictures: list[Path]) -> tuple[str, list[dict]]:
    """Everything that was tried for a row."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    line, key, values = ROWS[name]
    fixed = line.split() + ([f"{key}={values[0]}"] if key else [])
    tried: dict[int, dict] = {}

    def at(rate: int) -> float:
        if rate not in tried:
            tried[rate] = scores([*fixed, f"optimizer.lr={RATES[rate]:.1e}"], pictures) | {"rate": RATES[rate]}
        return tried[rate]["psnr"]

    best = max(FIRST, key=at)
    while (better := max(range(max(best - 1, 0), min(best + 2, len(RATES))), key=at)) != best:
        best = better
    others = [f"{key}={value}" for value in values[1:]]
    more = [scores([*line.split(), other, f"optimizer.lr={RATES[best]:.1e}"], pictures) for other in others]
    return name, [*tried.values(), *(found | {"rate": RATES[best]} for found in more)]


def as_table(results: dict[str, list[dict]], names: list[str]) -> str:
    lines = ["| | held out | fitted | rate | parameters | training | settings |", "|---|---|---|---|---|---|---|"]
    best = {name: max(results[name], key=lambda found: found["psnr"]) for name in names if name in results}
    for name, found in sorted(best.items(), key=lambda item: -item[1]["psnr"]):
        settings = [
            word for word in found["line"].split(" ") if not word.startswith(("optimizer.lr", "encoder.encoders"))
        ]
        lines.append(
            f"| {name} | {found['psnr']:.2f} dB | {found['psnr_train']:.2f} dB | {found['rate']:.1e} "
            f"| {found['parameters']:,} | {found['seconds']:.1f} s | `{' '.join(settings)}` |"
        )
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("comparison.json"))
    arguments = parser.parse_args()
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    missing = [name for name in arguments.only if name not in results]
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        work = functools.partial(tune, pictures=[picture.absolute() for picture in arguments.pictures])
        for name, tried in pool.imap_unordered(work, missing):
            results[name] = tried
            best = max(tried, key=lambda found: found["psnr"])
            print(
                f"{name}: {best['psnr']:.2f} dB at {best['rate']:.1e}, {len(tried)} tried: {best['line']}", flush=True
            )
            arguments.output.write_text(json.dumps(results, indent=1) + "\n")
    for title, names in (("encoders", list(ENCODERS)), ("networks", list(NETWORKS))):
        print(f"\n{title}\n\n{as_table(results, names)}")
