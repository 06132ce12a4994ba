"""Arrays of zarr: reading one runs no code and opens no file outside its directory."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Codecs of zarr that only move and compress bytes; numcodecs has one that runs pickled code.
CODECS = {
    *("blosc", "bytes", "bz2", "crc32", "crc32c", "delta", "gzip", "lz4", "lzma", "sharding_indexed", "shuffle"),
    *("transpose", "zlib", "zstd"),
}


def check_codecs(path: Path, array: Any) -> None:
    """Raises ValueError if the values of an array are stored with other codecs than ``CODECS``."""
    if unknown := sorted({*named_codecs(array.metadata.to_dict())} - CODECS):
        raise ValueError(f"{path}: expected codecs {', '.join(sorted(CODECS))}, found {', '.join(unknown)}")


def named_codecs(metadata: Any) -> Iterator[str]:
    """The names of the codecs in zarr's metadata of either format, without ``numcodecs.``."""
    for key in ("codecs", "index_codecs", "filters", "compressor", "compressors"):
        found = metadata.get(key) or ()
        for codec in found if isinstance(found, list | tuple) else (found,):
            plain = codec if isinstance(codec, dict) else codec.get_config()
            yield str(plain.get("id", plain.get("name"))).removeprefix("numcodecs.")
            yield from named_codecs(plain.get("configuration") or {})


def check_tree(path: Path) -> None:
    """Raises ValueError if a directory holds anything but files and directories, such as links to other files."""
    for place in path.rglob("*"):
        if place.is_symlink() or not (place.is_file() or place.is_dir()):
            raise ValueError(f"{path}: expected files and directories, found a link or a device, {place.name}")
