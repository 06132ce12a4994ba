"""Rate and distortion: bits per pixel and PSNR of small fields with 16, 8, 6 and 4 bits a weight, and of JPEG.

    python benchmarks/rate.py IMAGE... --output rate.json

Weights are rounded after training: to 8, 6 and 4 bits in blocks of 64, each with a scale of 16 bits
(``ffnet.quantization``); biases, and weights from which phases are computed, have 16 bits. ``coded`` is the size after
an ideal entropy coder, from how often each integer occurs in a weight matrix. Random frequencies follow from a seed and
cost nothing. Fields are decoded to 8 bits a value, as JPEG is. What is in ``--output`` is not run again.
"""

import argparse
import copy
import io
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

import ffnet
from ffnet.quantization import dequantize, quantize, roundable

FIELDS = {
    "SIREN 10x28": [
        "model=siren",
        "model.hidden_layers=10",
        "model.hidden_features=28",
        "optimizer.lr=1e-3",
        "dataset.batch_size=8192",
        "trainer.max_steps=6000",
    ],
    "Gaussian 3x64": [
        "recipe=paper",
        "encoder.num_frequencies=64",
        "model.hidden_features=64",
        "optimizer=muon",
        "dataset.batch_size=8192",
        "trainer.max_steps=6000",
    ],
    "grid 2x32": [
        "recipe=fast",
        "encoder.levels=6",
        "encoder.table_size=2048",
        "encoder.max_resolution=192",
        "model.hidden_features=32",
        "trainer.max_steps=8000",
    ],
}
BITS = (16, 8, 6, 4)
QUALITIES = range(1, 96)


def entropy(codes: Tensor) -> float:
    """Bits per code, from the frequencies of the codes."""
    p = torch.unique(codes, return_counts=True)[1].double() / codes.numel()
    return -(p * p.log2()).sum().item()


@torch.no_grad()
def stored(field: nn.Module, bits: int) -> tuple[nn.Module, float, float]:
    """A copy of ``field`` as it is with ``bits`` bits a weight; its size in bits, and the size when coded."""
    made = copy.deepcopy(field)
    rounded = {name for name, _, _ in roundable(field)} if bits < 16 else set()
    written = coded = 0.0
    for name, weight in made.named_parameters():
        if name in rounded:
            codes, scale = quantize(weight, bits)
            scale = scale.half()
            weight.copy_(dequantize(codes, scale.float()))
            written += bits * codes.numel() + 16 * scale.numel()
            coded += entropy(codes) * codes.numel() + 16 * scale.numel()
        else:
            weight.copy_(weight.half())
            written, coded = written + 16 * weight.numel(), coded + 16 * weight.numel()
    return made, written, coded


def psnr(image: Image.Image, original: Image.Image) -> float:
    error = np.asarray(image, dtype=np.float64) - np.asarray(original)
    return -10 * math.log10(np.square(error / 255).mean())


def jpeg(original: Image.Image) -> tuple[list[float], list[float]]:
    """Bits per pixel and PSNR, both rising, over Pillow's qualities."""
    points = []
    for quality in QUALITIES:
        file = io.BytesIO()
        original.save(file, "JPEG", quality=quality, optimize=True)
        points.append((8 * file.tell() / math.prod(original.size), psnr(Image.open(file), original)))
    rates, scores = (np.maximum.accumulate(column).tolist() for column in zip(*points, strict=True))
    return rates, scores


def row(path: Path, overrides: list[str]) -> dict[str, dict[str, float]]:
    """Of each number of bits: PSNR, rates, and JPEG's rate at this PSNR and PSNR at the coded rate."""
    original = Image.open(path).convert("RGB")
    run = ffnet.fit(path, overrides=overrides, progress=False)
    rates, scores = jpeg(original)
    pixels, trained, found = math.prod(original.size), run.field, {}
    for bits in BITS:
        run.field, written, coded = stored(trained, bits)
        reached, rate = psnr(run.reconstruction(), original), coded / pixels
        found[str(bits)] = {
            "psnr": reached,
            "written": written / pixels,
            "coded": rate,
            "JPEG bpp": float(np.interp(reached, scores, rates, left=math.nan)),
            "JPEG psnr": float(np.interp(rate, rates, scores, left=math.nan)),
            "parameters": sum(p.numel() for p in trained.parameters()),
            "seconds": run.metrics["seconds"],
        }
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("rate.json"))
    parser.add_argument("--fields", nargs="+", default=list(FIELDS), choices=list(FIELDS))
    arguments = parser.parse_args()
    found = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    for path in arguments.images:
        for name in arguments.fields:
            if (key := f"{name} {path.name}") not in found:
                found[key] = row(path, FIELDS[name])
                arguments.output.write_text(json.dumps(found, indent=1))
    print("| field | parameters | bits | PSNR | bpp | bpp, coded | JPEG at this PSNR | JPEG at the coded rate |")
    print("|---|---|---|---|---|---|---|---|")
    for name in arguments.fields:
        for bits in map(str, BITS):
            rows = [found[f"{name} {path.name}"][bits] for path in arguments.images]
            mean = {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
            print(f"| {name} | {mean['parameters']:.0f} | {bits} | {mean['psnr']:.2f} dB |", end="")
            print(f" {mean['written']:.3f} | {mean['coded']:.3f} |", end="")
            print(f" {mean['JPEG bpp']:.3f} bpp | {mean['JPEG psnr']:.2f} dB |")
        print(f"{name}: {mean['seconds']:.0f} s of training")
