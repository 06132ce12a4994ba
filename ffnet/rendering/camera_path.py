"""Paths of a camera."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize


def up_axis(poses: Float[Tensor, "v 4 4"]) -> Float[Tensor, "3"]:
    """The scene's upward axis from camera-to-world matrices in OpenGL's convention: the one to which the cameras' axes
    to the right are perpendicular, as they are if no camera is rolled."""
    right, mean = poses[:, :3, 0].double(), poses[:, :3, 1].double().mean(0)
    # The mean of the cameras' own upward axes decides where the first does not.
    squares = right.T @ right / len(poses) - 1e-6 * torch.outer(mean, mean)
    axis = torch.linalg.eigh(squares).eigenvectors[:, 0]
    return (axis if axis @ mean >= 0 else -axis).to(poses.dtype)


def look_at_origin(position: Float[Tensor, "n 3"], up: Float[Tensor, "3"]) -> Float[Tensor, "n 4 4"]:
    """Poses of cameras that look at the origin, along their -z, without roll."""
    back = normalize(position, dim=-1)
    right = normalize(torch.linalg.cross(up.expand_as(back), back), dim=-1)
    poses = torch.eye(4, dtype=position.dtype).repeat(len(position), 1, 1)
    poses[:, :3, :3] = torch.stack([right, torch.linalg.cross(back, right), back], dim=-1)
    poses[:, :3, 3] = position
    return poses


def around(
    up: Float[Tensor, "3"], radius: float, azimuth: Float[Tensor, "n"], elevation: Float[Tensor, "n"]
) -> Float[Tensor, "n 4 4"]:
    """Poses of cameras on a sphere about the origin that look at its centre.

    Args:
        up: the upward axis.
        radius: of the sphere.
        azimuth: in radians about ``up``, from the coordinate axis that is most nearly perpendicular to it.
        elevation: in radians above the plane through the centre.
    """
    first = torch.eye(3, dtype=up.dtype)[up.abs().argmin()]
    ahead = normalize(first - (first @ up) * up, dim=0)
    side = torch.linalg.cross(up, ahead)
    flat = azimuth.cos()[:, None] * ahead + azimuth.sin()[:, None] * side
    return look_at_origin(radius * (elevation.cos()[:, None] * flat + elevation.sin()[:, None] * up), up)
