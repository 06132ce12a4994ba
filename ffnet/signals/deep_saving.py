"""Writes images that Pillow cannot hold."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ffnet.atomic import check_replaceable, replacing
from ffnet.signals.deep_files import needing
from ffnet.signals.metadata import Metadata, with_chunks

# What holds values of these kinds.
FLOATING = (".exr", ".hdr", ".tif", ".tiff", ".npy")
SIXTEEN = (".png", ".tif", ".tiff", ".npy")
# Sides of the tiles of large TIFF files, in pixels.
TILE = 256
# Those of reconstructions.
SUFFIXES = (".exr", ".hdr", ".npy", ".png", ".tiff")


def save_deep(pixels: np.ndarray, path: Path, associated: bool, metadata: Metadata) -> None:
    """Writes pixels (height, width, channels) of uint16 or floating-point values in the format of the suffix,
    atomically. ``associated``: whether colours are multiplied by alpha.

    Raises:
        ValueError: if the format cannot hold them, or its library is missing.
    """
    check_suffix(path, pixels.dtype, pixels.shape[-1])
    suffix, flat = path.suffix.lower(), pixels[..., 0] if pixels.shape[-1] == 1 else pixels
    with needing(f"output: {suffix}"), replacing(path) as temporary:
        if suffix == ".npy":
            np.save(temporary, flat)
        elif suffix == ".exr":
            import OpenEXR

            names = {1: ("Y",), 2: ("Y", "A"), 3: ("RGB",), 4: ("RGBA",)}[pixels.shape[-1]]
            planes = [pixels] if pixels.shape[-1] > 2 else [pixels[..., k] for k in range(pixels.shape[-1])]
            channels = {name: np.ascontiguousarray(plane) for name, plane in zip(names, planes, strict=True)}
            header = {"compression": OpenEXR.ZIP_COMPRESSION, "type": OpenEXR.scanlineimage}
            with OpenEXR.File(header, channels) as file:
                file.write(str(temporary))
        elif suffix == ".hdr":
            import imagecodecs

            temporary.write_bytes(imagecodecs.rgbe_encode(flat.astype(np.float32).clip(0), header=True))
        elif suffix == ".png":
            import imagecodecs

            temporary.write_bytes(with_chunks(bytes(imagecodecs.png_encode(np.ascontiguousarray(flat))), metadata))
        else:
            import tifffile

            tifffile.imwrite(temporary, flat, **tiff_options(pixels.shape[-1], associated, metadata))


def save_bands(
    bands: Iterable[tuple[range, np.ndarray]],
    path: Path,
    shape: tuple[int, int, int],
    dtype: str,
    associated: bool,
    metadata: Metadata,
) -> None:
    """Writes an image of ``shape`` (height, width, channels), given as consecutive bands of rows, to a ``.npy`` file or
    a BigTIFF file of tiles, atomically, in memory for some rows of tiles.

    Raises:
        ValueError: if a library is missing.
    """
    with needing(f"output: {path.suffix}"), replacing(path) as temporary:
        if path.suffix.lower() == ".npy":
            pixels = shape if shape[2] > 1 else shape[:2]
            with temporary.open("wb") as file:
                header = {"descr": np.lib.format.dtype_to_descr(np.dtype(dtype)), "fortran_order": False}
                np.lib.format.write_array_header_2_0(file, {**header, "shape": pixels})
                for _, band in bands:
                    file.write(np.ascontiguousarray(band).data)
            return
        import tifffile

        options = tiff_options(shape[2], associated, metadata) | {"tile": (TILE, TILE), "bigtiff": True}
        whole = shape if shape[2] > 1 else shape[:2]
        tifffile.imwrite(temporary, _tiles(bands, shape), shape=whole, dtype=dtype, **options)


def _tiles(bands: Iterable[tuple[range, np.ndarray]], shape: tuple[int, int, int]) -> Iterator[np.ndarray]:
    """Tiles row by row; those at the ends are padded with zeros."""
    across, row = -(-shape[1] // TILE), None
    for rows, band in bands:
        for number, line in zip(rows, band, strict=True):
            if row is None:
                row = np.zeros((TILE, across * TILE, shape[2]), band.dtype)
            row[number % TILE, : shape[1]] = line
            if number % TILE == TILE - 1 or number == shape[0] - 1:
                for tile in np.split(row, across, axis=1):
                    yield np.ascontiguousarray(tile if shape[2] > 1 else tile[..., 0])
                row = None


def tiff_options(channels: int, associated: bool, metadata: Metadata) -> dict[str, Any]:
    """Arguments for tifffile."""
    extra = {} if channels % 2 else {"extrasamples": ["assocalpha" if associated else "unassalpha"]}
    colour = "minisblack" if channels < 3 else "rgb"
    options = {"photometric": colour, "metadata": None, "compression": "zlib", "predictor": True, **extra}
    return options | ({"iccprofile": metadata.icc} if metadata.icc else {})


def check_suffix(path: Path, kind: np.dtype, channels: int) -> None:
    """Raises ValueError if the format of a suffix cannot hold such pixels, or its library is missing."""
    check_replaceable(path)
    held = FLOATING if kind.kind == "f" else SIXTEEN
    suffix = path.suffix.lower()
    if suffix not in held or (suffix == ".hdr" and channels != 3):
        what = "floating-point values" if kind.kind == "f" else "16 bits per colour"
        raise ValueError(
            f"output: expected a name ending in {', '.join(held)} for an image of {what}"
            f"{' (.hdr: of 3 colours)' if '.hdr' in held else ''}, got {path.name!r}"
        )
    with needing(f"output: {suffix}"):
        if suffix == ".exr":
            import OpenEXR  # noqa: F401
        elif suffix in (".hdr", ".png"):
            import imagecodecs
        elif suffix != ".npy":
            import imagecodecs  # noqa: F401
            import tifffile  # noqa: F401
