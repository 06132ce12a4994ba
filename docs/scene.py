"""Makes a small scene for ``dataset=nerf``: three balls and a box on a chequered plate, seen by cameras above them.

python docs/scene.py scene.npz               # images, poses and focal in one file, on black
python docs/scene.py scene                   # the same views as Blender writes them: transforms.json and RGBA images
python docs/scene.py scene.npz --views 20 --side 50
"""

import argparse
import json
import math
from pathlib import Path

import numpy as np
from PIL import Image

ANGLE = 0.7  # horizontal field of view in radians
DISTANCE = 4.0  # of the cameras from the origin
LIGHT = np.array([0.5, 0.3, 0.8]) / np.linalg.norm([0.5, 0.3, 0.8])
SAMPLES = 3  # rays along a side of a pixel

# (centre, radius, two colours)
BALLS = (
    ((0.0, -0.45, 0.1), 0.4, ((0.9, 0.25, 0.2), (0.95, 0.75, 0.3))),
    ((0.55, 0.35, 0.0), 0.3, ((0.2, 0.45, 0.9), (0.85, 0.9, 0.95))),
    ((-0.5, 0.15, 0.55), 0.2, ((0.3, 0.8, 0.4), (0.1, 0.35, 0.2))),
)
# (lower corner, upper corner, two colours)
BOXES = (
    ((-0.9, -0.9, -0.45), (0.9, 0.9, -0.3), ((0.75, 0.75, 0.7), (0.35, 0.35, 0.4))),
    ((-0.75, -0.1, -0.3), (-0.25, 0.4, 0.35), ((0.8, 0.5, 0.85), (0.45, 0.25, 0.55))),
)


def pose(azimuth: float, elevation: float) -> np.ndarray:
    """Camera-to-world matrix of a camera that looks along its -z at the origin; z of the scene is up."""
    back = np.array([math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), 0.0])
    back[2] = math.sin(elevation)
    right = np.cross([0, 0, 1], back)
    right /= np.linalg.norm(right)
    matrix = np.eye(4)
    matrix[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    matrix[:3, 3] = DISTANCE * back
    return matrix


def poses(count: int) -> np.ndarray:
    """Cameras spread evenly over the upper hemisphere, by turns of the golden angle."""
    heights = 0.1 + 0.8 * (np.arange(count) + 0.5) / count
    turns = np.arange(count) * math.pi * (3 - math.sqrt(5))
    return np.stack([pose(turn, math.asin(height)) for turn, height in zip(turns, heights, strict=True)])


def rays(matrix: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Origins and unit directions (side, side, 3) through the centres of the pixels."""
    focal = 0.5 * side / math.tan(ANGLE / 2)
    x, y = np.meshgrid(*[np.arange(side) + 0.5 - side / 2] * 2)
    local = np.stack([x / focal, -y / focal, -np.ones_like(x)], axis=-1)
    directions = local / np.linalg.norm(local, axis=-1, keepdims=True) @ matrix[:3, :3].T
    return np.broadcast_to(matrix[:3, 3], directions.shape), directions


def ball(o: np.ndarray, d: np.ndarray, centre: np.ndarray, radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Distances at which rays meet a ball, infinite if they do not, and the outward normals there."""
    to = o - centre
    half = (to * d).sum(-1)
    root = half**2 - (to**2).sum(-1) + radius**2
    t = np.where(root > 0, -half - np.sqrt(np.maximum(root, 0)), np.inf)
    return t, (to + np.where(np.isfinite(t), t, 0)[..., None] * d) / radius


def box(o: np.ndarray, d: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The same of a box whose sides are along the axes."""
    d = np.where(d == 0, 1e-12, d)
    first, second = (low - o) / d, (high - o) / d
    entries, exits = np.minimum(first, second), np.maximum(first, second)
    t = np.where(entries.max(-1) < exits.min(-1), entries.max(-1), np.inf)
    normal = np.where(np.arange(3) == entries.argmax(-1)[..., None], -np.sign(d), 0.0)
    return t, normal


def colours(o: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Red, green, blue and alpha (..., 4) of the nearest surfaces, which scatter light evenly: no shine, no shadows."""
    nearest, found = np.full(d.shape[:-1], np.inf), np.zeros((*d.shape[:-1], 4))
    met = [(ball(o, d, np.array(centre), radius), pair, 8.0) for centre, radius, pair in BALLS]
    met += [(box(o, d, np.array(low), np.array(high)), pair, 5.0) for low, high, pair in BOXES]
    for (t, normal), pair, checks in met:
        point = o + np.where(np.isfinite(t), t, 0)[..., None] * d
        odd = np.floor(checks * point + 0.01).astype(int).sum(-1) % 2
        shade = 0.45 + 0.55 * np.maximum(normal @ LIGHT, 0)
        here = np.concatenate([np.array(pair)[odd] * shade[..., None], np.ones((*shade.shape, 1))], axis=-1)
        found = np.where((t < nearest)[..., None], here, found)
        nearest = np.minimum(nearest, t)
    return found


def view(matrix: np.ndarray, side: int) -> np.ndarray:
    """RGBA (side, side, 4) in [0, 1] with colours that are not multiplied with alpha, means over each pixel."""
    found = colours(*rays(matrix, SAMPLES * side)).reshape(side, SAMPLES, side, SAMPLES, 4)
    alpha = found[..., 3].mean((1, 3))
    colour = (found[..., :3] * found[..., 3:]).mean((1, 3)) / np.maximum(alpha, 1e-9)[..., None]
    return np.concatenate([colour, alpha[..., None]], axis=-1)


def write(path: Path, count: int, side: int) -> None:
    cameras = poses(count)
    views = [view(matrix, side) for matrix in cameras]
    if path.suffix == ".npz":
        images = np.stack([colour[..., :3] * colour[..., 3:] for colour in views]).astype(np.float32)
        np.savez_compressed(path, images=images, poses=cameras, focal=0.5 * side / math.tan(ANGLE / 2))
        return
    (path / "views").mkdir(parents=True, exist_ok=True)
    frames = []
    for number, (colour, matrix) in enumerate(zip(views, cameras, strict=True)):
        name = f"views/{number:03}"
        Image.fromarray((255 * colour).round().astype(np.uint8)).save(path / f"{name}.png")
        frames.append({"file_path": name, "transform_matrix": matrix.tolist()})
    (path / "transforms.json").write_text(json.dumps({"camera_angle_x": ANGLE, "frames": frames}, indent=1) + "\n")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", type=Path)
    parser.add_argument("--views", type=int, default=60)
    parser.add_argument("--side", type=int, default=80, help="pixels along a side")
    arguments = parser.parse_args()
    write(arguments.path, arguments.views, arguments.side)
