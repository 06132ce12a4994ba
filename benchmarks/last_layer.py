"""The last linear layer in closed form, as a start and at the end of training: PSNR either way.

    python benchmarks/last_layer.py IMAGE...

The layer minimizes the mean squared error over all pixels, given the hidden features: least squares if no activation
follows it; else Gauss-Newton steps, each of which is a weighted least squares problem per channel. As a start, it is
fitted to the logits of the colours, by least squares. Normal equations are summed in float64, block by block. Figures
are PSNR at the pixels and between them, against cubic convolution.
"""

import argparse
import logging
import math
import time
from collections.abc import Sequence
from pathlib import Path

import torch
from loops import assembled
from torch import Tensor, nn

from ffnet.datasets import ImageDataset, Source
from ffnet.datasets.image import PixelsAndBetween
from ffnet.fitting import evaluate

ROWS = {
    "`recipe=paper`": ["recipe=paper"],
    "`recipe=paper`, 100 steps": ["recipe=paper", "trainer.max_steps=100"],
    "`recipe=paper schedule=constant`": ["recipe=paper", "schedule=constant"],
    "`recipe=paper model.output_activation=null`": ["recipe=paper", "model.output_activation=null"],
    "default": [],
    "default, 100 steps": ["trainer.max_steps=100"],
    "default, `schedule=constant`": ["schedule=constant"],
    "`recipe=fast`": ["recipe=fast"],
}
ROUNDS, BLOCK = 3, 8192
# Relative to the mean of the diagonal; at the start, features are nearly dependent.
RIDGE, RIDGE_AT_START = 1e-9, 1e-5


def newton_step(hidden: Tensor, slopes: Tensor, errors: Tensor) -> tuple[Tensor, Tensor]:
    """Normal equations of the output layer, (c, k, k) and (c, k), from hidden features (n, k), slopes of the output
    activation (n, c) and errors of the values (n, c)."""
    weighted = hidden[:, None] * slopes[..., None]  # (n, c, k)
    matrix = torch.einsum("nck,ncl->ckl", weighted, weighted)
    return matrix.double(), torch.einsum("nck,nc->ck", weighted, errors).double()


@torch.no_grad()
def solve(field: nn.Module, pixels: Source, rounds: int = 1, start: bool = False) -> None:
    """Sets the last linear layer of ``field`` to the least squares solution over all pixels, in place."""
    *body, last = field.network
    activation = nn.Identity()
    if not isinstance(last, nn.Linear):
        activation, last = last, body.pop()
    sigmoid = isinstance(activation, nn.Sigmoid)
    if start:
        activation = nn.Identity()
    body = nn.Sequential(field.encoder, *body)
    for _ in range(rounds):
        matrix, right = 0, 0
        for index in torch.arange(pixels.size).split(BLOCK):
            batch = pixels.batch(index)
            hidden = body(batch.queries)
            hidden = torch.cat([hidden, torch.ones(len(hidden), 1)], 1)  # the bias is one more weight
            values = torch.cat([last.weight, last.bias[:, None]], 1) @ hidden.T
            reached, slopes = torch.func.jvp(activation, (values.T,), (torch.ones_like(values.T),))
            targets = batch.targets.logit(0.02) if start and sigmoid else batch.targets
            parts = newton_step(hidden, slopes, targets - reached)
            matrix, right = matrix + parts[0], right + parts[1]
        ridge = (RIDGE_AT_START if start else RIDGE) * matrix.diagonal(dim1=1, dim2=2).mean(-1)
        damped = matrix + ridge[:, None, None] * torch.eye(matrix.shape[-1])
        change = torch.linalg.solve(damped, right).float()
        last.weight += change[:, :-1]
        last.bias += change[:, -1]


def scores(module, between: tuple[Tensor, Tensor]) -> tuple[float, float]:
    """PSNR at the pixels and between them."""
    with torch.inference_mode():
        error = (module.field(between[0]) - between[1]).double().square().mean().item()
    return evaluate(module.field, module.dataset)["psnr"], -10 * math.log10(error)


def measure(image: Path, overrides: Sequence[str]) -> str:
    """A row: PSNR without, with the layer solved at the end, and with it solved as a start."""
    still = ["~callbacks.evaluation", "~callbacks.views", "~callbacks.progress", "logger=none"]
    pixels = ImageDataset(image).regular
    x = torch.rand(2**15, 2, generator=torch.Generator().manual_seed(1))
    between = x, PixelsAndBetween(pixels, 1.0).at(x)
    cells = []
    for start in (False, True):
        module, trainer = assembled([f"dataset.path={image}", *still, *overrides])
        if start:
            solve(module.field, pixels, start=True)
            cells.append(f"{scores(module, between)[0]:.2f}")
        trainer.fit(module)
        cells.append("{:.2f} / {:.2f}".format(*scores(module, between)))
        if not start:
            cells[-1] += f", {module.seconds:.1f} s"
            for rounds in (1, ROUNDS):
                began = time.perf_counter()
                solve(module.field, pixels, rounds)
                seconds = time.perf_counter() - began
                cells.append("{:.2f} / {:.2f}".format(*scores(module, between)) + f", {seconds:.1f} s")
    return " | ".join(cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--rows", nargs="+", type=int, default=range(len(ROWS)))
    arguments = parser.parse_args()
    for logger in ("lightning.pytorch", "ffnet"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    print(f"| | image | as trained | + 1 step at the end | + {ROUNDS} steps more | solved, untrained | then trained |")
    print("|---|---|---|---|---|---|---|")
    for image in arguments.images:
        for number in arguments.rows:
            name, overrides = list(ROWS.items())[number]
            print(f"| {name} | {image.stem} | {measure(image, overrides)} |", flush=True)
