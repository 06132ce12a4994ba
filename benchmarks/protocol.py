"""ffnet's ``experiment=tancik2020/natural`` beside the same protocol written out in plain PyTorch.

    python benchmarks/protocol.py PICTURE [--steps 300] [--mappings identity positional gaussian]

The plain loop imports nothing of ffnet. Both are scored on the pixels [1::2, 1::2] at the same steps: half way,
and every tenth of the last hundred steps. Adam at a constant rate throws the loss up for single steps now and then,
at steps that rounding decides, so the last hundred steps are compared by their median.
"""

import argparse
import itertools
import logging
import math
import statistics
import time
from pathlib import Path

import numpy as np
import torch
from loops import assembled
from PIL import Image
from torch import nn

from ffnet.fitting import evaluate
from ffnet.training import KnowsSpans

RATES = {"identity": 1e-2, "positional": 1e-3, "gaussian": 1e-3}


def matrix(mapping: str) -> torch.Tensor | None:
    if mapping == "gaussian":
        generator = torch.Generator().manual_seed(0)
        return (10 * torch.randn(256, 2, generator=generator, dtype=torch.float64)).float()
    if mapping == "positional":
        frequencies = 2 ** np.linspace(0, 6, 128) - 1
        return torch.tensor(np.reshape(np.eye(2) * frequencies[:, None, None], (256, 2)), dtype=torch.float32)
    return None


def scored_at(steps: int) -> list[int]:
    return [steps // 2, *range(steps - 90, steps + 1, 10)]


def plain(picture: Path, mapping: str, steps: int) -> list[float]:
    pixels = torch.tensor(np.asarray(Image.open(picture).convert("RGB"))) / 255
    axis = torch.arange(512) / 512
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    B = matrix(mapping)

    def encode(x: torch.Tensor) -> torch.Tensor:
        if B is None:
            return x
        phase = 2 * math.pi * x @ B.T
        return torch.cat([phase.sin(), phase.cos()], -1)

    def points(start: int) -> list[tuple[torch.Tensor, torch.Tensor]]:
        x, y = encode(grid[start::2, start::2]).reshape(256 * 256, -1), pixels[start::2, start::2].reshape(-1, 3)
        return list(zip(x.split(8192), y.split(8192), strict=True))  # gradients of eight parts add up

    training, test = points(0), points(1)
    torch.manual_seed(0)
    layers = [nn.Linear(i, o) for i, o in itertools.pairwise([training[0][0].shape[-1], 256, 256, 256, 3])]
    for layer in layers:
        nn.init.xavier_normal_(layer.weight)
        nn.init.normal_(layer.bias, std=0.01)
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2], nn.ReLU(), layers[3], nn.Sigmoid())
    optimizer = torch.optim.Adam(network.parameters(), lr=RATES[mapping])
    scores = []
    for step in range(1, steps + 1):
        optimizer.zero_grad()
        for x, y in training:
            (0.5 * (network(x) - y).square().mean() / len(training)).backward()
        optimizer.step()
        if step in scored_at(steps):
            with torch.no_grad():
                mse = sum((network(x) - y).square().mean().item() for x, y in test) / len(test)
            scores.append(-10 * math.log10(mse))
    return scores


def ffnet(picture: Path, mapping: str, steps: int) -> list[float]:
    scores = []

    class Scores(KnowsSpans):
        def setup(self, trainer, pl_module, stage):
            pl_module.stop_at(10)

        def on_train_batch_end(self, trainer, pl_module, *_):
            if pl_module.step in scored_at(steps):
                scores.append(evaluate(pl_module.field, pl_module.dataset)["psnr"])

    protocol = ["experiment=tancik2020/natural", f"encoder={mapping}", f"trainer.max_steps={steps}"]
    module, trainer = assembled([*protocol, f"dataset.path={picture}", "~callbacks.evaluation", "~callbacks.views"])
    trainer.callbacks.append(Scores())
    trainer.fit(module)
    return scores


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--mappings", nargs="+", default=list(RATES), choices=list(RATES))
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    for mapping in arguments.mappings:
        figures = {}
        for run in (plain, ffnet):
            start = time.perf_counter()
            half, *last = run(arguments.picture, mapping, arguments.steps)
            figures[run.__name__] = half, statistics.median(last)
            print(f"{run.__name__:6} {time.perf_counter() - start:6.1f} s, {half:.3f}, {np.round(last, 2)}", flush=True)
        for index, when in enumerate(("half way", "last hundred steps, median")):
            p, f = figures["plain"][index], figures["ffnet"][index]
            print(f"{mapping}, {when}: plain {p:.3f} dB, ffnet {f:.3f} dB, difference {f - p:+.3f} dB", flush=True)
