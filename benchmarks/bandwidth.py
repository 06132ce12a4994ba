"""Which sigma of Gaussian Fourier features fits a signal best, and what rules that choose it beforehand lose.

    pip install scipy nibabel pydicom
    python benchmarks/bandwidth.py FOLDER --output bandwidth.json --minutes 2     # again until nothing is left
    python benchmarks/bandwidth.py FOLDER --output bandwidth.json --rules

FOLDER holds ``images/div2k_512/train_data``, ``images/text_512/train_data``, ``images/kodak``, ``images/skimage``,
``ct`` and ``mri``. Every signal has 256x256 pixels; the paper's network is trained on ``[::2, ::2]`` for 500 steps and
scored on ``[1::2, 1::2]``, at sigmas from 1.4 to 22.6 an octave apart, further where the best is at an end, and half
octaves next to the best. Regret is the best score of a signal minus that at the sigma chosen, in dB, linear in log
sigma between those run. What is in ``--output`` is not run again. ``--rules`` judges the signals that have all octaves.
"""

import argparse
import json
import logging
import math
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import scipy.fft
import torch
from omegaconf import OmegaConf
from PIL import Image

import ffnet
from ffnet.cli.compose import compose_config
from ffnet.cli.parts import instantiated, make_parts
from ffnet.kernels import InfiniteMLP, axis_steps

SIDE = 256
SIGMAS = [2 ** (k / 2) for k in range(-1, 12)]
# Places of those that every signal gets, an octave apart, in the order of the runs.
OCTAVES = (8, 6, 4, 10, 2)
# Those among which rules on kernels choose.
FINE = [2 ** (k / 4) for k in range(-2, 23)]
KINDS = ["natural", "text", "kodak", "pattern", "noise", "other"]
Array = np.ndarray


def reduced(path: Path) -> Array:
    """The central square, by an area filter."""
    image = Image.open(path)
    image = image.convert("L" if image.mode in ("1", "L", "I;16", "LA") else "RGB")
    side = min(image.size)
    left, top = ((length - side) // 2 for length in image.size)
    image = image.resize((SIDE, SIDE), Image.Resampling.BOX, (left, top, left + side, top + side))
    return np.asarray(image)


def cropped(path: Path) -> Array:
    image = Image.open(path).convert("RGB")
    left, top = ((length - SIDE) // 2 for length in image.size)
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def grey(values: Array) -> Array:
    """Values in [0, 1] as 8 bits."""
    return (values.clip(0, 1) * 255).round().astype(np.uint8)


def checkerboard(period: int) -> Array:
    y, x = np.mgrid[:SIDE, :SIDE] // (period // 2)
    return grey(((x + y) % 2).astype(float))


def noise(power: float) -> Array:
    """Noise whose amplitude falls as ``f^-power``, of mean 0.5 and standard deviation 0.16."""
    generator = np.random.default_rng(int(10 * power))
    frequency = np.hypot(*np.meshgrid(np.fft.fftfreq(SIDE, 1 / SIDE), np.fft.fftfreq(SIDE, 1 / SIDE)))
    frequency[0, 0] = np.inf
    values = np.fft.ifft2(np.fft.fft2(generator.standard_normal((SIDE, SIDE))) * frequency**-power).real
    return grey(0.5 + 0.16 * values / values.std())


def starfield() -> Array:
    """300 stars of Gaussian shape on black."""
    generator = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    values = np.zeros((SIDE, SIDE))
    for _ in range(300):
        row, column = generator.uniform(0, SIDE, 2)
        width, height = generator.uniform(0.5, 1.3), generator.exponential(0.4)
        values += height * np.exp(-((x - column) ** 2 + (y - row) ** 2) / (2 * width**2))
    return grey(values)


def slice_of_mri(path: Path) -> Array:
    import nibabel

    values = np.asarray(nibabel.load(path).dataobj)[:, :, 90].astype(np.float32)
    return np.asarray(Image.fromarray(grey(values / values.max())).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def slice_of_ct(path: Path) -> Array:
    import pydicom

    values = pydicom.dcmread(path).pixel_array.astype(np.float32)
    values = (values - values.min()) / (values.max() - values.min())
    return np.asarray(Image.fromarray(grey(values)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def signals(folder: Path) -> dict[str, Callable[[], Array]]:
    """By ``kind/name``, functions that make them."""
    images = folder / "images"
    found: dict[str, Callable[[], Array]] = {}
    for kind, place in (("natural", "div2k_512"), ("text", "text_512")):
        for path in sorted((images / place / "train_data").glob("*.png"))[:4]:
            found[f"{kind}/{path.stem}"] = lambda path=path: reduced(path)
    for number, path in enumerate(sorted((images / "kodak").glob("*.png"))[:4]):
        make = (reduced, cropped)[number % 2]
        found[f"kodak/{path.stem}-{make.__name__}"] = lambda path=path, make=make: make(path)
    for period in (4, 16, 64):
        found[f"pattern/checkerboard-{period}"] = lambda period=period: checkerboard(period)
    found["pattern/ramp"] = lambda: grey(np.tile(np.linspace(0, 1, SIDE), (SIDE, 1)))
    found["pattern/stars"] = starfield
    found["pattern/phantom"] = lambda: reduced(folder / "ct" / "shepp_logan_phantom.png")
    for power in (0.0, 1.0, 1.5):
        found[f"noise/f^-{power:g}"] = lambda power=power: noise(power)
    for name in ("brick.png", "page.png"):
        found[f"other/{name}"] = lambda name=name: reduced(images / "skimage" / name)
    found["other/ct"] = lambda: slice_of_ct(folder / "ct" / "CT_small.dcm")
    found["other/mri"] = lambda: slice_of_mri(next((folder / "mri").glob("*.nii.gz")))
    return found


def score(image: Array, sigma: float, steps: int, seed: int) -> float:
    """PSNR on held-out pixels."""
    run = ffnet.fit(
        image,
        recipe="paper",
        encoder=("gaussian", {"sigma": sigma}),
        dataset={"split": "half"},
        trainer={"max_steps": steps},
        seed=seed,
        progress=False,
        overrides=["~callbacks.views", "callbacks.evaluation.every_n_steps=1000000"],
    )
    return run.scores["psnr"]


def wanted(scores: dict[str, float]) -> list[float]:
    """The sigmas to run next: every second one in the middle, on to an end if the best is at its side, and both
    neighbours of the best."""
    coarse = [SIGMAS[place] for place in OCTAVES if name_of(SIGMAS[place]) not in scores]
    if coarse:
        return coarse
    best = SIGMAS.index(max((sigma for sigma in SIGMAS if name_of(sigma) in scores), key=lambda s: scores[name_of(s)]))
    near = [place for place in (best - 2, best + 2, best - 1, best + 1) if 0 <= place < len(SIGMAS)]
    return [SIGMAS[place] for place in near if name_of(SIGMAS[place]) not in scores]


def name_of(sigma: float) -> str:
    return f"{sigma:.4g}"


def sweep(arguments: argparse.Namespace) -> None:
    """Runs what is missing until the time is over."""
    logging.disable(logging.INFO)
    output, end = arguments.output, time.monotonic() + 60 * arguments.minutes
    found = json.loads(output.read_text()) if output.exists() else {}
    makers = {n: make for n, make in signals(arguments.folder).items() if n.partition("/")[0] in arguments.kinds}
    while True:
        missing = {name: next(iter(wanted(found.setdefault(name, {}))), None) for name in makers}
        if set(missing.values()) == {None}:
            print("nothing left")
            return
        fewest = min(len(found[name]) for name, sigma in missing.items() if sigma)
        name = next(name for name, sigma in missing.items() if sigma and len(found[name]) == fewest)
        sigma = missing[name]
        if time.monotonic() > end:
            return
        began = time.perf_counter()
        found[name][name_of(sigma)] = round(score(makers[name](), sigma, arguments.steps, arguments.seed), 4)
        output.write_text(json.dumps(found, indent=1))
        print(f"{name} {sigma:.4g} {found[name][name_of(sigma)]} {time.perf_counter() - began:.1f} s", flush=True)


def known(image: Array) -> Array:
    """The training pixels (n, n, c), values in [0, 1]."""
    values = image[::2, ::2].astype(float) / 255
    return values if values.ndim == 3 else values[..., None]


def powers(pixels: Array) -> Array:
    """Power by frequency (n, n) of an image that is mirrored at its edges, in half cycles per unit; 0 of the mean."""
    found = np.square(scipy.fft.dctn(pixels, axes=(0, 1), norm="ortho")).sum(-1)
    found[0, 0] = 0
    return found


def kernels(sigma: float, count: int) -> tuple[Array, Array]:
    """Eigenvalues of the covariance of the paper's untrained network and of its NTK, in the limit of infinitely many
    features and units, on count x count pixels mirrored at the edges."""
    distances = sum(step.square() for step in torch.meshgrid(*2 * [axis_steps(count)], indexing="ij"))
    norm = torch.tensor(256.0, dtype=torch.float64)
    gap = -2 * norm * torch.expm1(-2 * (math.pi * sigma) ** 2 * distances)
    both = InfiniteMLP(3, "relu", "torch", width=256).propagate(norm, norm, gap, 512)
    nngp, ntk = (torch.fft.fft2(kernel).real[:count, :count].clamp(min=0).numpy() for kernel in both)
    return nngp, ntk


def spectral(pixels: Array, found: list[tuple[Array, Array]]) -> list[float]:
    """For each sigma, minus the Wasserstein distance of the image's spectrum from the untrained network's."""
    frequency = np.hypot(*np.mgrid[: len(pixels), : len(pixels)])
    order = np.argsort(frequency, axis=None)

    def cumulated(power: Array) -> Array:
        power = power.flatten()[order].copy()
        power[0] = 0
        return power.cumsum() / power.sum()

    target, gaps = cumulated(powers(pixels)), np.diff(frequency.flatten()[order], append=0)
    return [-np.abs(cumulated(nngp) - target)[:-1] @ gaps[:-1] for nngp, _ in found]


def cross_validated(pixels: Array, found: list[tuple[Array, Array]], time: float) -> list[float]:
    """For each sigma, the PSNR that generalised cross-validation predicts for descent with the NTK for ``time``."""
    power, scores = powers(pixels), []
    for _, ntk in found:
        left = np.exp(-ntk * time)  # of a frequency's error
        scores.append(-10 * np.log10((left**2 * power).sum() / pixels.size / left.mean() ** 2))
    return scores


def automatic(image: Array) -> float:
    """The choice of ``encoder.sigma=auto``."""
    line = ["recipe=paper", "encoder.sigma=auto", "dataset.split=half", "run_dir=."]
    settings: dict = OmegaConf.to_container(compose_config("fit", line), resolve=True)
    make_parts(settings, instantiated, image)
    return settings["model"]["encoder"]["sigma"]


def regret(scores: dict[str, float], sigma: float) -> float:
    """The best score minus that at ``sigma``; beyond the sigmas that were run, the scores go on as between the last."""
    tried = [value for value in SIGMAS if name_of(value) in scores]
    found, places = [scores[name_of(value)] for value in tried], np.log2(tried)
    place = np.log2(sigma)
    at = np.interp(place, places, found)
    if place > places[-1]:
        at += (place - places[-1]) * (found[-1] - found[-2]) / (places[-1] - places[-2])
    elif place < places[0]:
        at += (place - places[0]) * (found[1] - found[0]) / (places[1] - places[0])
    return max(0.0, max(found) - at)


def rules(folder: Path, output: Path) -> None:
    """Prints the scores, and the regret of each rule: mean, 95th percentile and worst, and the means by kind."""
    logging.disable(logging.INFO)
    found = json.loads(output.read_text())
    found = {name: scores for name, scores in found.items() if name in signals(folder)}
    print_scores(found)
    octaves = {name_of(SIGMAS[place]) for place in OCTAVES}
    images = {name: make() for name, make in signals(folder).items() if octaves <= set(found.get(name, {}))}
    print(f"\n{len(images)} of {len(signals(folder))} signals, whose octaves are complete\n")
    if not images:
        return
    tables = [kernels(sigma, SIDE // 2) for sigma in FINE]
    choices: dict[str, dict[str, float]] = {f"constant {sigma:.3g}": dict.fromkeys(images, sigma) for sigma in SIGMAS}
    times = 10 ** np.linspace(-3, 2, 11)
    for name, image in images.items():
        pixels = known(image)
        choices.setdefault("spectra", {})[name] = FINE[int(np.argmax(spectral(pixels, tables)))]
        by_time = [FINE[int(np.argmax(cross_validated(pixels, tables, time)))] for time in times]
        for duration, sigma in zip(times, by_time, strict=True):
            choices.setdefault(f"kernel, time {duration:.2g}", {})[name] = sigma
        choices.setdefault("kernel, best time of each", {})[name] = min(by_time, key=lambda s: regret(found[name], s))
        choices.setdefault("auto", {})[name] = automatic(image)
    kinds = sorted({name.partition("/")[0] for name in images})
    print("| rule | mean | 95 % | worst |", " | ".join(kinds), "|")
    print("|---|---|---|---|" + "---|" * len(kinds))
    for rule, chosen in choices.items():
        lost = {name: regret(found[name], sigma) for name, sigma in chosen.items()}
        values = list(lost.values())
        means = [np.mean([value for name, value in lost.items() if name.startswith(f"{kind}/")]) for kind in kinds]
        cells = [np.mean(values), np.percentile(values, 95), max(values), *means]
        print(f"| {rule} |", " | ".join(f"{cell:.2f}" for cell in cells), "|", max(lost, key=lambda name: lost[name]))


def print_scores(found: dict[str, dict[str, float]]) -> None:
    """Prints PSNR by signal and sigma."""
    print("| signal |", " | ".join(f"{sigma:.3g}" for sigma in SIGMAS), "|")
    print("|---|" + "---|" * len(SIGMAS))
    for name, scores in found.items():
        print(f"| {name} |", " | ".join(f"{scores[k]:.2f}" if (k := name_of(s)) in scores else "" for s in SIGMAS), "|")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--output", type=Path, default=Path("bandwidth.json"))
    parser.add_argument("--minutes", type=float, default=1e6)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", default=KINDS, choices=KINDS)
    parser.add_argument("--rules", action="store_true")
    arguments = parser.parse_args()
    if arguments.rules:
        rules(arguments.folder, arguments.output)
    else:
        sweep(arguments)
