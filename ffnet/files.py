"""Writing a file so that nobody ever sees half of it."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside ``path``; what is written there takes its place when the block ends well.

    A process killed at any moment leaves the old file or the new one, whole. The temporary name keeps the
    suffix, which tells picture libraries the format.
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
