"""Images that stay on disk, read window by window: arrays of NumPy, TIFF, zarr."""

from abc import ABC, abstractmethod
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from ffnet.signals.deep_files import check_shape, first_page, needing, reading, tiff_metadata, tiff_shape
from ffnet.signals.metadata import NO_METADATA, Metadata
from ffnet.signals.zarr_arrays import check_stored, check_tree

# Rows and columns that are read at once from a file that stores whole rows.
WINDOW = (16, 1024)
# Pixels of a window; larger tiles are read in parts.
LARGEST_WINDOW = 2**18
# Pixels of a tile or chunk of a file, which is decoded whole.
LARGEST_CHUNK = 2**24
# float32 tells so many positions in [0, 1] apart.
LONGEST = 2**23
# Pixels in all: the time of anything that reads them all is bounded.
MOST = 2**34


class Rectangle(NamedTuple):
    """Rows ``top`` to ``bottom`` and columns ``left`` to ``right``, the ends excluded."""

    top: int
    left: int
    bottom: int
    right: int

    @property
    def size(self) -> int:
        return (self.bottom - self.top) * (self.right - self.left)


class MappedImage(ABC):
    """An image on disk.

    Attributes:
        path: the file, or zarr's directory.
        shape: (height, width, channels).
        dtype: NumPy's type, in the byte order of this machine.
        window: rows and columns that are cheap to read at once.
        associated: whether colours are multiplied by alpha.
    """

    associated = False
    metadata: Metadata = NO_METADATA

    def __init__(self, path: Path, shape: tuple[int, ...], dtype: np.dtype, chunk: tuple[int, int]) -> None:
        check_shape(path, shape, dtype)
        if max(shape[:2]) > LONGEST or shape[0] * shape[1] > MOST:
            raise ValueError(
                f"{path}: expected at most {LONGEST} pixels a side and {MOST} in all, got {shape[0]} x {shape[1]}"
            )
        if chunk[0] * chunk[1] > LARGEST_CHUNK:
            raise ValueError(f"{path}: expected tiles of at most {LARGEST_CHUNK} pixels, got {chunk[0]} x {chunk[1]}")
        self.path, self.dtype = path, dtype.newbyteorder("=")
        self.shape = (shape[0], shape[1], shape[2] if len(shape) == 3 else 1)
        columns = min(chunk[1], self.shape[1], LARGEST_WINDOW)
        self.window = (max(1, min(chunk[0], self.shape[0], LARGEST_WINDOW // columns)), columns)

    def read(self, part: Rectangle) -> np.ndarray:
        """The pixels (rows, columns, channels) of a rectangle, in memory of their own.

        Raises:
            OSError, ValueError: if the file is damaged there.
        """
        with reading(self.path):
            pixels = self._read(part).astype(self.dtype, copy=False)
        return pixels.reshape(part.bottom - part.top, part.right - part.left, self.shape[2])

    @abstractmethod
    def _read(self, part: Rectangle) -> np.ndarray:
        """Likewise, without the last axis if there is one channel, in any byte order."""

    def windows(self) -> tuple[np.ndarray, np.ndarray]:
        """Tops of the rows of windows that cover the image, and lefts of the columns."""
        return np.arange(0, self.shape[0], self.window[0]), np.arange(0, self.shape[1], self.window[1])

    def rectangle(self, number: int) -> Rectangle:
        """The window of a number, counted row by row."""
        across = -(-self.shape[1] // self.window[1])
        top, left = number // across * self.window[0], number % across * self.window[1]
        return Rectangle(top, left, min(top + self.window[0], self.shape[0]), min(left + self.window[1], self.shape[1]))


class ArrayOnDisk(MappedImage):
    """Pixels that a file stores as they are, row by row: ``.npy``, or an uncompressed TIFF file.

    A map of the file is opened for each rectangle and closed again: the pages of a map that is kept count as memory of
    the process, once read.
    """

    def __init__(self, path: Path, dtype: np.dtype, offset: int, shape: tuple[int, ...], order: Any = "C") -> None:
        super().__init__(path, shape, dtype, WINDOW)
        self.options = {"dtype": dtype, "mode": "r", "offset": offset, "shape": shape, "order": order}
        self._map()

    def _map(self) -> np.ndarray:
        with reading(self.path):
            return np.memmap(self.path, **self.options)

    def _read(self, part: Rectangle) -> np.ndarray:
        return np.array(self._map()[part.top : part.bottom, part.left : part.right])


class TiledTiff(MappedImage):
    """A TIFF file of compressed or uncompressed tiles or strips."""

    def __init__(self, path: Path, page: Any) -> None:
        self.chunk = page.chunks[0], page.chunks[1]
        self.offsets, self.counts, self.decode = page.dataoffsets, page.databytecounts, page.decode
        super().__init__(path, tiff_shape(page), page.dtype, self.chunk)
        self.kept: tuple[int, np.ndarray] | None = None  # the tile that was decoded last

    def _read(self, part: Rectangle) -> np.ndarray:
        high, wide = self.chunk
        out = np.empty((part.bottom - part.top, part.right - part.left, self.shape[2]), self.dtype)
        for top in range(part.top // high * high, part.bottom, high):
            for left in range(part.left // wide * wide, part.right, wide):
                tile = self._tile(top // high * -(-self.shape[1] // wide) + left // wide)
                rows = slice(max(top, part.top), min(top + high, part.bottom))
                columns = slice(max(left, part.left), min(left + wide, part.right))
                inner = tile[rows.start - top : rows.stop - top, columns.start - left : columns.stop - left]
                out[
                    rows.start - part.top : rows.stop - part.top, columns.start - part.left : columns.stop - part.left
                ] = inner
        return out

    def _tile(self, number: int) -> np.ndarray:
        if self.kept is None or self.kept[0] != number:
            with self.path.open("rb") as file:
                file.seek(self.offsets[number])
                data = file.read(self.counts[number])
            if len(data) < self.counts[number]:
                raise ValueError(f"{self.path}: damaged image (tile {number} is cut off)")
            tile = self.decode(data, number)[0] if data else None
            if tile is None:  # a tile of nothing, which is not stored
                tile = np.zeros((1, *self.chunk, self.shape[2]), self.dtype)
            self.kept = number, tile[0]
        return self.kept[1]


class ZarrImage(MappedImage):
    """An array of zarr."""

    def __init__(self, path: Path, array: Any) -> None:
        self.array = array
        check_stored(path, array)
        check_shape(path, tuple(array.shape), np.dtype(array.dtype))
        super().__init__(path, tuple(array.shape), np.dtype(array.dtype), array.chunks[:2])

    def _read(self, part: Rectangle) -> np.ndarray:
        return np.asarray(self.array[part.top : part.bottom, part.left : part.right])


def open_mapped(path: Path) -> MappedImage:
    """The image in a ``.npy`` or TIFF file or a directory of zarr; nothing but its header is read.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is none of these, is damaged, or a library is missing.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path}: no such file; expected an image")
    if path.is_dir():
        with reading(path), needing(f"{path}: zarr"):
            import zarr

            check_tree(path)
            return ZarrImage(path, zarr.open_array(str(path), mode="r"))
    with path.open("rb") as file:
        head = file.read(6)
    if head == b"\x93NUMPY":
        with reading(path):
            return _array(path)
    if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        with reading(path), needing(f"{path}: TIFF on disk"):
            import tifffile

            with tifffile.TiffFile(path) as file:
                return _tiff(path, first_page(file))
    raise ValueError(f"{path}: expected a .npy or TIFF file or a directory of zarr, which can be read in parts")


def _array(path: Path) -> ArrayOnDisk:
    with path.open("rb") as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, fortran, dtype = read(file)
        check_shape(path, shape, dtype)
        return ArrayOnDisk(path, dtype, file.tell(), shape, "F" if fortran else "C")


def _tiff(path: Path, page: Any) -> MappedImage:
    metadata, turn = tiff_metadata(page)
    if page.axes not in ("YX", "YXS") or page.photometric not in (1, 2) or turn != 1:
        raise ValueError(f"{path}: expected grey or RGB pixels, row by row and upright; save it as such first")
    found: MappedImage
    if page.is_memmappable and page.is_contiguous:
        kind = np.dtype(page.parent.byteorder + page.dtype.char)
        found = ArrayOnDisk(path, kind, page.dataoffsets[0], tuple(page.shape))
    else:
        found = TiledTiff(path, page)
    found.associated, found.metadata = 1 in page.extrasamples, metadata
    return found
