"""Views of a scene as Blender's add-on for NeRF writes them: ``transforms.json`` and PNG files."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet import budget
from ffnet.signals.image_files import fittable, pixel_limit, silent_stderr

# Of a directory, the first of these that is there.
NAMES = ("transforms.json", "transforms_train.json")
# Bytes of a file; a view takes less than a kilobyte.
LARGEST = 2**26
# Coefficients of lenses, in the files of other programs.
LENS = ("k1", "k2", "k3", "k4", "p1", "p2")


def transforms_file(path: Path) -> Path:
    """``path`` itself, or the file of that kind in a directory.

    Raises:
        FileNotFoundError: if there is none.
    """
    if not path.is_dir():
        return path
    found = next((path / name for name in NAMES if (path / name).is_file()), None)
    if found is None:
        raise FileNotFoundError(f"{path}: has no {' or '.join(NAMES)}; expected a directory with posed views")
    return found


def read_transforms(
    path: Path, background: float, downsample: int
) -> tuple[Float[Tensor, "v h w 3"], Float[Tensor, "v 4 4"], float]:
    """Images on the background, camera-to-world matrices as they are in the file, and the focal length in pixels.

    Args:
        path: ``transforms.json``: ``camera_angle_x``, the horizontal field of view in radians, and ``frames``, each
            with ``file_path``, a PNG file in the directory of ``path`` or below (``.png`` may be left out), and
            ``transform_matrix``.
        background: grey level in [0, 1] on which transparent pixels are composited.
        downsample: pixels along a side that are averaged to one.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if it is no such file, or the images do not fit together.
    """
    angle, frames = _checked(path, _parsed(path))
    folder = path.parent.resolve()
    images: list[Tensor] = []
    for number, frame in enumerate(frames):
        name = f"{path}: frames[{number}]"
        images.append(averaged(on_background(_image(_place(frame["file_path"], folder, name)), background), downsample))
        if images[-1].shape != images[0].shape:
            raise ValueError(f"{name}: expected images of one size, {_size(images[0])}, got {_size(images[-1])}")
        if number == 0:
            budget.check("pixels", len(frames) * images[0][..., 0].numel(), f"{path}, of all views")
    poses = [_matrix(frame["transform_matrix"], f"{path}: frames[{number}]") for number, frame in enumerate(frames)]
    return torch.stack(images), torch.stack(poses), 0.5 * images[0].shape[1] / math.tan(angle / 2)


def on_background(pixels: Float[Tensor, "*n c"], background: float) -> Float[Tensor, "*n 3"]:
    """RGB pixels as they are; RGBA pixels, whose colours are not multiplied with alpha, on a grey background."""
    colour, alpha = pixels[..., :3], pixels[..., 3:]
    return colour if alpha.shape[-1] == 0 else alpha * colour + (1 - alpha) * background


def averaged(image: Float[Tensor, "h w c"], factor: int) -> Float[Tensor, "k l c"]:
    """The means of squares of ``factor`` x ``factor`` pixels.

    Raises:
        ValueError: if they do not tile the image.
    """
    height, width, channels = image.shape
    if height % factor or width % factor:
        raise ValueError(f"downsample: expected a divisor of {width} and {height}, the size of the views, got {factor}")
    return image.reshape(height // factor, factor, width // factor, factor, channels).mean((1, 3))


def _parsed(path: Path) -> Any:
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: expected a transforms.json of at most {LARGEST} bytes, got {path.stat().st_size}")
    try:
        return json.loads(path.read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path}: expected a transforms.json ({error})") from error


def _checked(path: Path, found: Any) -> tuple[float, list[dict[str, Any]]]:
    """The angle and the frames."""
    if not isinstance(found, dict) or not {"camera_angle_x", "frames"} <= set(found):
        raise ValueError(f"{path}: expected camera_angle_x and frames, as in Blender's transforms.json")
    angle, frames = found["camera_angle_x"], found["frames"]
    if type(angle) not in (int, float) or not 0 < angle < math.pi:
        raise ValueError(f"{path}: expected camera_angle_x in radians between 0 and pi, got {str(angle)[:40]}")
    if lens := [name for name in LENS if found.get(name)]:
        raise ValueError(f"{path}: expected a camera without distortion, got {lens[0]}; undistort the images first")
    if not isinstance(frames, list) or len(frames) < 2:
        raise ValueError(f"{path}: expected at least 2 frames")
    for number, frame in enumerate(frames):
        if (
            not isinstance(frame, dict)
            or not isinstance(frame.get("file_path"), str)
            or "transform_matrix" not in frame
        ):
            raise ValueError(f"{path}: frames[{number}]: expected a file_path and a transform_matrix")
    return float(angle), frames


def _place(written: str, folder: Path, name: str) -> Path:
    """The PNG file that a frame names.

    Raises:
        FileNotFoundError: if it is missing.
        ValueError: if it is not below ``folder``, also by way of a link.
    """
    try:
        place = (folder / (written if written.lower().endswith(".png") else f"{written}.png")).resolve()
        missing = not place.is_file()
    except (OSError, ValueError) as error:
        raise ValueError(f"{name}: expected the path of a PNG file, got {written[:80]!r} ({error})") from error
    if not place.is_relative_to(folder):
        raise ValueError(f"{name}: expected a path in the directory of the json, got {written[:80]!r}")
    if missing:
        raise FileNotFoundError(f"{name}: there is no {place.name} in {place.parent}")
    return place


def _image(path: Path) -> Float[Tensor, "h w 4"]:
    """A PNG file's pixels in [0, 1]."""
    try:
        with pixel_limit(budget.limit("pixels")), silent_stderr(), Image.open(path, formats=("PNG",)) as opened:
            budget.check("pixels", opened.width * opened.height, str(path))
            opened.load()
            image = fittable(opened, path)
    except budget.Excess:
        raise
    except Exception as error:  # of Pillow's reader
        raise ValueError(f"{path}: expected a PNG image ({error})") from error
    if image.mode.startswith("I"):
        raise ValueError(f"{path}: expected 8 bits per channel, got 16")
    return torch.from_numpy(np.asarray(image.convert("RGBA")).astype(np.float32) / 255)


def _matrix(written: Any, name: str) -> Float[Tensor, "4 4"]:
    try:
        matrix = np.array(written, dtype=np.float64)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: expected a transform_matrix of 4 x 4 numbers ({error})") from error
    if matrix.shape != (4, 4):
        raise ValueError(f"{name}: expected a transform_matrix of 4 x 4 numbers, got shape {matrix.shape}")
    return torch.from_numpy(matrix.astype(np.float32))


def _size(image: Tensor) -> str:
    return f"{image.shape[1]}x{image.shape[0]}"
