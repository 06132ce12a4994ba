"""Every encoder and every network at equal parameters and steps, each tuned by the same sweep.

    python benchmarks/comparison.py PICTURE... --jobs 2 --output docs/comparison.json --plot docs/comparison.png

A quarter of the pixels, ``[::2, ::2]``, is trained on, and ``[1::2, 1::2]`` are scored. The width is what brings the
network to ``PARAMETERS``.
The rate is climbed in half decades from 3.2e-3 until the best one has a worse neighbour on both sides; then, at that
rate, what sets the bandwidth, from its default, until two on both sides are worse; then both again. What counts is the
mean score over the pictures.
What is in ``--output`` already is not run again.
"""

import argparse
import bisect
import functools
import json
import logging
import multiprocessing
import statistics
from collections.abc import Callable
from pathlib import Path

import torch
from loops import assembled

from ffnet.fitting import evaluate
from ffnet.training import NonFiniteLoss

PARAMETERS = 66_000
WORK = [
    *("dataset.size=256", "dataset.split=half", "dataset.batch_size=2048", "trainer.max_steps=600"),
    *("~callbacks.evaluation", "~callbacks.views", "~callbacks.progress", "~callbacks.checkpoints", "logger=none"),
    "+trainer.enable_progress_bar=false",
]
RATES = [f"{10 ** (k / 2):.1e}" for k in range(-10, 1)]
OCTAVES = "{_target_:ffnet.encoders.PositionalEncoder,in_features:1,num_frequencies:%d}"

# Name: the line; what sets its bandwidth; the values of that, in order, and the default's place among them.
ENCODERS = {
    "identity": ("encoder=identity", "", [], 0),
    "centred": ("encoder=centred", "", [], 0),
    "basic": ("encoder=basic", "", [], 0),
    "positional": ("encoder=positional", "encoder.num_frequencies", [3, 4, 5, 6, 7, 8], 3),
    "composite of positional": (
        "encoder=composite",
        "encoder.encoders",
        [f"[{OCTAVES % n},{OCTAVES % n}]" for n in range(3, 10)],
        5,
    ),
    "Gaussian": ("encoder=gaussian encoder.num_frequencies=128", "encoder.sigma", [2.5, 5, 7, 10, 14, 20, 40], 3),
    "Gaussian, trainable": (
        "encoder=trainable encoder.num_frequencies=128",
        "encoder.sigma",
        [2.5, 5, 7, 10, 14, 20, 40],
        3,
    ),
    "Gaussian, annealed": (
        "encoder=annealed encoder.encoder.num_frequencies=128",
        "encoder.encoder.sigma",
        [2.5, 5, 7, 10, 14, 20, 40],
        3,
    ),
    "integrated": (
        "encoder=integrated",
        "encoder.encoder.frequencies",
        [str([2**k for k in range(n)]).replace(" ", "") for n in range(3, 10)],
        5,
    ),
    "triangle wave": ("encoder=triangle", "encoder.num_frequencies", list(range(3, 12)), 7),
    "one-blob": ("encoder=one_blob", "encoder.num_bins", [8, 16, 32, 64, 128], 3),
    "grid": (
        "encoder=grid encoder.table_size=4096 model.hidden_layers=2",
        "encoder.max_resolution",
        [32, 64, 128, 256, 512],
        4,
    ),
}
NETWORKS = {
    "SIREN": ("model=siren", "model.first_omega", [7, 15, 30, 60, 120, 240], 2),
    "FINER": ("model=finer", "model.first_omega", [7, 15, 30, 60, 120], 2),
    "Gaussian activation": ("model=gauss", "model.activation.sigma", [0.025, 0.05, 0.1, 0.2, 0.4], 2),
    "Gabor activation": ("model=gabor", "model.activation.scale", [0.6, 1.2, 2.5, 5, 10, 20, 40], 4),
    "WIRE": ("model=wire", "model.scale", [2.5, 5, 10, 20, 40], 2),
    "Fourier filters": ("model=fourier_filters", "model.input_scale", [16, 32, 64, 128, 256, 512], 4),
    "Gabor filters": ("model=gabor_filters", "model.input_scale", [16, 32, 64, 128, 256, 512], 4),
}
ROWS = ENCODERS | NETWORKS


def overrides(line: list[str]) -> list[str]:
    """The work and a line; the MLP, too, begins with what its own rule draws."""
    other = any(word.startswith("model=") for word in line)
    return [*WORK, *([] if other else ["model.output_init=null"]), *line]


def parameters(line: list[str]) -> int:
    return sum(p.numel() for p in assembled(overrides(line))[0].field.parameters())


@functools.cache
def width(*line: str) -> int:
    """The hidden width whose network comes closest to ``PARAMETERS`` from below."""
    return bisect.bisect_right(
        range(1, 512), PARAMETERS, key=lambda w: parameters([*line, f"model.hidden_features={w}"])
    )


def scores(line: list[str], pictures: list[Path]) -> dict:
    """Mean and single PSNRs, and what was run; a run that diverges counts as 0 dB."""
    line = [*line, f"model.hidden_features={width(*(word for word in line if 'optimizer' not in word))}"]
    held_out, fitted = [], []
    for picture in pictures:
        module, trainer = assembled([*overrides(line), f"dataset.path={picture}"])
        try:
            trainer.fit(module)
        except NonFiniteLoss:
            held_out.append(0.0), fitted.append(0.0)
            continue
        found = evaluate(module.field, module.dataset)
        held_out.append(found["psnr"]), fitted.append(found["train/psnr"])
    return {
        "line": " ".join(line),
        "parameters": parameters(line),
        "psnr": statistics.fmean(held_out),
        "psnr_train": statistics.fmean(fitted),
        "each": held_out,
    }


def tune(name: str, pictures: list[Path], known: dict[str, list[dict]]) -> tuple[str, list[dict]]:
    """Everything that was tried for a row, what is known of it included."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)
    line, key, values, default = ROWS[name]
    tried = {found["line"].rpartition(" model.hidden_features=")[0]: found for found in known.get(name, [])}

    def at(rate: int, bandwidth: int) -> float:
        words = [*line.split(), f"optimizer.lr={RATES[rate]}", *([f"{key}={values[bandwidth]}"] if key else [])]
        if " ".join(words) not in tried:
            tried[" ".join(words)] = scores(words, pictures)
        return tried[" ".join(words)]["psnr"]

    rate, bandwidth = RATES.index("3.2e-03"), default
    for _ in range(2):  # the second time, the rate for the bandwidth that was found, and what that changes
        rate = climb(rate, len(RATES), 1, functools.partial(at, bandwidth=bandwidth))
        bandwidth = climb(bandwidth, len(values), 2, functools.partial(at, rate))
    return name, list(tried.values())


def climb(start: int, count: int, reach: int, at: Callable[[int], float]) -> int:
    """The place around which none within ``reach`` is better."""
    while (better := max(range(max(start - reach, 0), min(start + reach + 1, count)), key=at, default=start)) != start:
        start = better
    return start


def as_json(results: dict[str, list[dict]]) -> str:
    """One line for everything that was tried."""
    rows = (
        f"{json.dumps(name)}: [\n " + ",\n ".join(map(json.dumps, tried)) + "\n]" for name, tried in results.items()
    )
    return "{\n" + ",\n".join(rows) + "\n}\n"


def best_of(tried: list[dict]) -> dict:
    return max(tried, key=lambda found: found["psnr"])


def as_table(results: dict[str, list[dict]], names: list[str]) -> str:
    lines = ["| | held out | fitted | rate | parameters | settings |", "|---|---|---|---|---|---|"]
    best = {name: best_of(results[name]) for name in names if name in results}
    for name, found in sorted(best.items(), key=lambda item: -item[1]["psnr"]):
        words = found["line"].split()
        rate = next(word for word in words if word.startswith("optimizer.lr="))
        settings = " ".join(word for word in words if word != rate)
        lines.append(
            f"| {name} | {found['psnr']:.2f} dB | {found['psnr_train']:.2f} dB | {rate.partition('=')[2]} "
            f"| {found['parameters']:,} | `{settings}` |"
        )
    return "\n".join(lines) + "\n"


def plot(results: dict[str, list[dict]], path: Path) -> None:
    from matplotlib.figure import Figure

    best = sorted(((best_of(found), name) for name, found in results.items()), key=lambda pair: pair[0]["psnr"])
    names = [f"{name} (network)" if name in NETWORKS else name for _, name in best]
    figure = Figure(figsize=(7, 0.3 * len(best) + 1), layout="constrained")
    axes = figure.subplots()
    for key, label, marker in (("psnr", "held-out pixels", "o"), ("psnr_train", "training pixels", "|")):
        axes.plot([found[key] for found, _ in best], names, marker, label=label)
    axes.set(xlabel="PSNR in dB, mean over the pictures")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("comparison.json"))
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    with multiprocessing.get_context("spawn").Pool(arguments.jobs) as pool:
        pictures = [picture.absolute() for picture in arguments.pictures]
        work = functools.partial(tune, pictures=pictures, known=results)
        for name, tried in pool.imap_unordered(work, arguments.only):
            results[name] = tried
            best = best_of(tried)
            print(f"{name}: {best['psnr']:.2f} dB, {len(tried)} tried: {best['line']}", flush=True)
            arguments.output.write_text(as_json(results))
    for title, names in (("encoders", list(ENCODERS)), ("networks", list(NETWORKS))):
        print(f"\n{title}\n\n{as_table(results, names)}")
    if arguments.plot:
        plot(results, arguments.plot)
