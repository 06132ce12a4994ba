"""Images of a scene with the poses of the camera that took them."""

import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import normalize

from ffnet.budget import Excess, check, chunk
from ffnet.signals.base import Field, Record
from ffnet.signals.image_files import save_image


def camera_rays(poses: Float[Tensor, "v 4 4"], focal: float, height: int, width: int) -> Float[Tensor, "v h w 6"]:
    """Origins and directions (of length 1) through the centres of the pixels.

    Poses are camera-to-world matrices in OpenGL's convention: x to the right, y up, and the camera looks along -z. The
    focal length is in pixels.
    """
    y, x = torch.meshgrid(torch.arange(height) + 0.5, torch.arange(width) + 0.5, indexing="ij")
    local = torch.stack([(x - width / 2) / focal, (height / 2 - y) / focal, -torch.ones_like(x)], dim=-1)
    directions = normalize(local, dim=-1) @ poses[:, None, :3, :3].transpose(-1, -2)
    origins = poses[:, None, None, :3, 3].expand_as(directions)
    return torch.cat([origins, directions], dim=-1)


def shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """The shapes of the arrays in an ``.npz`` file, from their headers alone; those of a bomb are not unpacked.

    Raises:
        Exception: if it is none.
    """
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            with archive.open(name) as member:
                found[name.removesuffix(".npy")] = readers[np.lib.format.read_magic(member)](member)[0]
    return found


@dataclass(frozen=True)
class ViewsRecord(Record):
    """What a checkpoint keeps of a scene: some of its cameras, from which the fit is drawn.

    Attributes:
        poses: camera-to-world matrices, four rows each.
        focal: in pixels.
        size: (height, width) of a view.
        half_side, samples: arguments of ``ffnet.operators.VolumeRendering``.
    """

    noun: ClassVar[str] = "a scene"

    poses: Sequence[Sequence[Sequence[float]]]
    focal: float
    size: tuple[int, int]
    half_side: float = 1.25
    samples: int = 64

    def values(self) -> str:
        return "red, green, blue are sigmoid(value) in [0, 1], density per unit of the scene is 10 softplus(value - 2)"

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Image.Image:
        """The views in a row."""
        from ffnet.operators import VolumeRendering

        operator = VolumeRendering(self.half_side, self.samples, cells=0).to(device)
        rays = camera_rays(torch.tensor(self.poses), self.focal, *self.size).to(device)
        step = chunk(self.samples)
        with torch.inference_mode():
            views = [
                torch.cat([operator(field, part) for part in view.flatten(0, 1).split(step)]).view(*self.size, 3)
                for view in rays
            ]
        row = torch.cat(views, dim=1).clamp(0, 1)
        return Image.fromarray((255 * row).round().byte().cpu().numpy())

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        path = directory / "reconstruction.png"
        save_image(self.reconstruct(field, device), path)
        return path


class PosedViews:
    """Images of a scene from an ``.npz`` file: ``images`` (n, h, w, 3) in [0, 1] on black, camera-to-world ``poses``
    (n, 4, 4) in OpenGL's convention, and ``focal`` in pixels.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it does not hold these, or they do not fit together.
    """

    def __init__(self, path: Path) -> None:
        if path.is_dir():
            raise IsADirectoryError(f"{path}: is a directory; expected an .npz file of images, poses and focal")
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file; expected an .npz file of images, poses and focal")
        try:
            for name, shape in shapes(path).items():
                check("points", math.prod(shape), f"{path}: {name}")
            with np.load(path) as held:
                images, poses, focal = (np.asarray(held[name]) for name in ("images", "poses", "focal"))
        except KeyError as error:
            raise ValueError(f"{path}: expected images, poses and focal, has no {error.args[0].split()[0]}") from error
        except Excess:
            raise
        except Exception as error:  # of zipfile, zlib, and numpy's readers of headers and numbers
            raise ValueError(f"{path}: expected an .npz file of images, poses and focal ({error})") from error
        if images.ndim != 4 or images.shape[-1] != 3 or len(images) < 2 or images.size == 0:
            raise ValueError(f"{path}: expected at least 2 images (n, height, width, 3), got shape {images.shape}")
        if poses.shape != (len(images), 4, 4):
            raise ValueError(f"{path}: expected poses of shape {(len(images), 4, 4)}, got {poses.shape}")
        scale = 255 if images.dtype == np.uint8 else 1
        self.images = torch.from_numpy(images.astype(np.float32) / scale)
        self.poses, self.focal = torch.from_numpy(poses.astype(np.float32)), float(focal)
        turn = self.poses[:, :3, :3]
        if not (self.images.isfinite().all() and self.images.min() >= 0 and self.images.max() <= 1):
            raise ValueError(f"{path}: expected images with values in [0, 1]")
        if not torch.allclose(turn @ turn.transpose(1, 2), torch.eye(3), atol=1e-3):
            raise ValueError(f"{path}: expected rigid poses, with a rotation in their first three rows and columns")
        if not 0 < self.focal < float("inf"):
            raise ValueError(f"{path}: expected a focal length above 0, got {self.focal}")
