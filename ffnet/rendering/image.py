"""Renders a field over the unit square as pixels."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ffnet.budget import EVALUATIONS
from ffnet.rendering.grid import bands, grid_coordinates

# Pixels per band. Rows are evaluated in bands so that memory does not grow with the size of the image.
BAND_POINTS = EVALUATIONS


def render(
    field: Callable[[Tensor], Tensor],
    size: tuple[int, int],
    *,
    channels: int,
    bits: int = 8,
    shift: tuple[float, float] = (0.0, 0.0),
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    device: torch.device | str = "cpu",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
) -> np.ndarray:
    """Pixels (height, width, channels) of ``field``, clipped to [0, 1] and rounded to ``bits`` bits, 8 or 16.

    The other arguments are those of ``rendered``.
    """
    options: dict[str, Any] = {"shift": shift, "box": box, "device": device, "progress": progress}
    return whole(rendered(field, size, channels=channels, dtype=f"uint{bits}", **options), size)


def whole(bands: Iterable[tuple[range, np.ndarray]], size: tuple[int, int]) -> np.ndarray:
    """The image of ``size`` (height, width) that consists of ``rendered`` bands."""
    pixels: np.ndarray | None = None
    for rows, band in bands:
        if pixels is None:
            pixels = np.empty((*size, band.shape[-1]), band.dtype)
        pixels[rows.start : rows.stop] = band
    assert pixels is not None
    return pixels


def rendered(
    field: Callable[[Tensor], Tensor],
    size: tuple[int, int],
    *,
    channels: int,
    dtype: str = "uint8",
    decode: Callable[[Tensor], Tensor] = lambda values: values,
    shift: tuple[float, float] = (0.0, 0.0),
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    device: torch.device | str = "cpu",
    progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
) -> Iterator[tuple[range, np.ndarray]]:
    """Bands of rows of ``field``'s pixels: the rows, and their pixels (rows, width, channels).

    The pixel in row i and column j is the field's value at its centre, ``((j + 0.5) / width, (i + 0.5) /
    height)`` within ``box``, plus ``shift``.

    Args:
        field: coordinates (n, 2), x first, to values (n, channels).
        size: (height, width) in pixels, independent of the size that was fitted.
        channels: number of values per point.
        dtype: NumPy's type of the pixels; see ``stored``.
        decode: maps values (n, channels) of the field to those of an image.
        shift: (x, y) added to the coordinates, for fields fitted with a pixel offset other than 0.5.
        box: (left, top, right, bottom), the part of the plane that is rendered; by default the unit square.
        device: the device of the field.
        progress: wraps the iteration over bands, as ``tqdm`` does.
    """
    height, width = size
    left, top, right, bottom = box
    extent = torch.tensor((right - left, bottom - top), device=device, dtype=torch.float32)
    move = torch.tensor((left + shift[0], top + shift[1]), device=device, dtype=torch.float32)
    for rows in progress(bands(height, width, BAND_POINTS)):
        with torch.inference_mode():
            coordinates = grid_coordinates(rows, size, device=torch.device(device)) * extent + move
            # A single row can be wider than a band.
            values = torch.cat([field(piece) for piece in coordinates.split(BAND_POINTS)])
            band = stored(decode(values.float()), dtype).reshape(len(rows), width, channels)
        yield rows, band


def stored(values: Tensor, dtype: str) -> np.ndarray:
    """Values as NumPy's ``dtype``: integers are fractions of the largest, clipped to [0, 1] and rounded; floating-point
    values are clipped to the finite."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        most = float(np.finfo(kind).max)
        return values.clamp(-most, most).cpu().numpy().astype(kind)
    whole = (values.clamp(0, 1) * np.iinfo(kind).max).round()
    return whole.cpu().numpy().astype(kind)
