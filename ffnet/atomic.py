"""Atomic writes: a file is replaced whole or not at all."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path next to ``path``; the file written there replaces ``path`` if the block succeeds.

    A process killed at any moment leaves either the old or the new file, complete. The temporary name keeps the suffix,
    from which image libraries infer the format.
    """
    path = Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())  # the rename must not reach the disk before the bytes
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
