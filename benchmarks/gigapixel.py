"""An image of a gigapixel: peak memory, and speed of training relative to an image in memory.

    python benchmarks/gigapixel.py write FOLDER [--side 32768]    # the image in three formats, and a smaller one
    python benchmarks/gigapixel.py train FOLDER [--rounds 5]      # steps per second of each, by turns
    python benchmarks/gigapixel.py render FOLDER [--side 32768]   # trains a small network and renders it to a BigTIFF

Each fit runs in a process of its own, after its file has left the page cache; memory is the process's peak above that
of importing the same modules (but zarr).
"""

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

CODE = """
import json, logging, os, resource, sys, time
from pathlib import Path
sys.path.insert(0, {folder!r})
logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
from loops import assembled
import lightning.pytorch, tensorboard, tifffile, imagecodecs, torch, torchvision, PIL.Image, ffnet.training
torch.rand(64, 64) @ torch.rand(64, 64)
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
before = peak()
module, trainer = assembled({overrides!r})
read = peak() - before
trainer.fit(module)
found = {{"steps_per_second": module.step / module.seconds, "read": read, "trained": peak() - before}}
if {output!r}:
    start, size = time.perf_counter(), ({side}, {side})
    module.dataset.record.render_to(Path({output!r}), module.result.eval(), size)
    seconds = time.perf_counter() - start
    found |= {{"rendered": peak() - before, "pixels_per_second": size[0] * size[1] / seconds}}
print(json.dumps(found))
"""
SMALL, REPEATED = 4096, 1024


def measure(overrides: list[str], output: Path | None = None, side: int = 0) -> dict[str, float]:
    options: dict[str, Any] = {"overrides": overrides, "output": str(output) if output else "", "side": side}
    code = CODE.format(folder=str(Path(__file__).parent), **options)
    printed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    found: dict[str, float] = json.loads(printed.stdout.splitlines()[-1])
    return {name: round(value, 1) for name, value in found.items()}


def picture(side: int, rows: int) -> np.ndarray:
    """Waves with periods from a third of the picture to four pixels (rows, side, 3)."""
    x, y = np.arange(side, dtype=np.float32) / side, np.arange(rows, dtype=np.float32)[:, None] / rows
    across = [(40 * np.sin(2 * np.pi * (3 + k) * (side / 32) ** (k / 2) * x)).astype(np.float32) for k in range(3)]
    down = [np.cos(2 * np.pi * (2 + k) * (rows / 32) ** (k / 2) * y).astype(np.float32) for k in range(3)]
    return np.stack([(128 + down[k] * across[k] + across[2 - k]).astype(np.uint8) for k in range(3)], -1)


def write(folder: Path, side: int) -> None:
    """The large picture repeats a part of ``REPEATED`` rows."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, length in (("small", SMALL), ("large", side)):
        part = picture(length, REPEATED)
        array = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (length, length, 3))
        for start in range(0, length, REPEATED):
            array[start : start + REPEATED] = part
        array.flush()


def write_tiff(folder: Path, side: int) -> None:
    import imagecodecs
    import tifffile

    part = picture(side, REPEATED).reshape(REPEATED // 256, 256, side // 256, 256, 3).swapaxes(1, 2)
    tiles = [imagecodecs.zlib_encode(np.ascontiguousarray(tile), level=1) for row in part for tile in row]
    options = {"shape": (side, side, 3), "dtype": np.uint8, "tile": (256, 256), "compression": "zlib", "bigtiff": True}
    every = (tile for _ in range(side // REPEATED) for tile in tiles)
    tifffile.imwrite(folder / "large.tif", every, photometric="rgb", **options)


def write_zarr(folder: Path, side: int) -> None:
    import zarr

    part = picture(side, REPEATED)
    options = {"shape": (side, side, 3), "chunks": (256, 256, 3), "dtype": "uint8", "overwrite": True}
    array = zarr.create_array(str(folder / "large.zarr"), **options)
    for start in range(0, side, REPEATED):
        array[start : start + REPEATED] = part


def forget(path: Path) -> None:
    """Drops a file, or the files of a directory, from the page cache."""
    for file in path.rglob("*") if path.is_dir() else [path]:
        if file.is_file():
            descriptor = os.open(file, os.O_RDONLY)
            os.fsync(descriptor)
            os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
            os.close(descriptor)


def train(folder: Path, rounds: int, steps: int) -> None:
    """The same network and batches everywhere; the smaller image is in memory."""
    common = ["dataset.batch_size=16384", f"trainer.max_steps={steps}", "~callbacks.evaluation", "~callbacks.views"]
    common += ["encoder.table_size=524288", "encoder.max_resolution=4096"]
    kinds = {
        "small, in memory": ["dataset=image", f"dataset.path={folder}/small.npy", "dataset.between=0"],
        "large, .npy": ["dataset=mapped", f"dataset.path={folder}/large.npy"],
        "large, tiled TIFF": ["dataset=mapped", f"dataset.path={folder}/large.tif"],
        "large, zarr": ["dataset=mapped", f"dataset.path={folder}/large.zarr"],
    }
    files = dict(zip(kinds, ("small.npy", "large.npy", "large.tif", "large.zarr"), strict=True))
    ratios: dict[str, list[float]] = {kind: [] for kind in kinds}
    for _ in range(rounds):
        found = {}
        for kind, own in kinds.items():
            forget(folder / files[kind])
            found[kind] = measure([*own, *common])
        base = found["small, in memory"]["steps_per_second"]
        for kind, figures in found.items():
            ratios[kind].append(figures["steps_per_second"] / base)
            print(kind, figures, f"ratio {ratios[kind][-1]:.2f}", flush=True)
    for kind, values in ratios.items():
        print(f"{kind}: median ratio {sorted(values)[len(values) // 2]:.2f}, {min(values):.2f} to {max(values):.2f}")


def render(folder: Path, side: int, options: list[str]) -> None:
    small = ["encoder=identity", "model.hidden_features=16", "model.hidden_layers=1"]
    common = ["dataset=mapped", f"dataset.path={folder}/large.npy", "dataset.batch_size=16384", "trainer.max_steps=50"]
    print(measure([*common, *(options or small)], folder / "rendered.tif", side), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("write", "train", "render"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("--side", type=int, default=32768)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--options", nargs="*", default=[], help="of the rendered field, in place of a small network")
    arguments = parser.parse_args()
    if arguments.what == "write":
        write(arguments.folder, arguments.side)
        write_tiff(arguments.folder, arguments.side)
        write_zarr(arguments.folder, arguments.side)
    elif arguments.what == "train":
        train(arguments.folder, arguments.rounds, arguments.steps)
    else:
        render(arguments.folder, arguments.side, arguments.options)
