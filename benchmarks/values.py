"""Images beyond 8 bits: how well they come back, and which transfer and loss fit a high range best.

    python benchmarks/values.py PHOTOGRAPH FOLDER [--steps 500]

Makes an OpenEXR image with values up to 10,000 from a photograph (its linear light, with a sun of Gaussian shape and
shadows of a thousandth), a ramp and a cut-out of 16 bits, fits each with the default network, and compares the files
that are written with those that were read.
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
import OpenEXR
from PIL import Image

import ffnet
from ffnet.signals.deep_files import read_deep
from ffnet.signals.deep_saving import save_deep
from ffnet.signals.metadata import NO_METADATA


def linear(photograph: Path) -> np.ndarray:
    v = np.asarray(Image.open(photograph).convert("RGB")) / 255
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4).astype(np.float32)


def high_range(light: np.ndarray) -> np.ndarray:
    """Light with a sun at the upper right, whose middle has the value 10,000, and shadows at the left."""
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width] / max(height, width)
    sun = np.exp(-((x - 0.8) ** 2 + (y - 0.15) ** 2) / 0.002)[..., None]
    shade = 10 ** (-3 * np.clip(1 - 3 * x, 0, 1))[..., None]
    bright = light * shade * (1 + 500 * sun) + 1e4 * sun**4
    return np.minimum(bright, 1e4).astype(np.float32)


def log_psnr(found: np.ndarray, true: np.ndarray, scale: float) -> float:
    """Of ``log(1 + v / scale)``, relative to its largest value."""
    error = (np.log1p(found / scale) - np.log1p(true / scale)) / math.log1p(true.max() / scale)
    return -10 * math.log10(np.square(error.astype(np.float64)).mean())


def fit(path: Path, folder: Path, steps: int, **settings: object) -> Path:
    """Fits and returns the reconstruction."""
    ffnet.fit(path, directory=folder, progress=False, trainer={"max_steps": steps}, overwrite=True, **settings)
    return next(folder.glob("reconstruction.*"))


def ranges(light: np.ndarray, folder: Path, steps: int) -> None:
    true, path = high_range(light), folder / "bright.exr"
    save_deep(true, path, True, NO_METADATA)
    linear_output = {"output_activation": None}
    softplus = {"output_activation": {"_target_": "torch.nn.Softplus"}, "output_init": None}
    as_they_are = {"transfer": "none"}
    rows: dict[str, dict[str, object]] = {
        "transfer=log": {},
        "transfer=none, relative loss": {"loss": "relative", "dataset": as_they_are, "model": linear_output},
        "the same, softplus output": {"loss": "relative", "dataset": as_they_are, "model": softplus},
        "transfer=none, MSE": {"dataset": as_they_are, "model": linear_output},
    }
    for name, settings in rows.items():
        try:
            found = fit(path, folder / "bright", steps, **settings)
        except (ValueError, FloatingPointError) as error:
            print(f"{name}: {error}", flush=True)
            continue
        with OpenEXR.File(str(found)) as file:
            pixels = file.channels()["RGB"].pixels
        metrics = json.loads((folder / "bright" / "metrics.json").read_text())
        scale = 0.1 * np.exp(np.log(true[true > 0].astype(np.float64)).mean())
        print(
            f"{name}: log_psnr {metrics['log_psnr']:.2f} dB, of the file {log_psnr(pixels.clip(0), true, scale):.2f}; "
            f"{true.min():.2g} to {true.max():.5g} became {pixels.min():.2g} to {pixels.max():.5g}; "
            f"{metrics['seconds']:.1f} s",
            flush=True,
        )


def ramp(folder: Path, steps: int) -> None:
    """Values 20000 to 22000 of 65535 over 1024 columns: eight levels of 8 bits."""
    true = np.linspace(20000, 22000, 1024).round().astype(np.uint16)[None, :, None].repeat(256, 0).repeat(3, 2)
    for suffix in ("png", "tif"):
        save_deep(true, folder / f"ramp.{suffix}", False, NO_METADATA)
        found = read_deep(fit(folder / f"ramp.{suffix}", folder / "ramp", steps)).pixels
        error = np.abs(found.astype(int) - true)
        levels = len(np.unique(found[..., 0]))
        print(f"ramp.{suffix}: {found.dtype}, {levels} levels, error {error.mean():.1f}, at most {error.max()}")


def cut_out(light: np.ndarray, folder: Path, steps: int) -> None:
    """The photograph in a disc, on transparent white; composited over its own blurred mean colour."""
    height, width = light.shape[:2]
    y, x = np.mgrid[:height, :width]
    radius = min(height, width) / 3
    alpha = np.clip(radius - np.hypot(x - width / 2, y - height / 2) + 0.5, 0, 1)
    colour = np.full((height, width, 3), [0.7, 0.2, 0.1])
    pixels = np.concatenate([np.where(alpha[..., None] > 0, colour, 1.0), alpha[..., None]], -1)
    Image.fromarray((pixels * 255).round().astype(np.uint8)).save(folder / "cut.png")
    for kind in ("premultiplied", "straight"):
        ffnet.fit(
            folder / "cut.png",
            directory=folder / "cut",
            progress=False,
            overwrite=True,
            trainer={"max_steps": steps},
            dataset={"alpha": kind},
        )
        field = ffnet.load(folder / "cut")
        from ffnet.checkpoint import Checkpoint, find, record_of

        record = record_of(Checkpoint.read(find(folder / "cut")), "")
        found = record.render(field, (2 * height, 2 * width)) / 255
        over = found[..., :3] * found[..., 3:] + colour[0, 0] * (1 - found[..., 3:])
        edge = np.abs(over - colour[0, 0]).max(-1)
        print(
            f"cut-out, {kind}: over its own colour, error {edge.mean():.4f} in the mean, at most {edge.max():.3f}",
            flush=True,
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("photograph", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    ramp(arguments.folder, arguments.steps)
    cut_out(linear(arguments.photograph)[::2, ::2], arguments.folder, arguments.steps)
    ranges(linear(arguments.photograph), arguments.folder, arguments.steps)
