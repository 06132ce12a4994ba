"""Makes data/knot.ply: a tube around the trefoil knot, thicker here and thinner there.

python docs/knot.py data/knot.ply
"""

import sys
from pathlib import Path

import numpy as np

from ffnet.geometry import Mesh, write_mesh

ALONG, AROUND = 240, 28


def knot() -> Mesh:
    """(cos t (2 + cos 3t), sin t (2 + cos 3t), sin 3t), scaled in depth, with a circle across at every t."""
    t = np.arange(ALONG) / ALONG * 2 * np.pi
    ring = np.arange(AROUND) / AROUND * 2 * np.pi

    def centre(t: np.ndarray) -> np.ndarray:
        return np.stack([np.cos(2 * t) * (2 + np.cos(3 * t)), np.sin(2 * t) * (2 + np.cos(3 * t)), np.sin(3 * t)], -1)

    step = 1e-4
    tangent = centre(t + step) - centre(t - step)
    tangent /= np.linalg.norm(tangent, axis=-1, keepdims=True)
    # The direction away from the torus's core circle is nowhere along the tangent, so the frame closes.
    core = 2 * np.stack([np.cos(2 * t), np.sin(2 * t), 0 * t], -1)
    across = centre(t) - core
    across -= (across * tangent).sum(-1, keepdims=True) * tangent
    across /= np.linalg.norm(across, axis=-1, keepdims=True)
    other = np.cross(tangent, across)
    radius = 0.42 + 0.1 * np.cos(5 * t)
    circle = np.cos(ring)[None, :, None] * across[:, None] + np.sin(ring)[None, :, None] * other[:, None]
    vertices = centre(t)[:, None] + radius[:, None, None] * circle
    i, j = np.meshgrid(np.arange(ALONG), np.arange(AROUND), indexing="ij")
    a, b = i * AROUND + j, (i + 1) % ALONG * AROUND + j
    c, d = (i + 1) % ALONG * AROUND + (j + 1) % AROUND, i * AROUND + (j + 1) % AROUND
    faces = np.concatenate([np.stack([a, c, b], -1).reshape(-1, 3), np.stack([a, d, c], -1).reshape(-1, 3)])
    return Mesh(vertices.reshape(-1, 3), faces)


if __name__ == "__main__":
    write_mesh(knot(), Path(sys.argv[1]))
