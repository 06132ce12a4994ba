"""Images of a scene with the poses of the camera that took them."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from ffnet.signals.arrays import Arrays, name_of, read_arrays
from ffnet.signals.transforms import averaged, on_background, read_transforms, transforms_file


def pixel_rays(
    poses: Float[Tensor, "*#n 4 4"],
    focal: float,
    x: Float[Tensor, "*#n"],
    y: Float[Tensor, "*#n"],
    size: tuple[int, int],
) -> Float[Tensor, "... 6"]:
    """Origins and directions (of length 1) through points of images of ``size`` (height, width), x to the right and y
    down from their upper left corner, in pixels.

    Poses are camera-to-world matrices in OpenGL's convention: x to the right, y up, and the camera looks along -z. The
    focal length is in pixels.
    """
    height, width = size
    local = torch.stack([(x - width / 2) / focal, (height / 2 - y) / focal, -torch.ones_like(x)], dim=-1)
    directions = (poses[..., :3, :3] * normalize(local, dim=-1)[..., None, :]).sum(-1)
    return torch.cat([poses[..., :3, 3].expand_as(directions), directions], dim=-1)


def camera_rays(poses: Float[Tensor, "v 4 4"], focal: float, height: int, width: int) -> Float[Tensor, "v h w 6"]:
    """Rays through the centres of the pixels; see ``pixel_rays``."""
    rows, columns = torch.arange(height, device=poses.device), torch.arange(width, device=poses.device)
    y, x = torch.meshgrid(rows + 0.5, columns + 0.5, indexing="ij")
    return pixel_rays(poses[:, None, None], focal, x, y, (height, width))


class PosedViews:
    """Images of a scene with known cameras.

    Args:
        views: Blender's ``transforms.json``, a directory that holds one, an ``.npz`` file or a mapping of its arrays:
            ``images`` (n, h, w, 3 or 4) in [0, 1] or of 8 bits, camera-to-world ``poses`` (n, 4, 4) in OpenGL's
            convention, and ``focal`` in pixels.
        background: grey level in [0, 1] on which transparent pixels are composited.
        downsample: pixels along a side that are averaged to one; the focal length shrinks with the images.

    Attributes:
        images: (n, height, width, 3) in [0, 1].
        poses: (n, 4, 4).
        focal: in pixels.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if it does not hold these, or they do not fit together.
    """

    def __init__(self, views: Arrays, background: float = 0.0, downsample: int = 1) -> None:
        if isinstance(views, Path):
            if not views.exists():
                raise FileNotFoundError(
                    f"{views}: no such file; expected an .npz file or a transforms.json of posed views"
                )
            views = transforms_file(views)
        name = name_of(views)
        if isinstance(views, Path) and views.suffix.lower() == ".json":
            self.images, self.poses, self.focal = read_transforms(views, background, downsample)
        else:
            self.images, self.poses, self.focal = read_views(views, background, downsample)
        turn, rest = self.poses[:, :3, :3], self.poses[:, 3] - torch.tensor([0.0, 0.0, 0.0, 1.0])
        if not (self.images.isfinite().all() and self.images.min() >= 0 and self.images.max() <= 1):
            raise ValueError(f"{name}: expected images with values in [0, 1]")
        rotations = torch.allclose(turn @ turn.transpose(1, 2), torch.eye(3), atol=1e-3) and (turn.det() > 0).all()
        if not (self.poses.isfinite().all() and rotations and rest.abs().max() < 1e-3):
            raise ValueError(f"{name}: expected rigid poses, with a rotation in their first three rows and columns")
        if not 0 < self.focal < float("inf"):
            raise ValueError(f"{name}: expected a focal length above 0, got {self.focal}")


def read_views(
    arrays: Arrays, background: float, downsample: int
) -> tuple[Float[Tensor, "v h w 3"], Float[Tensor, "v 4 4"], float]:
    """Images, poses and focal length from arrays; see ``PosedViews``."""
    name = name_of(arrays)
    held = read_arrays(arrays, {"images": None, "poses": np.float32, "focal": np.float64}, "images, poses and focal")
    images, poses, focal = held["images"], held["poses"], held["focal"]
    if images.ndim != 4 or images.shape[-1] not in (3, 4) or len(images) < 2 or images.size == 0:
        raise ValueError(f"{name}: expected at least 2 images (n, height, width, 3 or 4), got shape {images.shape}")
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise ValueError(f"{name}: expected images of 8 bits or with values in [0, 1], got {images.dtype}")
    if poses.shape != (len(images), 4, 4):
        raise ValueError(f"{name}: expected poses of shape {(len(images), 4, 4)}, got {poses.shape}")
    if focal.size != 1:
        raise ValueError(f"{name}: expected one focal length, got {focal.size}")
    pixels = torch.from_numpy(images.astype(np.float32) / (255 if images.dtype == np.uint8 else 1))
    views = torch.stack([averaged(on_background(image, background), downsample) for image in pixels])
    return views, torch.from_numpy(poses), focal.item() / downsample
