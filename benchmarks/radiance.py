"""``dataset=nerf`` next to a plain PyTorch loop of the same protocol, on the same held-out views.

    python benchmarks/radiance.py SCENE [--steps 1000] [--downsample 1] [SETTING...]

SCENE is an .npz file or a directory with a transforms file. The plain loop is docs/gallery/nerf.py (float32, its own
rays, rendering and loop; the encoder and the network are ffnet's); for a directory it gets an .npz file made here
without ffnet. Then ``ffnet fit dataset=nerf`` with the same number of steps, and ``recipe=fast``. Each fit is a process
of its own, one after the other. Seconds are those of the processor for the whole command, imports and scores included:
unlike the clock, they hardly depend on what else is running. SETTINGS are for both fits of ffnet.
"""

import argparse
import json
import math
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

LOOP = Path(__file__).parents[1] / "docs" / "gallery" / "nerf.py"


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


def plain(scene: Path, steps: int, output: Path) -> tuple[float, float]:
    options = ["--steps", str(steps), "--every", str(steps)]
    seconds = timed([sys.executable, str(LOOP), str(scene), str(output), *options])
    return json.loads((output / "positional.json").read_text())["psnr"], seconds


def fitted(overrides: list[str], output: Path) -> tuple[float, float]:
    command = [sys.executable, "-m", "ffnet", "fit", "dataset=nerf", f"hydra.run.dir={output}", *overrides]
    command += ["callbacks.evaluation.every_n_steps=null", "callbacks.views.every_n_steps=null"]
    seconds = timed(command)
    return json.loads((output / "metrics.json").read_text())["psnr"], seconds


def timed(command: list[str]) -> float:
    """Processor seconds of a command."""

    def spent() -> float:
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        return usage.ru_utime + usage.ru_stime

    before = spent()
    subprocess.run(command, check=True, capture_output=True)
    return spent() - before


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--downsample", type=int, default=1)
    arguments, settings = parser.parse_known_args()
    with tempfile.TemporaryDirectory() as temporary:
        made, scene = Path(temporary), arguments.scene
        if scene.is_dir():
            scene = made / "scene.npz"
            arrays(arguments.scene, arguments.downsample, scene)
        own = [f"dataset.path={arguments.scene}", f"dataset.downsample={arguments.downsample}", *settings]
        rows = {"plain PyTorch": plain(scene, arguments.steps, made / "plain")}
        print("| | PSNR of the held-out views | processor seconds | relative to the plain loop |\n|---|---|---|---|")
        for name, overrides in (
            ("plain PyTorch", None),
            ("`dataset=nerf`", [f"trainer.max_steps={arguments.steps}"]),
            ("`dataset=nerf recipe=fast`", ["recipe=fast"]),
        ):
            if overrides is not None:
                rows[name] = fitted([*own, *overrides], made / name.strip("`").replace(" ", "_").replace("=", "_"))
            score, seconds = rows[name]
            print(f"| {name} | {score:.2f} dB | {seconds:.0f} | {seconds / rows['plain PyTorch'][1]:.2f} |", flush=True)
