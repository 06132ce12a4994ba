"""Fields and classical reconstructions of the same measurements: tomography, magnetic resonance, inverse problems.

    python benchmarks/instruments.py ct [--size 128] [--angles 20]
    python benchmarks/instruments.py mri VOLUME.nii.gz [--crop 64 64 64]
    python benchmarks/instruments.py inverse IMAGE... [--size 256] [--sigmas 3 6] [--weights 1e-5 3e-5]

needs scikit-image. Seconds are of the reconstruction alone, without the imports. Weights of total variation are the
best of those listed, chosen by the true image: an upper bound for these methods. Fields have ffnet's defaults.
"""

import argparse
import itertools
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loops import processor
from torch.nn.functional import grid_sample

import ffnet
from ffnet.datasets import CTDataset, InverseDataset, MRIDataset

STEPS = 400
WEIGHTS = (1e-5, 3e-5, 1e-4, 3e-4, 1e-3)


def psnr(found: np.ndarray, truth: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(np.clip(found, 0, 1).astype(np.float64) - truth).mean()))


def timed(make: Callable[[], Any]) -> tuple[Any, float]:
    start = time.perf_counter()
    return make(), time.perf_counter() - start


def row(name: str, score: float, seconds: float, note: str = "") -> None:
    print(f"| {name} | {score:.2f} | {seconds:.1f} | {note} |", flush=True)


def grid(dataset: Any, size: tuple[int, ...], weight: float) -> np.ndarray:
    """The pixels or voxels themselves, as logits, with total variation, by Adam: no field between them.

    The same operator sees them, interpolated linearly.
    """
    values = torch.full((1, 1, *size), -2.0, requires_grad=True)
    optimizer = torch.optim.Adam([values], 0.1)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    batch = dataset.source.batch(torch.arange(dataset.source.size))

    def field(x: torch.Tensor) -> torch.Tensor:
        place = (2 * x - 1).view(1, *[1] * (len(size) - 1), -1, len(size))
        found = grid_sample(values.sigmoid(), place, align_corners=False, padding_mode="border")
        return found.flatten(2)[0].T

    for _ in range(STEPS):
        optimizer.zero_grad()
        loss = (dataset.operator(field, batch.queries) - batch.targets).square().mean()
        image = values.sigmoid()
        axes = range(2, image.ndim)
        steps = [image.diff(dim=axis, append=image.narrow(axis, -1, 1)) for axis in axes]
        squares = [step.square() for step in steps]
        loss = loss + weight * size[-1] * (torch.stack(squares).sum(0) + 1e-12).sqrt().mean()
        loss.backward()
        optimizer.step()
        schedule.step()
    return values.sigmoid().detach()[0, 0].numpy()


def grids(dataset: Any, truth: np.ndarray) -> None:
    found, seconds = timed(lambda: grid(dataset, truth.shape, 0.0))
    row("the grid itself", psnr(found, truth), seconds, f"Adam, {STEPS} steps")
    tried = []
    for weight in WEIGHTS:
        found, seconds = timed(lambda w=weight: grid(dataset, truth.shape, w))
        tried.append((psnr(found, truth), weight, seconds))
    score, weight, seconds = max(tried)
    row("the grid itself, total variation", score, seconds, f"weight {weight:g}, the best of {len(WEIGHTS)}")


def fit(name: str, signal: Any, **settings: Any) -> None:
    run = ffnet.fit(signal, progress=False, **settings)
    row(name, run.metrics["psnr"], run.metrics["seconds"], f"{run.metrics['steps']} steps")


def ct(arguments: argparse.Namespace) -> None:
    from skimage.transform import iradon, iradon_sart

    dataset = CTDataset(size=arguments.size, angles=arguments.angles)
    truth = dataset.pixels.targets.view(arguments.size, -1).numpy()
    found, seconds = timed(lambda: dataset.back_projection().numpy())
    row("filtered back-projection", psnr(found, truth), seconds)
    # Theirs has the detector axis first, y up, and lengths in pixels.
    sinogram = dataset.source.targets.view(dataset.shape).numpy().T * arguments.size
    theta = 180 * np.arange(arguments.angles) / arguments.angles
    theirs = sinogram.astype(float)
    for name, method in {
        "filtered back-projection, scikit-image, Hann": lambda: iradon(theirs, -theta, filter_name="hann", circle=True),
        "SART, scikit-image, 10 rounds": lambda: sart(iradon_sart, theirs, -theta),
    }.items():
        found, seconds = timed(method)
        row(name, psnr(found, truth), seconds)
    grids(dataset, truth)
    for encoder in ("identity", "positional", "gaussian"):
        settings = {"num_frequencies": 3} if encoder == "positional" else {}
        measured = ("ct", {"size": arguments.size, "angles": arguments.angles})
        fit(f"field, {encoder}", None, dataset=measured, encoder=(encoder, settings))


def sart(iradon_sart: Any, sinogram: np.ndarray, theta: np.ndarray) -> np.ndarray:
    found = None
    for _ in range(10):
        found = iradon_sart(sinogram, theta, image=found, clip=(0, 1))
    return found


def mri(arguments: argparse.Namespace) -> None:
    settings = {"crop": arguments.crop} if arguments.path else {"size": 128}
    dataset = MRIDataset(arguments.path, **settings)
    every = torch.arange(dataset.pixels.size)
    truth = dataset.pixels.batch(every).targets.view(dataset.grid).numpy()
    row("zero-filled", dataset.baselines()["zero-filled"]["psnr"], 0.0)
    grids(dataset, truth)
    for encoder in arguments.encoders:
        choice = (encoder, {"num_frequencies": 4}) if encoder == "positional" else encoder
        steps = {"max_steps": arguments.steps}
        fit(f"field, {encoder}", arguments.path, dataset=("mri", settings), encoder=choice, trainer=steps)


def classical(dataset: InverseDataset) -> dict[str, Callable[[], np.ndarray]]:
    from skimage import restoration

    measured, truth = dataset.measurement().numpy(), dataset.truth.numpy()
    if dataset.problem == "inpainting":
        missing = ~dataset.known.numpy()
        return {"biharmonic": lambda: restoration.inpaint_biharmonic(measured, missing, channel_axis=-1)}
    if dataset.problem == "denoising":
        noisy = dataset.source.targets.view(truth.shape).numpy()
        tv = lambda w: restoration.denoise_tv_chambolle(noisy, w, channel_axis=-1)  # noqa: E731
        # With an axis for one channel, theirs is wrong by 20 dB.
        shape, axis = (noisy, -1) if noisy.shape[-1] > 1 else (noisy[..., 0], None)
        means = lambda: restoration.denoise_nl_means(  # noqa: E731
            shape, h=0.08, sigma=0.1, fast_mode=True, channel_axis=axis
        ).reshape(truth.shape)
        best = max((0.05, 0.1, 0.15, 0.2), key=lambda w: psnr(tv(w), truth))
        return {f"total variation, weight {best:g}, the best of 4": lambda: tv(best), "non-local means": means}
    if dataset.problem == "deblurring":
        kernel = dataset.operator.psf.numpy()
        channels = lambda method: np.stack([method(measured[..., c]) for c in range(measured.shape[-1])], -1)  # noqa: E731
        balances = (1e-5, 1e-4, 1e-3, 1e-2)
        border = len(kernel) - 1  # theirs is periodic, which costs 1 to 3 dB at the border of a photograph

        def deconvolved(image: np.ndarray, balance: float) -> np.ndarray:
            padded = np.pad(image, border, mode="reflect")
            return restoration.wiener(padded, kernel, balance, clip=False)[border:-border, border:-border]

        wiener = lambda b: channels(lambda image: deconvolved(image, b))  # noqa: E731
        best = max(balances, key=lambda b: psnr(wiener(b), truth))
        return {f"Wiener, balance {best:g}, the best of 4": lambda: wiener(best)}
    return {}


def inverse(arguments: argparse.Namespace) -> None:
    for path in arguments.paths or [None]:
        for problem in arguments.problems:
            size = [arguments.size, arguments.size]
            settings = {"problem": problem, "size": size} | ({"noise": 0.005} if problem == "deblurring" else {})
            dataset = InverseDataset(path, **settings)
            truth = dataset.truth.numpy()
            print(f"| {path.name if path else 'the bundled image'}, {problem} | | | |")
            for name, scores in dataset.baselines().items():
                row(name, scores["psnr"], 0.0)
            for name, method in classical(dataset).items():
                found, seconds = timed(method)
                row(name, psnr(found, truth), seconds)
            for sigma, weight in itertools.product(arguments.sigmas, arguments.weights):
                chosen = {"encoder": {"sigma": sigma}} if sigma else {}
                chosen |= {"regularizers": {"tv": {"weight": weight}}} if weight is not None else {}
                name = ", ".join(f"{k} {v:g}" for k, v in (("sigma", sigma), ("tv", weight)) if v is not None)
                fit(f"field {name}", path, dataset=("inverse", settings), **chosen)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    kinds = parser.add_subparsers(dest="kind", required=True)
    one = kinds.add_parser("ct")
    one.add_argument("--size", type=int, default=128)
    one.add_argument("--angles", type=int, default=20)
    one.set_defaults(run=ct)
    two = kinds.add_parser("mri")
    two.add_argument("path", nargs="?", type=Path)
    two.add_argument("--crop", type=int, nargs=3, default=[64, 64, 64])
    two.add_argument("--steps", type=int, default=300)
    two.add_argument("--encoders", nargs="+", default=["identity", "positional", "gaussian"])
    two.set_defaults(run=mri)
    three = kinds.add_parser("inverse")
    three.add_argument("paths", nargs="*", type=Path)
    three.add_argument("--size", type=int, default=256)
    three.add_argument("--problems", nargs="+", default=["inpainting", "superresolution", "deblurring", "denoising"])
    three.add_argument("--sigmas", type=float, nargs="+", default=[None], help="bandwidths in place of the default")
    three.add_argument("--weights", type=float, nargs="+", default=[None], help="of total variation, likewise")
    three.set_defaults(run=inverse)
    chosen = parser.parse_args()
    for logger in ("lightning.pytorch", "ffnet"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    print(f"{processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}\n")
    print("| | PSNR, dB | seconds | |\n|---|---|---|---|")
    chosen.run(chosen)
