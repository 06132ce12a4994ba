"""PSNR against training seconds: the recipes beside a plain loop, each picture in turn.

    pip install matplotlib
    python benchmarks/recipes.py PICTURE... --seconds 60 --output benchmarks/recipes.json --plot docs/recipes.png

``plain`` is Adam at 1e-3 in a PyTorch loop in float32 with batches of 8192 pixels, for ``--seconds`` seconds.
``adam`` and ``muon`` take the same steps of the same size with the same network, the paper's; the recipes have another.
Pictures whose curves are in ``--output`` already are not run again, so that a long run can be cut into parts.
All pixels are trained on and scored; the clock stands still while scores are computed.
"""

import argparse
import json
import logging
import math
import time
from pathlib import Path

import numpy as np
import torch
from loops import assembled, encode, network
from PIL import Image

from ffnet.fitting import evaluate
from ffnet.training import KnowsSpans

PAPER = ["trainer.max_steps=2000", "dataset.batch_size=8192"]
RECIPES = {
    "adam": ["recipe=paper", "optimizer.lr=8e-3", *PAPER],
    "muon": ["recipe=paper", "optimizer=muon", *PAPER],
    "default": [],
    "quality": ["recipe=quality"],
    "fast": ["recipe=fast"],
}
Curve = list[tuple[float, float]]


class Scores(KnowsSpans):
    """Notes (training seconds, PSNR) about every so many seconds of training."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.curve = seconds, []

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if pl_module.due(None) or pl_module.seconds - (self.curve[-1][0] if self.curve else 0) > self.seconds:
            psnr = evaluate(pl_module.field, pl_module.dataset)["psnr"]
            self.curve.append((pl_module.seconds, psnr))


def recipe(picture: Path, overrides: list[str]) -> tuple[Curve, int]:
    still = ["~callbacks.evaluation", "~callbacks.views"]
    module, trainer = assembled([f"dataset.path={picture}", *still, *overrides])
    scores = Scores(8.0 if "recipe=paper" in overrides else 0.5)
    trainer.callbacks.append(scores)
    trainer.fit(module)
    return scores.curve, sum(p.numel() for p in module.field.parameters())


def plain(picture: Path, seconds: float) -> tuple[Curve, int]:
    pixels = torch.tensor(np.asarray(Image.open(picture).convert("RGB")))
    height, width, _ = pixels.shape
    colours = pixels.reshape(-1, 3) / 255
    y, x = torch.meshgrid((torch.arange(height) + 0.5) / height, (torch.arange(width) + 0.5) / width, indexing="ij")
    points = torch.stack([x, y], -1).reshape(-1, 2)
    B = 10 * torch.randn(256, 2, generator=torch.Generator().manual_seed(0))
    torch.manual_seed(0)
    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    spent, curve = 0.0, []
    while spent < seconds:
        start = time.perf_counter()
        for _ in range(20):
            chosen = torch.randint(len(points), (8192,))
            optimizer.zero_grad()
            (model(encode(points[chosen], B)) - colours[chosen]).square().mean().backward()
            optimizer.step()
        spent += time.perf_counter() - start
        if spent >= seconds or spent - (curve[-1][0] if curve else 0) > 15:
            with torch.no_grad():
                error = sum(
                    (model(encode(p, B)) - c).square().sum().item()
                    for p, c in zip(points.split(16384), colours.split(16384), strict=True)
                )
            curve.append((spent, -10 * math.log10(error / colours.numel())))
    return curve, sum(p.numel() for p in model.parameters())


def plot(results: dict, path: Path) -> None:
    import matplotlib.pyplot as plt

    _, axes = plt.subplots(figsize=(7, 4))
    for name, curves in results.items():
        end = min(curve[-1][0] for curve in curves.values())
        at = np.geomspace(max(curve[0][0] for curve in curves.values()), end, 40)
        mean = np.mean([np.interp(at, *zip(*curve, strict=True)) for curve in curves.values()], axis=0)
        axes.plot(at, mean, label=name)
    axes.set(xscale="log", xlabel="training time in s", ylabel="PSNR in dB, all pixels", title="mean over pictures")
    axes.grid(alpha=0.3)
    axes.legend()
    plt.tight_layout()
    plt.savefig(path, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("pictures", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    results: dict[str, dict[str, Curve]] = {name: {} for name in ("plain", *RECIPES)}
    if arguments.output and arguments.output.exists():
        results = json.loads(arguments.output.read_text())
    for picture in arguments.pictures:
        if picture.name in results["plain"]:
            continue
        row = {}
        for name in results:
            curve, parameters = plain(picture, arguments.seconds) if name == "plain" else recipe(picture, RECIPES[name])
            results[name][picture.name] = curve
            row[name] = f"{curve[-1][1]:.2f} dB after {curve[-1][0]:.1f} s ({parameters} parameters)"
        print(picture.name, row, flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps(results) + "\n")
    for name, curves in results.items():
        mean = [np.mean([curve[-1][k] for curve in curves.values()]) for k in (0, 1)]
        print(f"{name:8} {mean[1]:.2f} dB after {mean[0]:.1f} s, mean over {len(curves)} pictures")
    reached = {
        picture: next((s for s, psnr in curve if psnr >= results["plain"][picture][-1][1]), math.inf)
        for picture, curve in results["fast"].items()
    }
    print("seconds until fast reaches plain's last score:", {picture: round(s, 2) for picture, s in reached.items()})
    print(f"mean {np.mean(list(reached.values())):.2f} s")
    if arguments.plot:
        plot(results, arguments.plot)
