"""What a checkpoint keeps of a scene, and how a fit of it is looked at: views, depth maps and an orbit."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet.atomic import check_replaceable
from ffnet.budget import check, chunk
from ffnet.operators import VolumeRendering
from ffnet.rendering.camera_path import around
from ffnet.signals import video_files
from ffnet.signals.base import Field, Progress, Rendered, Rendering
from ffnet.signals.image_files import check_writable, output_size, save_image
from ffnet.signals.posed_views import camera_rays

# Along an axis of the grid of where a field is empty, for views at any size.
CELLS = 64
# Views of an orbit, and how many are shown per second.
FRAMES, RATE = 60, Fraction(20)


@dataclass(frozen=True)
class ViewsRecord(Rendered):
    """What a checkpoint keeps of a scene: some of its cameras, and an orbit around it, from which the fit is drawn.

    Attributes:
        poses: camera-to-world matrices, four rows each.
        focal: in pixels.
        size: (height, width) of a view.
        half_side, samples, coarse, near, far, background, directions: arguments of
            ``ffnet.operators.VolumeRendering``.
        up: the scene's upward axis.
        radius, elevation: mean distance of the cameras from the origin, and mean angle, in radians, by which they are
            above it.
    """

    noun: ClassVar[str] = "a scene"

    poses: Sequence[Sequence[Sequence[float]]]
    focal: float
    size: tuple[int, int]
    half_side: float = 1.25
    samples: int = 64
    coarse: int = 0
    near: float | None = None
    far: float | None = None
    background: float = 0.0
    directions: bool = False
    up: Sequence[float] = (0.0, 0.0, 1.0)
    radius: float = 4.0
    elevation: float = 0.5

    def __post_init__(self) -> None:
        try:
            poses = torch.tensor(self.poses, dtype=torch.float32)
            numbers = torch.tensor([self.focal, self.radius, self.elevation, *self.up], dtype=torch.float32)
        except (TypeError, ValueError, RuntimeError) as error:
            raise ValueError(f"expected poses and numbers ({error})") from error
        if poses.shape[1:] != (4, 4) or len(poses) == 0 or numbers.shape != (6,):
            raise ValueError(f"expected poses (n, 4, 4) and an axis of 3 numbers, got {[*poses.shape]}, {self.up}")
        if not (poses.isfinite().all() and numbers.isfinite().all() and self.focal > 0 and self.radius > 0):
            raise ValueError("expected finite poses, focal length and radius")
        if [type(side) for side in self.size] != [int, int] or min(self.size) < 1:
            raise ValueError(f"expected a size of 2 integers of at least 1, got {self.size}")
        check("points", self._operator().points_per_query, "samples")

    def _operator(self) -> VolumeRendering:
        return VolumeRendering(
            self.half_side,
            self.samples,
            self.coarse,
            self.near,
            self.far,
            self.background,
            self.directions,
            cells=CELLS,
        )

    @property
    def depths(self) -> tuple[float, float]:
        """The distances between which depth maps go from white to dark."""
        return max(0.0, self.radius - self.half_side), self.radius + self.half_side

    @property
    def features(self) -> tuple[int, int]:
        return (6 if self.directions else 3), 4

    def values(self) -> str:
        return "red, green, blue are sigmoid(value) in [0, 1], density per unit of the scene is 10 softplus(value - 2)"

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Image.Image:
        """The views in a row."""
        return row(frame.colour for frame in self.frames(field, torch.tensor(self.poses), device=device))

    def frames(
        self,
        field: Field,
        poses: Float[Tensor, "v 4 4"],
        size: tuple[int, int] | None = None,
        device: torch.device | str = "cpu",
    ) -> Iterator["Frame"]:
        """What cameras of the same horizontal field of view see, one after the other.

        Args:
            field: of colour and density.
            poses: camera-to-world matrices.
            size: (height, width); None is that of the views.
            device: of the field.
        """
        height, width = size or self.size
        check("pixels", height * width, "the size of a view")
        operator = self._operator().to(device)
        operator.look(field, torch.Generator(device).manual_seed(0))
        step = chunk(operator.points_per_query)
        for pose in poses.to(device):
            rays = camera_rays(pose[None], self.focal * width / self.size[1], height, width).flatten(0, 2)
            with torch.inference_mode():
                parts = [operator.trace(field, part) for part in rays.split(step)]
            colour, opacity, distance = (torch.cat(part) for part in zip(*parts, strict=True))
            depth = grey(distance, opacity, self.depths).view(height, width)
            yield Frame(colour.view(height, width, 3).clamp(0, 1).cpu(), depth.cpu())

    def orbit(self, count: int) -> Float[Tensor, "v 4 4"]:
        """Poses of ``count`` cameras on a circle around the scene, at the mean distance and elevation of its own."""
        turn = 2 * math.pi * torch.arange(count) / count
        return self.camera(turn, torch.full_like(turn, self.elevation))

    def camera(self, azimuth: Float[Tensor, "n"], elevation: Float[Tensor, "n"]) -> Float[Tensor, "n 4 4"]:
        """Poses of cameras that look at the origin from the mean distance, from angles in radians."""
        return around(torch.tensor(self.up), self.radius, azimuth, elevation)

    def rendering(self, settings: Mapping[str, Any], output: Path) -> Rendering:
        """An orbit if the output is a GIF or an MP4 file, else the view of one ``camera`` (azimuth and elevation in
        degrees), or those of the record in a row; with ``depth``, distances in place of colours."""
        for name in ("crop", "rate"):
            if settings[name] is not None:
                raise ValueError(f"{name}: expected null for a scene, got {settings[name]}")
        moved, depth = output.suffix.lower() in video_files.WRITTEN, settings["depth"]
        if type(depth) is not bool:
            raise ValueError(f"depth: expected true or false, got {depth}")
        poses = self._orbit(settings) if moved else self._still(settings)
        name, (height, width) = output_size(settings, self.size)
        wide = width * (1 if moved else len(poses))
        check("pixels", height * width * len(poses), name)
        if moved:
            check_replaceable(output)
            if output.suffix.lower() == ".mp4":
                video_files.av("output=NAME.mp4")
        else:
            check_writable(output, Image.new("L" if depth else "RGB", (1, 1)), (height, wide))

        def written(field: Field, device: torch.device | str, progress: Progress) -> str:
            frames = progress(self.frames(field, poses, (height, width), device))
            pictures = (frame.depth if depth else frame.colour for frame in frames)
            if moved:
                shown = (np.asarray(as_image(picture).convert("RGB")) for picture in pictures)
                video_files.write(shown, output, (height, width), RATE)
                return f"{len(poses)} views of {width} x {height} pixels"
            save_image(row(pictures), output)
            return f"{wide} x {height} pixels"

        return written

    def _orbit(self, settings: Mapping[str, Any]) -> Float[Tensor, "v 4 4"]:
        frames = FRAMES if settings["frames"] is None else settings["frames"]
        if type(frames) is not int or frames < 2:
            raise ValueError(f"frames: expected an integer of at least 2, got {frames}")
        if settings["camera"] is not None:
            raise ValueError(f"camera: expected null for an orbit, got {settings['camera']}")
        check("points", frames, "frames")
        return self.orbit(frames)

    def _still(self, settings: Mapping[str, Any]) -> Float[Tensor, "v 4 4"]:
        if settings["frames"] is not None:
            raise ValueError(f"frames: expected null unless the output is a .gif or .mp4, got {settings['frames']}")
        camera = settings["camera"]
        if camera is None:
            return torch.tensor(self.poses)
        numbers = isinstance(camera, list) and all(type(angle) in (int, float) for angle in camera)
        if not numbers or len(camera) != 2 or not (math.isfinite(camera[0]) and -90 < camera[1] < 90):
            raise ValueError(f"camera: expected [azimuth, elevation] in degrees, the latter within 90, got {camera}")
        azimuth, elevation = torch.tensor(camera, dtype=torch.float32).deg2rad()[:, None]
        return self.camera(azimuth, elevation)

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        """Writes the views in a row, and their depth maps as ``views.png``."""
        path = directory / "reconstruction.png"
        frames = list(self.frames(field, torch.tensor(self.poses), device=device))
        save_image(row(frame.colour for frame in frames), path)
        save_image(row(frame.depth for frame in frames), directory / "views.png")
        return path


class Frame(NamedTuple):
    """What a camera sees: colours in [0, 1], and distances as grey levels; see ``grey``."""

    colour: Float[Tensor, "h w 3"]
    depth: Float[Tensor, "h w"]


def grey(distance: Float[Tensor, "n"], opacity: Float[Tensor, "n"], depths: tuple[float, float]) -> Float[Tensor, "n"]:
    """Distances as grey levels: the first of ``depths`` is white, the second dark, and what is less than half opaque is
    black."""
    near, far = depths
    level = 1 - 0.85 * ((distance - near) / (far - near)).clamp(0, 1)
    return torch.where(opacity > 0.5, level, 0.0)


def as_image(values: Float[Tensor, "h w *c"]) -> Image.Image:
    """Values in [0, 1] as an image of 8 bits, grey or RGB."""
    return Image.fromarray((255 * values).round().byte().cpu().numpy())


def row(pictures: Iterable[Float[Tensor, "h w *c"]]) -> Image.Image:
    """Pictures next to one another."""
    return as_image(torch.cat(list(pictures), dim=1))
