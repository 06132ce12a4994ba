"""ffnet's ``experiment=tancik2020/natural`` beside the same protocol written out in plain PyTorch.

    python benchmarks/protocol.py PICTURE [--steps 300] [--mappings identity positional gaussian]

The plain loop imports nothing of ffnet. It prints the PSNR on the pixels [1::2, 1::2] of both, and their
difference.
"""

import argparse
import itertools
import json
import math
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import nn

RATES = {"identity": 1e-2, "positional": 1e-3, "gaussian": 1e-3}


def matrix(mapping: str) -> torch.Tensor | None:
    if mapping == "gaussian":
        generator = torch.Generator().manual_seed(0)
        return (10 * torch.randn(256, 2, generator=generator, dtype=torch.float64)).float()
    if mapping == "positional":
        frequencies = 2 ** np.linspace(0, 6, 128) - 1
        return torch.tensor(np.reshape(np.eye(2) * frequencies[:, None, None], (256, 2)), dtype=torch.float32)
    return None


def plain(picture: Path, mapping: str, steps: int) -> float:
    pixels = torch.tensor(np.asarray(Image.open(picture).convert("RGB"))) / 255
    axis = torch.arange(512) / 512
    grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)
    B = matrix(mapping)

    def encode(x: torch.Tensor) -> torch.Tensor:
        if B is None:
            return x
        phase = 2 * math.pi * x @ B.T
        return torch.cat([phase.sin(), phase.cos()], -1)

    x, y = encode(grid[::2, ::2]).reshape(256 * 256, -1), pixels[::2, ::2].reshape(-1, 3)
    torch.manual_seed(0)
    sizes = [x.shape[-1], 256, 256, 256, 3]
    layers = [nn.Linear(i, o) for i, o in itertools.pairwise(sizes)]
    for layer in layers:
        nn.init.xavier_normal_(layer.weight)
        nn.init.normal_(layer.bias, std=0.01)
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1], nn.ReLU(), layers[2], nn.ReLU(), layers[3], nn.Sigmoid())
    optimizer = torch.optim.Adam(network.parameters(), lr=RATES[mapping])
    for _ in range(steps):
        optimizer.zero_grad()
        loss = 0.5 * (network(x) - y).square().mean()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        x, y = encode(grid[1::2, 1::2]).reshape(256 * 256, -1), pixels[1::2, 1::2].reshape(-1, 3)
        return -10 * math.log10((network(x) - y).square().mean().item())


def ffnet(picture: Path, mapping: str, steps: int) -> float:
    from ffnet.cli import main

    with tempfile.TemporaryDirectory() as folder:
        overrides = [
            "experiment=tancik2020/natural",
            f"encoder={mapping}",
            f"dataset.path={picture}",
            f"trainer.max_steps={steps}",
            f"hydra.run.dir={folder}/run",
            "callbacks.evaluation.every_n_steps=null",
            "callbacks.pictures.every_n_steps=null",
        ]
        if code := main(["fit", *overrides]):
            raise SystemExit(code)
        return json.loads((Path(folder) / "run" / "metrics.json").read_text())["psnr"]


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("picture", type=Path)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--mappings", nargs="+", default=list(RATES), choices=list(RATES))
    parser.add_argument("--only", choices=["plain", "ffnet"])
    arguments = parser.parse_args()
    for mapping in arguments.mappings:
        figures = {}
        for run in (plain, ffnet):
            if arguments.only in (None, run.__name__):
                start = time.perf_counter()
                figures[run.__name__] = run(arguments.picture, mapping, arguments.steps)
                print(f"{run.__name__:6} {time.perf_counter() - start:7.1f} s", flush=True)
        if len(figures) == 2:
            figures["difference"] = figures["ffnet"] - figures["plain"]
        print(mapping, ", ".join(f"{name} {value:.3f} dB" for name, value in figures.items()), flush=True)
