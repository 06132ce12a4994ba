"""Two classical ways to a new view of a scene, without a field: the nearest view, and an image-based visual hull.

    python benchmarks/hull.py scene.npz [--views N]

Scored on every eighth view, as dataset=nerf is; --views takes N of the others, spread evenly. The file has images on
black: what is not black is the object. The visual hull (Laurentini 1994; Matusik et al. 2000) is what lies within all
silhouettes, on a grid of 128 cells along a side; a ray's colour is that of the first cell it meets in the view whose
camera is nearest.
"""

import argparse
import time
from pathlib import Path

import numpy as np

HALF, CELLS, STEPS = 1.25, 128, 256


def project(points: np.ndarray, pose: np.ndarray, focal: float, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of the pixels of points (n, 3) in a view, clipped to its border."""
    x, y, z = ((points - pose[:3, 3]) @ pose[:3, :3]).T
    row, column = size[0] / 2 + focal * y / z, size[1] / 2 - focal * x / z
    return row.astype(int).clip(0, size[0] - 1), column.astype(int).clip(0, size[1] - 1)


def hull(masks: np.ndarray, poses: np.ndarray, focal: float) -> np.ndarray:
    axis = ((np.arange(CELLS) + 0.5) / CELLS * 2 - 1) * HALF
    points = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3).astype(np.float32)
    inside = np.arange(len(points))
    for mask, pose in zip(masks, poses, strict=True):
        inside = inside[mask[project(points[inside], pose, focal, mask.shape)]]
    full = np.zeros(len(points), bool)
    full[inside] = True
    return full.reshape(CELLS, CELLS, CELLS)


def view(full: np.ndarray, pose: np.ndarray, focal: float, nearest: np.ndarray, nearest_pose: np.ndarray) -> np.ndarray:
    height, width, _ = nearest.shape
    y, x = np.meshgrid(np.arange(height) + 0.5, np.arange(width) + 0.5, indexing="ij")
    local = np.stack([(x - width / 2) / focal, (height / 2 - y) / focal, -np.ones_like(x)], -1).reshape(-1, 3)
    directions = local / np.linalg.norm(local, axis=-1, keepdims=True) @ pose[:3, :3].T
    middle = np.linalg.norm(pose[:3, 3])
    colours, open_ = np.zeros((len(directions), 3)), np.arange(len(directions))
    for t in np.linspace(middle - 2 * HALF, middle + 2 * HALF, STEPS):
        points = pose[:3, 3] + t * directions[open_]
        cell = ((points / HALF + 1) / 2 * CELLS).astype(int)
        within = ((cell >= 0) & (cell < CELLS)).all(-1)
        met = within & full[tuple(cell.clip(0, CELLS - 1).T)]
        colours[open_[met]] = nearest[project(points[met], nearest_pose, focal, (height, width))]
        open_ = open_[~met]
    return colours.reshape(height, width, 3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scene", type=Path)
    parser.add_argument("--views", type=int)
    arguments = parser.parse_args()
    with np.load(arguments.scene) as data:
        images, poses, focal = data["images"], data["poses"], float(data["focal"])
    held = np.arange(len(images)) % 8 == 0
    train = np.flatnonzero(~held)
    count = arguments.views or len(train)
    train = train[np.arange(count) * len(train) // count]
    start = time.perf_counter()
    full = hull(images[train].max(-1) > 0, poses[train], focal)
    scores: dict[str, list[float]] = {"nearest view": [], "visual hull": []}
    for pose, target in zip(poses[held], images[held], strict=True):
        near = train[np.linalg.norm(poses[train][:, :3, 3] - pose[:3, 3], axis=-1).argmin()]
        seen = view(full, pose, focal, images[near], poses[near])
        for name, found in (("nearest view", images[near]), ("visual hull", seen)):
            scores[name].append(float(np.square(found - target).mean()))
    print(f"{len(train)} views, {time.perf_counter() - start:.0f} s")
    for name, errors in scores.items():
        print(f"{name}: {-10 * np.log10(np.mean(errors)):.2f} dB on {int(held.sum())} held-out views")


if __name__ == "__main__":
    main()
