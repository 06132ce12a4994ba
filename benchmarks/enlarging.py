"""Enlarging by fits, bicubic and Lanczos interpolation: PSNR of smaller images against the originals.

    python benchmarks/enlarging.py IMAGE... --output enlarging.json

Each image is made smaller by the mean over cells of 2x2 and 4x4 pixels and fitted, by the default and by
``recipe=enlarge``; the field is then rendered at the original size. What is in ``--output`` is not run again.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import ffnet
from ffnet.rendering import grid_coordinates

Array = np.ndarray


def interpolated(small: Array, factor: int, kind: Image.Resampling) -> Array:
    height, width, channels = small.shape
    size = (width * factor, height * factor)
    planes = [Image.fromarray(small[..., c]).resize(size, kind) for c in range(channels)]
    return np.stack([np.asarray(plane) for plane in planes], axis=-1)


def fitted(small: Array, factor: int, **settings: object) -> Array:
    height, width, _ = small.shape
    run = ffnet.fit(small, progress=False, **settings)
    size = (height * factor, width * factor)
    with torch.inference_mode():
        parts = [run.field(x) for x in grid_coordinates(range(size[0]), size).split(2**16)]
    return torch.cat(parts).view(*size, -1).numpy()


def psnr(image: Array, original: Array) -> float:
    return -10 * math.log10(np.square(image.clip(0, 1).astype(np.float64) - original).mean())


def scores(path: Path, factor: int) -> dict[str, float]:
    original = np.asarray(Image.open(path).convert("RGB")).astype(np.float32) / 255
    height, width = (side - side % factor for side in original.shape[:2])
    original = original[:height, :width]
    small = original.reshape(height // factor, factor, width // factor, factor, 3).mean((1, 3), dtype=np.float32)
    return {
        "bicubic": psnr(interpolated(small, factor, Image.Resampling.BICUBIC), original),
        "Lanczos": psnr(interpolated(small, factor, Image.Resampling.LANCZOS), original),
        "default": psnr(fitted(small, factor), original),
        "recipe=enlarge": psnr(fitted(small, factor, recipe="enlarge", dataset={"enlarge": factor}), original),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("images", nargs="+", type=Path)
    parser.add_argument("--output", type=Path, default=Path("enlarging.json"))
    arguments = parser.parse_args()
    found = json.loads(arguments.output.read_text()) if arguments.output.exists() else {}
    for factor in (2, 4):
        for path in arguments.images:
            key = f"{factor} {path.parent.parent.name}/{path.name}"
            if key not in found:
                found[key] = scores(path, factor)
                arguments.output.write_text(json.dumps(found, indent=1))
            print(key, " ".join(f"{name} {value:.2f}" for name, value in found[key].items()), flush=True)
    for group in sorted({key.rpartition("/")[0] for key in found}):
        rows = [row for key, row in found.items() if key.startswith(group)]
        for name in rows[0]:
            gains = [row[name] - row["bicubic"] for row in rows]
            mean = sum(row[name] for row in rows) / len(rows)
            print(
                f"{group}: {name} {mean:.2f} dB, over bicubic {sum(gains) / len(gains):+.2f}, worst {min(gains):+.2f}"
            )
