"""A video: colours in a plane over time."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor

from ffnet.atomic import check_replaceable
from ffnet.budget import EVALUATIONS, check
from ffnet.rendering import planes, voxel_coordinates
from ffnet.signals import video_files
from ffnet.signals.base import Field, Progress, Rendered, Rendering
from ffnet.signals.image_files import fitted_size, save_image, scaled
from ffnet.signals.memory import array_of

# Frames shown in a picture, along a side of it.
ACROSS = 2
# Width of the picture of a run in pixels.
VIEW_SIDE = 1024


@dataclass(frozen=True)
class VideoRecord(Rendered):
    """What a checkpoint keeps of a video.

    Attributes:
        frames: number of frames.
        size: (height, width) in pixels.
        rate: frames per second, as numerator and denominator.
        suffix: of the reconstruction's file, .mp4 or .gif.
    """

    noun: ClassVar[str] = "a video"

    frames: int
    size: Sequence[int]
    rate: Sequence[int]
    suffix: str = ".mp4"

    def __post_init__(self) -> None:
        numbers = (self.frames, *self.size, *self.rate)
        if len(numbers) != 5 or not all(type(number) is int and 1 <= number < 2**31 for number in numbers):
            raise ValueError(f"{self.frames} frames of {self.size}, {self.rate} per second")
        if self.suffix not in video_files.WRITTEN or self.fps > video_files.MOST_RATE:
            raise ValueError(f"suffix {self.suffix}, {self.fps} frames per second")

    @property
    def fps(self) -> Fraction:
        """Frames per second."""
        return Fraction(self.rate[0], self.rate[1])

    @property
    def grid(self) -> tuple[int, int, int]:
        """(frames, height, width)."""
        return self.frames, self.size[0], self.size[1]

    @property
    def features(self) -> tuple[int, int]:
        return 3, 3

    def values(self) -> str:
        return "red, green, blue in [0, 1]; coordinates are (x / width, y / height, time / duration)"

    def images(
        self, field: Field, device: torch.device | str = "cpu", progress: Progress = lambda items: items
    ) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """The frames, one after the other."""
        for values in planes(field, self.grid, device=device, progress=progress):
            yield np.rint(255 * values.clip(0, 1)).astype(np.uint8)

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> UInt8[np.ndarray, "t h w 3"]:
        """The frames (frames, height, width, 3)."""
        check("pixels", self.frames * self.size[0] * self.size[1], "the video, in all frames")
        return np.stack(list(self.images(field, device)))

    def picture(
        self, values: Callable[[Tensor], Tensor], max_side: int, device: torch.device | str = "cpu"
    ) -> Float[Tensor, "h w 3"]:
        """Four frames of ``values`` in [0, 1] by number of the pixel, the first on top on the left."""
        height, width = self.size
        step = -(-ACROSS * max(height, width) // max_side)
        rows, columns = (torch.arange(0, side, step, device=device) for side in (height, width))
        within, count, shown = rows[:, None] * width + columns, ACROSS**2, []
        for number in range(count):
            frame = (2 * number + 1) * self.frames // (2 * count)
            index = frame * height * width + within.flatten()
            parts = [values(part).float() for part in index.split(EVALUATIONS)]
            shown.append(torch.cat(parts).clamp(0, 1).view(*within.shape, 3).cpu())
        return torch.cat([torch.cat(shown[row : row + ACROSS], dim=1) for row in range(0, count, ACROSS)])

    def pictured(self, field: Field, max_side: int, device: torch.device | str = "cpu") -> Float[Tensor, "h w 3"]:
        """The same of a field."""
        with torch.inference_mode():
            return self.picture(lambda index: field(voxel_coordinates(index, self.grid)), max_side, device)

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        """Writes the video, and four frames of it as ``views.png``."""
        path = directory / f"reconstruction{self.suffix}"
        self.save(field, path, device)
        shown = self.pictured(field, VIEW_SIDE, device)
        save_image(Image.fromarray((255 * shown).round().byte().numpy()), directory / "views.png")
        return path

    def save(
        self,
        field: Field,
        path: Path,
        device: torch.device | str = "cpu",
        progress: Progress = lambda items: items,
    ) -> None:
        """Writes the video as the suffix of ``path`` says."""
        video_files.write(self.images(field, device, progress), path, (self.size[0], self.size[1]), self.fps)

    def rendering(self, settings: Mapping[str, Any], output: Path) -> Rendering:
        """At ``rate`` frames per second, with frames of ``size``, or ``scale`` times or ``longest`` as large."""
        if settings["crop"] is not None:
            raise ValueError(f"crop: expected null for a video, got {settings['crop']}")
        given = [name for name in ("size", "longest", "scale") if settings[name] is not None]
        if len(given) > 1:
            raise ValueError(f"{given[1]}: expected null together with {given[0]}, got {settings[given[1]]}")
        height, width = self.size
        name = given[0] if given else "scale"
        value = settings[name] if given else 1
        if name == "size":
            size = fitted_size(name, value, (height, width))
        elif type(value) in (int, float) and 0 < value * max(height, width) < 2**31:
            size = scaled((height, width), value if name == "scale" else value / max(height, width))
        else:
            raise ValueError(f"{name}: expected a number above 0, got {value}")
        wanted = self.at(float(self.fps) if settings["rate"] is None else settings["rate"], size, name, output)

        def written(field: Field, device: torch.device | str, progress: Progress) -> str:
            wanted.save(field, output, device, progress)
            seconds = wanted.frames / wanted.fps
            return f"{wanted.frames} frames of {size[1]} x {size[0]} pixels, {float(seconds):.2f} s"

        return written

    def at(self, rate: Any, size: tuple[int, int], name: str, path: Path) -> "VideoRecord":
        """The record of the same video at another rate and size, in a file with the suffix of ``path``.

        Raises:
            OSError, ValueError: if there is none, or it cannot be written. ``name`` is the setting of the size.
        """
        suffix = path.suffix.lower()
        if suffix not in video_files.WRITTEN:
            raise ValueError(f"output: expected a name ending in {', '.join(video_files.WRITTEN)}, got {path}")
        fps = self.fps if rate == float(self.fps) and suffix != ".gif" else video_files.check_rate(rate, suffix)
        if suffix == ".mp4":
            video_files.av()
        check_replaceable(path)
        frames = max(1, round(self.frames * fps / self.fps))
        check("pixels", size[0] * size[1], f"{name}, of a frame")
        check("points", frames, "rate, times the seconds, of frames")
        return replace(self, frames=frames, size=size, rate=(fps.numerator, fps.denominator), suffix=suffix)


class VideoSignal:
    """A video that FFmpeg reads, or frames in memory, as RGB.

    Args:
        video: the file; or an array or tensor (frames, height, width, 3), of uint8 or floating-point values in [0, 1].
        start, duration: the part to read, in seconds; all that follows if ``duration`` is None.
        size: [height, width] to which frames are resized (Lanczos), or the length of the longer side; None keeps it.
        rate: frames per second of a video in memory, which is fitted as it is; a file has its own.

    Attributes:
        pixels: (frames, height, width, 3), uint8.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no video, is truncated, or the part lies outside.
    """

    def __init__(
        self,
        video: Any,
        start: float = 0.0,
        duration: float | None = None,
        size: int | Sequence[int] | None = None,
        rate: float | None = None,
    ) -> None:
        if isinstance(video, Path):
            if rate is not None:
                raise ValueError(f"rate: expected null for a file, which has its own, got {rate}")
            found = video_files.read(video, start, duration, size)
        else:
            if start or duration is not None or size is not None:
                raise ValueError("start, duration, size: expected none for a video in memory; take a part of the array")
            found = video_files.Frames(_in_memory(video), video_files.check_rate(rate, ".mp4"))
        self.pixels = torch.from_numpy(found.pixels)
        frames, height, width, _ = found.pixels.shape
        gif = isinstance(video, Path) and video.suffix.lower() == ".gif" and found.rate <= video_files.MOST_GIF
        suffix = ".gif" if gif else ".mp4"
        self.record = VideoRecord(frames, (height, width), (found.rate.numerator, found.rate.denominator), suffix)


def _in_memory(video: Any) -> UInt8[np.ndarray, "t h w 3"]:
    frames = array_of("video", video)
    if frames.ndim != 4 or frames.shape[-1] != 3 or frames.size == 0:
        raise ValueError(f"video: expected shape (frames, height, width, 3), got {frames.shape}")
    check("pixels", frames.size // 3, "the video, in all frames")
    if frames.dtype.kind == "f":
        if not (frames.min() >= 0 and frames.max() <= 1):
            raise ValueError("video: expected values in [0, 1], found others")
        frames = np.rint(255 * frames)
    elif frames.dtype != np.uint8:
        raise ValueError(f"video: expected uint8 or floating-point values, got {frames.dtype}")
    return frames.astype(np.uint8)
