"""Arrays of zarr: reading one runs no code and opens no file outside its directory."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Codecs of zarr that only move and compress bytes; numcodecs has one that runs pickled code.
CODECS = {
    *("blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "gzip", "lz4", "lzma", "sharding_indexed", "shuffle"),
    *("transpose", "zlib", "zstd"),
}

# The files of an array or a group, of formats 3 and 2.
METADATA = ("zarr.json", ".zarray", ".zgroup", ".zattrs", ".zmetadata")
LARGEST_METADATA = 2**24
# Bytes of a chunk that may be more than twice its values: what compresses badly, headers and indices.
SLACK = 2**16


def check_stored(path: Path, array: Any) -> None:
    """Raises ValueError if the values of an array in a directory are stored with other codecs than ``CODECS``, or in
    files that are much larger than what they hold."""
    if unknown := sorted({*named_codecs(array.metadata.to_dict())} - CODECS):
        raise ValueError(f"{path}: expected codecs {', '.join(sorted(CODECS))}, found {', '.join(unknown)}")
    most = 2 * math.prod(array.shards or array.chunks) * array.dtype.itemsize + SLACK
    for file in (path / array.path).rglob("*"):
        if file.is_file() and file.stat().st_size > most:
            raise ValueError(f"{path}: expected at most {most} bytes a chunk, {file.name} has {file.stat().st_size}")


def named_codecs(metadata: Any) -> Iterator[str]:
    """The names of the codecs in zarr's metadata of either format, without ``numcodecs.``."""
    for key in ("codecs", "index_codecs", "filters", "compressor", "compressors"):
        found = metadata.get(key) or ()
        for codec in found if isinstance(found, list | tuple) else (found,):
            plain = codec if isinstance(codec, dict) else codec.get_config()
            yield str(plain.get("id", plain.get("name"))).removeprefix("numcodecs.")
            yield from named_codecs(plain.get("configuration") or {})


def check_tree(path: Path) -> None:
    """Raises ValueError if a directory holds anything but files and directories, such as links to other files, or
    metadata that are too large to be read."""
    for place in path.rglob("*"):
        if place.is_symlink() or not (place.is_file() or place.is_dir()):
            raise ValueError(f"{path}: expected files and directories, found a link or a device, {place.name}")
        if place.name in METADATA and place.stat().st_size > LARGEST_METADATA:
            raise ValueError(f"{path}: expected at most {LARGEST_METADATA} bytes of metadata, {place.name} has more")
