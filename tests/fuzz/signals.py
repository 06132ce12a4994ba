"""Damaged images, meshes and scenes."""

import json
import random

import numpy as np

from tests.fuzz.case import Case, changed, mutated
from tests.fuzz.material import CT, GRADIENT, IMAGE, NERF, SDF, SHAPE, images, meshes, npz, scene

IMAGE_SETTINGS = (
    [],
    [],
    [],
    ["dataset.split=half"],
    ["dataset.crop=4"],
    ["dataset.max_pixels=100"],
    ["limits.pixels=9"],
)


def image(rng: random.Random) -> Case:
    name = rng.choice(list(images()))
    data = mutated(images()[name], rng)
    if rng.random() < 0.1:  # a suffix of another format
        name = rng.choice(["x.png", "x.jpg", "x.tif", "x.webp", "x.npz", "x", "x\x1b[2J.png"])
    name = f"in-{name}"
    settings = IMAGE if rng.random() < 0.7 else rng.choice((CT, GRADIENT))
    extra = rng.choice(IMAGE_SETTINGS) if settings is IMAGE else []
    return Case(["fit", *settings, *extra, f"dataset.path='{name}'"], {name: data})


NUMBERS = (b"nan", b"inf", b"1e300", b"-1", b"0", b"999999999999", b"1e-320", b"x", b"", b"1/2/3", b"4294967295")


def mesh(rng: random.Random) -> Case:
    suffix = rng.choice(list(meshes()))
    data = meshes()[suffix]
    if suffix.endswith((".obj", ".off", "-ascii.ply", "-ascii.stl")) and rng.random() < 0.7:
        words = data.split(b" ")
        for _ in range(rng.choice((1, 2, 20))):
            words[rng.randrange(len(words))] = rng.choice(NUMBERS)
        data = b" ".join(words)
    else:
        data = mutated(data, rng)
    if rng.random() < 0.05:
        data += b"\nf " + b" ".join(b"%d" % (1 + i % 12) for i in range(rng.choice((5, 100, 3000))))
    if rng.random() < 0.1:
        suffix = rng.choice([".ply", ".glb", ".stl", ".obj", ".off", ".3mf", ".zip", ".dae", ".gltf", ".xyz", ""])
    name = f"in{suffix}"
    settings = [override for override in rng.choice((SHAPE, SDF)) if not override.startswith("dataset.path")]
    return Case(["fit", *settings, f"dataset.path={name}"], {name: data})


def transforms(rng: random.Random) -> Case:
    """Views as Blender writes them, with a damaged json or image."""
    place = rng.choice(("a", "b", "../b", "/etc/passwd", "a/../b", "\0", "x" * 300, ".", ""))
    poses = zip("aba", scene()["poses"].tolist(), strict=False)
    frames = [{"file_path": name, "transform_matrix": pose} for name, pose in poses]
    found = {"camera_angle_x": 0.7, "frames": frames}
    if rng.random() < 0.6:
        found = changed(found, rng)
    elif rng.random() < 0.5:
        frames[0]["file_path"] = place
    text, image = json.dumps(found).encode(), images()["PNG-RGBA.png"]
    if rng.random() < 0.3:
        text = mutated(text, rng)
    damaged = mutated(image, rng) if rng.random() < 0.3 else image
    settings = [override for override in NERF if not override.startswith("dataset.path")]
    files: dict[str, bytes | str] = {"in/transforms.json": text, "in/a.png": damaged, "in/b.png": image, "b.png": image}
    return Case(["fit", *settings, "dataset.path=in"], files)


def views(rng: random.Random) -> Case:
    if rng.random() < 0.5:
        return transforms(rng)
    arrays = scene()
    if rng.random() < 0.5:
        data = mutated(npz(arrays), rng)
    else:
        name = rng.choice(list(arrays))
        odd = (
            *(np.zeros(0), np.zeros((2, 6, 5, 3)), np.full(arrays[name].shape, np.nan), arrays[name] * 1e30),
            *(arrays[name][..., None], arrays[name].astype(np.complex64), arrays[name].astype("U8"), -arrays[name]),
            *(
                np.zeros((4, 0, 5, 3)),
                np.zeros((3, 4, 4)),
                np.array("x"),
                np.zeros((4, 6, 5, 3), bool),
                np.array([1, 2]),
            ),
        )
        arrays[name] = rng.choice(odd)
        if rng.random() < 0.2:
            del arrays[name]
        data = npz(arrays)
    settings = [override for override in NERF if not override.startswith("dataset.path")]
    return Case(["fit", *settings, "dataset.path=in.npz"], {"in.npz": data})
