"""Every encoder and every network at equal parameters and steps, with Adam and with Muon, tuned by the same sweep.

    python benchmarks/comparison.py PICTURE... --jobs 2 --output docs/comparison.json --plot docs/comparison.png

A quarter of the pixels, ``[::2, ::2]``, is trained on, and ``[1::2, 1::2]`` are scored. The width is what brings the
network to ``PARAMETERS``.
The sweep begins at the best that is known of a row, else at the mean colour, a rate of 3.2e-3 and the default
bandwidth; Muon's at half a decade above Adam's best rate and at its bandwidth. In turn until nothing changes: the rate,
in half decades, until the best one has a worse neighbour on both sides; the start, mean colour or random; what sets the
bandwidth, until ``--reach`` on both sides are worse (0 keeps it). Muon has one rate as well: Adam's, for all that are
not hidden matrices, is ``SHARE`` of it, as in conf/optimizer/muon.yaml. What counts is the mean score over the
pictures.
What is in ``--output`` already is not run again.
"""

import argparse
import bisect
import functools
import itertools
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
]
RATES = [f"{10 ** (k / 2):.1e}" for k in range(-10, 1)]
OPTIMIZERS = ["adam", "muon"]
SHARE = 0.4
STARTS = ["mean", "null"]
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


def parameters(line: list[str]) -> int:
    return sum(p.numel() for p in assembled([*WORK, *line])[0].field.parameters())


def rates(optimizer: str, rate: str) -> list[str]:
    """The settings of an optimizer at a rate."""
    if optimizer == "adam":
        return [f"optimizer.lr={rate}"]
    return ["optimizer=muon", f"optimizer.muon_lr={rate}", f"optimizer.lr={SHARE * float(rate):.1e}"]


@functools.cache
def width(*line: str) -> int:
    """The hidden width whose network comes closest to ``PARAMETERS`` from below."""
    return bisect.bisect_right(
        range(1, 512), PARAMETERS, key=lambda w: parameters([*line, f"model.hidden_features={w}"])
    )


def scores(line: list[str], pictures: list[Path]) -> dict:
    """Mean and single PSNRs, and what was run; a run that diverges counts as 0 dB."""
    shape = (word for word in line if "optimizer" not in word and "output_init" not in word)
    line = [*line, f"model.hidden_features={width(*shape)}"]
    held_out, fitted = [], []
    for picture in pictures:
        module, trainer = assembled([*WORK, *line, f"dataset.path={picture}"])
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


def quiet() -> None:
    """Has a process work on one core and say nothing."""
    torch.set_num_threads(1)
    logging.disable(logging.WARNING)


def tune(
    row: tuple[str, str], pictures: list[Path], known: dict[str, list[dict]], reach: int
) -> tuple[str, str, list[dict]]:
    """What was tried for a row and an optimizer, besides what is known."""
    name, optimizer = row
    line, key, values, default = ROWS[name]
    tried = {found["line"].rpartition(" model.hidden_features=")[0]: found for found in known.get(name, [])}
    before = set(tried)

    def words(rate: int, start: int, bandwidth: int, optimizer: str = optimizer) -> str:
        setting = [f"{key}={values[bandwidth]}"] if key else []
        return " ".join([line, *rates(optimizer, RATES[rate]), *setting, f"model.output_init={STARTS[start]}"])

    def at(rate: int, start: int, bandwidth: int) -> float:
        said = words(rate, start, bandwidth)
        if said not in tried:
            tried[said] = scores(said.split(), pictures)
        return tried[said]["psnr"]

    def known_best(optimizer: str) -> tuple[int, int, int] | None:
        spans = range(len(RATES)), range(len(STARTS)), range(len(values)) if key else range(1)
        places = [place for place in itertools.product(*spans) if words(*place, optimizer) in tried]
        return max(places, key=lambda place: tried[words(*place, optimizer)]["psnr"], default=None)

    here = known_best(optimizer)
    if here is None and optimizer == "muon" and (adam := known_best("adam")):
        here = min(adam[0] + 1, len(RATES) - 1), 0, adam[2]
    here = here or (RATES.index("3.2e-03"), 0, default)
    last = None
    while here != last:
        last = rate, start, bandwidth = here
        rate = climb(rate, len(RATES), 1, functools.partial(at, start=start, bandwidth=bandwidth))
        start = climb(start, len(STARTS), 1, functools.partial(at, rate, bandwidth=bandwidth))
        bandwidth = climb(bandwidth, len(values), reach, functools.partial(at, rate, start))
        here = rate, start, bandwidth
    return name, optimizer, [found for said, found in tried.items() if said not in before]


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


def of(tried: list[dict], optimizer: str) -> list[dict]:
    """Those of an optimizer."""
    return [found for found in tried if ("optimizer=muon" in found["line"]) == (optimizer == "muon")]


def setting(found: dict, *keys: str) -> str:
    """The value of the first of ``keys`` that the line has."""
    words = dict(word.split("=", 1) for word in found["line"].split())
    return next(words[key] for key in keys if key in words)


def best(results: dict[str, list[dict]], names: list[str]) -> tuple[list[str], list[tuple[str, list[dict | None]]]]:
    """The optimizers that were run, and the best of each row with each (None if not run), highest score first."""
    optimizers = [optimizer for optimizer in OPTIMIZERS if any(of(results.get(name, []), optimizer) for name in names)]
    rows = []
    for name in names:
        tried = [of(results.get(name, []), optimizer) for optimizer in optimizers]
        rows.append((name, [best_of(found) if found else None for found in tried]))
    return optimizers, sorted(rows, key=lambda row: -max((found["psnr"] for found in row[1] if found), default=0))


COLUMNS: dict[str, Callable[[dict], str]] = {
    "held out": lambda found: f"{found['psnr']:.2f} dB",
    "fitted": lambda found: f"{found['psnr_train']:.2f} dB",
    "rate": lambda found: setting(found, "optimizer.muon_lr", "optimizer.lr"),
    "initial output": lambda found: {"mean": "mean", "null": "random"}[setting(found, "model.output_init")],
    "parameters": lambda found: f"{found['parameters']:,}",
}


def as_table(results: dict[str, list[dict]], names: list[str]) -> str:
    optimizers, rows = best(results, names)
    titles = [f"{title}, {optimizer.title()}" for title in COLUMNS for optimizer in optimizers]
    lines = [f"| | {' | '.join(titles)} | settings |", "|---" * (len(titles) + 2) + "|"]
    for name, found_by in rows:
        cells = [column(found) if found else "" for column in COLUMNS.values() for found in found_by]
        kept = (
            " ".join(word for word in found["line"].split() if "optimizer" not in word and "output_init" not in word)
            for found in found_by
            if found
        )
        cells.append("; Muon: ".join(f"`{words}`" for words in dict.fromkeys(kept)))
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def by_bandwidth(name: str, tried: list[dict]) -> dict[str, list[float]]:
    """The best held-out PSNR of every picture by what sets the bandwidth, at any rate and start."""
    values: dict[str, list[float]] = {}
    for found in tried:
        value = setting(found, ROWS[name][1])
        values[value] = [max(pair) for pair in zip(found["each"], values.get(value, found["each"]), strict=True)]
    return values


def as_bandwidths(results: dict[str, list[dict]]) -> str:
    """What the best constant bandwidth of each row loses on each picture, in dB, and the best for each."""
    lines = ["| | setting | best constant | it loses | best for each |", "|---|---|---|---|---|"]
    for name, (_, key, _, _) in ROWS.items():
        found = by_bandwidth(name, results.get(name, [])) if key else {}
        if len(found) < 3:
            continue
        best = [max(scores) for scores in zip(*found.values(), strict=True)]
        lost = {value: [a - b for a, b in zip(best, scores, strict=True)] for value, scores in found.items()}
        constant = min(lost, key=lambda value: sum(lost[value]))
        each = [next(value for value in found if lost[value][place] == 0) for place in range(len(best))]
        shown = [_short(value) for value in (constant, *each)]
        cells = f"{shown[0]} | {', '.join(f'{value:.2f}' for value in lost[constant])} | {', '.join(shown[1:])}"
        lines.append(f"| {name} | `{key}` | {cells} |")
    return "\n".join(lines) + "\n"


def _short(value: str) -> str:
    """A value; of a list of octaves, their number."""
    octaves = value.count("num_frequencies") and value.partition("num_frequencies:")[2].partition("}")[0]
    return f"{octaves or value.count(',') + 1} octaves" if value.startswith("[") else value


def plot(results: dict[str, list[dict]], path: Path) -> None:
    from matplotlib.figure import Figure

    optimizers, rows = best(results, list(ROWS))
    rows = rows[::-1]
    names = [f"{name} (network)" if name in NETWORKS else name for name, _ in rows]
    figure = Figure(figsize=(7, 0.3 * len(rows) + 1), layout="constrained")
    axes = figure.subplots()
    for number, optimizer in enumerate(optimizers):
        for key, label, marker in (("psnr", "held-out pixels", "o"), ("psnr_train", "training pixels", "|")):
            values = [pair[number][key] if pair[number] else float("nan") for _, pair in rows]
            axes.plot(values, names, marker, color=f"C{number}", label=f"{optimizer.title()}, {label}")
    axes.set(xlabel="PSNR in dB, mean over the pictures")
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--only", nargs="+", default=list(ROWS), choices=list(ROWS))
    parser.add_argument("--optimizers", nargs="+", default=OPTIMIZERS, choices=OPTIMIZERS)
    parser.add_argument("--reach", type=int, default=2)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--output", type=Path, default=Path("comparison.json"))
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    results = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    with multiprocessing.get_context("spawn").Pool(arguments.jobs, quiet) as pool:
        pictures = [picture.absolute() for picture in arguments.pictures]
        work = functools.partial(tune, pictures=pictures, known=results, reach=arguments.reach)
        rows = [(name, optimizer) for optimizer in arguments.optimizers for name in arguments.only]
        for name, optimizer, tried in pool.imap_unordered(work, rows):
            results[name] = [*results.get(name, []), *tried]
            found = best_of(of(results[name], optimizer))
            print(f"{name}, {optimizer}: {found['psnr']:.2f} dB, {len(tried)} tried: {found['line']}", flush=True)
            arguments.output.write_text(as_json(results))
    if set(arguments.optimizers) == set(OPTIMIZERS):
        for title, names in (("encoders", list(ENCODERS)), ("networks", list(NETWORKS))):
            print(f"\n{title}\n\n{as_table(results, names)}")
        print(f"\nbandwidths\n\n{as_bandwidths(results)}")
        if arguments.plot:
            plot(results, arguments.plot)
