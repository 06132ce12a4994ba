"""``dataset=nerf`` next to a plain PyTorch loop of the same protocol, on the same held-out views.

    python benchmarks/radiance.py SCENE [--steps 1500] [--fast-steps N] [--downsample 1] [SETTING...]

SCENE is an .npz file or a directory with a transforms file. The plain loop is docs/gallery/nerf.py (float32, its own
rays, rendering and loop; the encoder and the network are ffnet's); for a directory it gets an .npz file made here
without ffnet. Then ``ffnet fit dataset=nerf`` with the same number of steps, and ``recipe=fast``. Each fit is a process
of its own, one after the other. Seconds are those of the processor in training: unlike the clock, they hardly depend on
what else is running. SETTINGS are for both fits of ffnet.
"""

import argparse
import json
import logging
import math
import multiprocessing
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import torch
from loops import assembled
from PIL import Image

from ffnet.fitting import evaluate

GALLERY = Path(__file__).parents[1] / "docs" / "gallery"


def arrays(folder: Path, downsample: int, path: Path) -> None:
    """Writes the views of a directory as an .npz file, on black."""
    name = "transforms.json" if (folder / "transforms.json").exists() else "transforms_train.json"
    found = json.loads((folder / name).read_text())
    images = []
    for frame in found["frames"]:
        with Image.open(folder / f"{frame['file_path']}.png") as opened:
            premultiplied = opened.convert("RGBA").convert("RGBa").reduce(downsample)
        images.append(np.asarray(premultiplied)[..., :3])
    poses = np.array([frame["transform_matrix"] for frame in found["frames"]], dtype=np.float32)
    focal = 0.5 * images[0].shape[1] / math.tan(found["camera_angle_x"] / 2)
    np.savez(path, images=np.stack(images).astype(np.float32) / 255, poses=poses, focal=focal)


def plain(scene: Path, steps: int, pipe: Connection) -> None:
    sys.path.insert(0, str(GALLERY))
    import nerf

    with np.load(scene) as data:
        images, poses = torch.tensor(data["images"]), torch.tensor(data["poses"]).float()
        origins, directions = nerf.rays(poses, float(data["focal"]), *images.shape[1:3])
    held, fitted = torch.arange(len(images)) % 8 == 0, nerf.Scene("positional")
    start = time.process_time()
    for _ in nerf.train(fitted, *(part[~held].reshape(-1, 3) for part in (origins, directions, images)), steps):
        pass
    seconds = time.process_time() - start
    seen = [nerf.view(fitted, o, d) for o, d in zip(origins[held], directions[held], strict=True)]
    pipe.send((nerf.psnr(torch.stack(seen) - images[held]), seconds))


def ffnet(overrides: list[str], pipe: Connection) -> None:
    for logger in ("lightning.pytorch", "ffnet"):
        logging.getLogger(logger).setLevel(logging.ERROR)
    module, trainer = assembled(["dataset=nerf", *overrides, "~callbacks.evaluation", "~callbacks.views"])
    start = time.process_time()
    trainer.fit(module)
    seconds = time.process_time() - start
    pipe.send((evaluate(module.result.eval(), module.dataset)["psnr"], seconds))


def run(fit: Callable[..., None], *arguments: Any) -> tuple[float, float]:
    """PSNR and seconds of a fit in a process of its own."""
    spawn = multiprocessing.get_context("spawn")
    ours, theirs = spawn.Pipe()
    process = spawn.Process(target=fit, args=(*arguments, theirs))
    process.start()
    theirs.close()
    found: tuple[float, float] = ours.recv()
    process.join()
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--fast-steps", type=int, help="of recipe=fast; its own if not given")
    parser.add_argument("--downsample", type=int, default=1)
    arguments, settings = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        scene = arguments.scene
        if scene.is_dir():
            scene = Path(temporary) / "scene.npz"
            arrays(arguments.scene, arguments.downsample, scene)
        fast = ["recipe=fast", *([f"trainer.max_steps={arguments.fast_steps}"] if arguments.fast_steps else [])]
        own = [f"dataset.path={arguments.scene}", f"dataset.downsample={arguments.downsample}", *settings]
        print("| | PSNR of the held-out views | processor seconds of training | relative to the plain loop |")
        print("|---|---|---|---|")
        first = 0.0
        for name, fit, given in (
            ("plain PyTorch", plain, (scene, arguments.steps)),
            ("`dataset=nerf`", ffnet, ([*own, f"trainer.max_steps={arguments.steps}"],)),
            ("`dataset=nerf recipe=fast`", ffnet, ([*own, *fast],)),
        ):
            score, seconds = run(fit, *given)
            first = first or seconds
            print(f"| {name} | {score:.2f} dB | {seconds:.0f} | {seconds / first:.2f} |", flush=True)
