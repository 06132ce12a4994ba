"""PSNR against training seconds: the recipes and a plain loop, image by image.

    pip install matplotlib
    python benchmarks/recipes.py IMAGE... --seconds 30 --output recipes.json --plot docs/recipes.png

``plain`` is a PyTorch loop in float32 with the network of ``recipe=paper``, Adam at 1e-3 and batches of 8192 pixels,
for ``--seconds`` seconds. Images whose curves are in ``--output`` are not run again, so that a long run can be cut into
parts. All pixels are trained on and scored; the clock stands still while scores are computed.
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

RECIPES = {
    "recipe=paper": ["recipe=paper"],
    "recipe=fast": ["recipe=fast"],
    "default": [],
    "recipe=quality": ["recipe=quality"],
}
Curve = list[tuple[float, float]]


def due(seconds: float, curve: Curve) -> bool:
    """Whether ``curve`` needs a point: the first after half a second, each next one 1.4 times as late."""
    return seconds > (1.4 * curve[-1][0] if curve else 0.5)


class Scores(KnowsSpans):
    """Notes (training seconds, PSNR)."""

    def __init__(self) -> None:
        self.curve: Curve = []

    def on_train_batch_end(self, trainer, pl_module, *_) -> None:
        if pl_module.due(None) or due(pl_module.seconds, self.curve):
            psnr = evaluate(pl_module.field, pl_module.dataset)["psnr"]
            self.curve.append((pl_module.seconds, psnr))


def recipe(image: Path, overrides: list[str]) -> tuple[Curve, int]:
    still = ["~callbacks.evaluation", "~callbacks.views"]
    module, trainer = assembled([f"dataset.path={image}", *still, *overrides])
    scores = Scores()
    trainer.callbacks.append(scores)
    trainer.fit(module)
    return scores.curve, sum(p.numel() for p in module.field.parameters())


def plain(image: Path, seconds: float) -> tuple[Curve, int]:
    pixels = torch.tensor(np.asarray(Image.open(image).convert("RGB")))
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
        if spent >= seconds or due(spent, curve):
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
    axes.set(xscale="log", xlabel="training time in s", ylabel="PSNR in dB, all pixels")
    axes.set_title(f"mean over {len(results['plain'])} images")
    axes.grid(alpha=0.3)
    axes.legend()
    plt.tight_layout()
    plt.savefig(path, dpi=130)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", type=Path, nargs="+")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--output", type=Path)
    parser.add_argument("--plot", type=Path)
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    results: dict[str, dict[str, Curve]] = {name: {} for name in ("plain", *RECIPES)}
    if arguments.output and arguments.output.exists():
        results = json.loads(arguments.output.read_text())
    for image in arguments.images:
        if image.name in results["plain"]:
            continue
        row = {}
        for name in results:
            curve, parameters = plain(image, arguments.seconds) if name == "plain" else recipe(image, RECIPES[name])
            results[name][image.name] = curve
            row[name] = f"{curve[-1][1]:.2f} dB after {curve[-1][0]:.1f} s ({parameters} parameters)"
        print(image.name, row, flush=True)
        if arguments.output:
            arguments.output.write_text(json.dumps(results) + "\n")
    for name, curves in results.items():
        mean = [np.mean([curve[-1][k] for curve in curves.values()]) for k in (0, 1)]
        print(f"{name:14} {mean[1]:.2f} dB after {mean[0]:.1f} s, mean over {len(curves)} images")
    reached = {
        image: next((s for s, psnr in curve if psnr >= results["plain"][image][-1][1]), math.inf)
        for image, curve in results["recipe=fast"].items()
    }
    print("seconds until recipe=fast reaches plain's last score:", {image: round(s, 2) for image, s in reached.items()})
    print(f"mean {np.mean(list(reached.values())):.2f} s")
    if arguments.plot:
        plot(results, arguments.plot)
