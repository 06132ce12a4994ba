"""The Shepp-Logan head phantom, made of ellipses, with its exact line integrals."""

import numpy as np
from jaxtyping import Float

# Centre x, centre y (up), half axes, turn in degrees, and what the ellipse adds (Toft 1996, table B.3: the contrasts of
# Shepp & Logan 1974 raised so that they can be seen), in [-1, 1]^2.
ELLIPSES = np.array(
    [
        [0, 0, 0.69, 0.92, 0, 1.0],
        [0, -0.0184, 0.6624, 0.874, 0, -0.8],
        [0.22, 0, 0.11, 0.31, -18, -0.2],
        [-0.22, 0, 0.16, 0.41, 18, -0.2],
        [0, 0.35, 0.21, 0.25, 0, 0.1],
        [0, 0.1, 0.046, 0.046, 0, 0.1],
        [0, -0.1, 0.046, 0.046, 0, 0.1],
        [-0.08, -0.605, 0.046, 0.023, 0, 0.1],
        [0, -0.605, 0.023, 0.023, 0, 0.1],
        [0.06, -0.605, 0.023, 0.046, 0, 0.1],
    ]
)


# Samples along each side of a pixel.
SUPERSAMPLING = 4


def _in_square() -> tuple[np.ndarray, ...]:
    """Centres, half axes, turns (radians, from x to y) and values in [0, 1]^2, y down."""
    x, y, a, b, turn, value = ELLIPSES.T
    return (x + 1) / 2, (1 - y) / 2, a / 2, b / 2, -np.deg2rad(turn), value


def phantom(points: Float[np.ndarray, "*n 2"]) -> Float[np.ndarray, "*n"]:
    """Its values at points of the unit square, in [0, 1]."""
    total = np.zeros(points.shape[:-1])
    for x, y, a, b, turn, value in zip(*_in_square(), strict=True):
        dx, dy = points[..., 0] - x, points[..., 1] - y
        u, v = dx * np.cos(turn) + dy * np.sin(turn), dy * np.cos(turn) - dx * np.sin(turn)
        total += value * ((u / a) ** 2 + (v / b) ** 2 <= 1)
    return total.clip(0, 1)


def phantom_integrals(lines: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "n"]:
    """Its exact integrals over lines (angle, offset) of the unit square, as ``ffnet.operators.LineIntegrals`` has them:
    a line at the distance s from an ellipse's centre has a chord of ``2 a b sqrt(w^2 - s^2) / w^2`` in it, with
    ``w^2 = a^2 cos^2 + b^2 sin^2`` of the angle between its normal and the half axis a (Kak & Slaney 1988, eq. 3.6)."""
    angle, offset = lines[:, 0], lines[:, 1]
    total = np.zeros(len(lines))
    for x, y, a, b, turn, value in zip(*_in_square(), strict=True):
        s = offset - (x - 0.5) * np.cos(angle) - (y - 0.5) * np.sin(angle)
        w2 = (a * np.cos(angle - turn)) ** 2 + (b * np.sin(angle - turn)) ** 2
        total += value * 2 * a * b * np.sqrt((w2 - s**2).clip(0)) / w2
    return total


def phantom_pixels(size: int, supersampling: int = SUPERSAMPLING) -> Float[np.ndarray, "size size 1"]:
    """The phantom as an image: each pixel is the mean over ``supersampling`` x ``supersampling`` points of its cell."""
    fine = size * supersampling
    axis = (np.arange(fine) + 0.5) / fine
    values = phantom(np.stack(np.meshgrid(axis, axis), axis=-1))
    return values.reshape(size, supersampling, size, supersampling).mean((1, 3))[..., None].astype(np.float32)
