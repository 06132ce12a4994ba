"""Valid files and run directories, which the generators damage."""

import io
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from ffnet.signals.image_files import silent_stderr
from tests.conftest import SMALL
from tests.harness import forked

# A fit that takes a moment.
IMAGE = [*SMALL, "dataset.size=[12,10]", "trainer.max_steps=2", "callbacks.scalars.every_n_steps=1"]
NETWORK = [override for override in IMAGE if not override.startswith("dataset.")]
SHAPE = [
    *NETWORK,
    *("dataset=occupancy", "dataset.pool=512", "dataset.scored_points=256", "dataset.batch_size=64"),
    *("dataset.resolution=8", "dataset.path=knot.obj", "encoder=positional"),
]
CT = [*NETWORK, "dataset=ct", "dataset.size=12", "dataset.batch_size=16", "encoder=positional"]
GRADIENT = [*NETWORK, "dataset=gradient", "dataset.size=[12,10]", "dataset.batch_size=16", "encoder=positional"]
SDF = [
    *NETWORK,
    *("dataset=sdf", "dataset.pool=512", "dataset.scored_points=256", "dataset.batch_size=64", "dataset.resolution=8"),
    "dataset.path=knot.obj",
]
NERF = [*NETWORK, "dataset=nerf", "dataset.path=scene.npz", "dataset.batch_size=16", "encoder=positional"]
NERF += ["dataset.operator.samples=4", "dataset.operator.cells=4"]


def picture(mode: str = "RGB", size: tuple[int, int] = (20, 16)) -> Image.Image:
    pixels = np.random.default_rng(0).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


@cache
def images() -> dict[str, bytes]:
    """An image in every format that Pillow writes here, and in several modes, by name."""
    Image.init()
    suffixes = {kind: suffix for suffix, kind in Image.EXTENSION.items() if kind in Image.SAVE}
    suffixes |= {"PNG": ".png", "JPEG": ".jpg", "TIFF": ".tif"}
    found = {}
    for kind, suffix in sorted(suffixes.items()):
        for mode in ("RGB", "L", "P", "RGBA", "CMYK", "1", "LA", "I", "F"):
            for options in ({}, {"compression": "tiff_lzw"}, {"compression": "jpeg"}) if kind == "TIFF" else ({},):
                file = io.BytesIO()
                try:
                    with silent_stderr():
                        picture(mode).save(file, kind, **options)
                except Exception:  # a mode that the format does not have
                    continue
                found[f"{kind}-{mode}{''.join(options.values())}{suffix}"] = file.getvalue()
    return found


@cache
def mesh() -> bytes:
    import trimesh

    return trimesh.creation.icosphere(1).export(file_type="obj").encode()


@cache
def meshes() -> dict[str, bytes]:
    """A sphere in several formats, by suffix."""
    import trimesh

    sphere = trimesh.creation.icosphere(1)
    kinds = {".obj": {}, ".ply": {}, ".stl": {}, ".off": {}, ".glb": {}}
    found = {suffix: sphere.export(file_type=suffix[1:]) for suffix in kinds}
    found["-ascii.ply"] = sphere.export(file_type="ply", encoding="ascii")
    found["-ascii.stl"] = sphere.export(file_type="stl_ascii")
    return {suffix: data.encode() if isinstance(data, str) else data for suffix, data in found.items()}


def scene() -> dict[str, np.ndarray]:
    poses = np.tile(np.eye(4), (4, 1, 1))
    poses[:, 2, 3] = 3
    return {
        "images": np.random.default_rng(0).random((4, 6, 5, 3)).astype(np.float32),
        "poses": poses,
        "focal": np.array(6.0),
    }


def npz(arrays: dict[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def inputs() -> dict[str, bytes]:
    """The valid files that commands refer to."""
    return {"knot.obj": mesh(), "scene.npz": npz(scene()), "photo.png": images()["PNG-RGB.png"]}


@cache
def home() -> Path:
    """The folder of the valid run directories, made once in this process."""
    folder = Path(tempfile.mkdtemp(prefix="fuzz-"))
    for name, data in inputs().items():
        (folder / name).write_bytes(data)
    return folder


@cache
def fitted(name: str) -> Path:
    """The run directory of a fit, or for ``sweep`` of a sweep."""
    settings = {"image": IMAGE, "shape": SHAPE, "ct": CT, "nerf": NERF, "sweep": ["-m", "seed=0,1", *IMAGE]}[name]
    place = "sweep" if name == "sweep" else "run"
    done = forked.run(["fit", *settings, f"hydra.{place}.dir={name}"], home(), seconds=300)
    assert done.code == 0, done
    return home() / name
