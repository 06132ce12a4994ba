"""Atomic writes: a file is replaced whole or not at all."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_unfinished: set[Path] = set()


def check_replaceable(path: Path, directory: bool = False) -> None:
    """Checks whether ``replacing`` can write ``path``, before what is to be written is computed.

    Raises:
        OSError: if its directory is missing or not writable, or something other than a file has its name.
    """
    if path.exists() and not (path.is_dir() if directory else path.is_file()):
        wanted, found = ("directory", "a file") if directory else ("file", "a directory or a device")
        raise OSError(f"output: expected the name of a {wanted}, got {path}, which is {found}")
    if not path.parent.is_dir():
        raise FileNotFoundError(f"output: {path.parent} is not a directory in which to write {path.name}")
    temporary = _temporary(path)
    try:
        with temporary.open("wb"):
            pass
    finally:
        temporary.unlink(missing_ok=True)


def _temporary(path: Path) -> Path:
    """Next to ``path``; it keeps the suffix, from which image libraries infer the format."""
    return path.with_name(f".{path.stem}.{os.getpid()}.partial{path.suffix}")


@contextmanager
def replacing(path: Path, directory: bool = False) -> Iterator[Path]:
    """Yields a temporary path next to ``path``; the file written there replaces ``path`` if the block succeeds.

    A process killed at any moment leaves either the old or the new file, complete. With ``directory``, a directory of
    files is written and replaced instead; between two renames, the old one has a name that begins with a dot.

    Raises:
        OSError: if something other than a file, or than a directory, has the name.
    """
    path = Path(path)
    if path.exists() and not (path.is_dir() if directory else path.is_file()):
        raise OSError(f"{path}: is a file" if directory else f"{path}: is a directory or a device, not a file")
    temporary = _temporary(path)
    old = path.with_name(f".{path.stem}.{os.getpid()}.old{path.suffix}")
    _unfinished.add(temporary)
    try:
        yield temporary
        for file in temporary.rglob("*") if directory else (temporary,):
            if file.is_file():
                with file.open("rb") as written:
                    os.fsync(written.fileno())  # the rename must not reach the disk before the bytes
        if directory and path.exists():  # a directory does not replace another one
            path.rename(old)
        temporary.replace(path)
    finally:
        if old.exists() and not path.exists():
            old.rename(path)
        for left in (temporary, old):
            _remove(left)
        _unfinished.discard(temporary)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def discard_unfinished() -> None:
    """Removes the temporary files of this process, which is about to end without unwinding."""
    for temporary in tuple(_unfinished):
        _remove(temporary)


def remove_abandoned(directory: Path) -> None:
    """Removes the temporary files in ``directory`` and below whose processes were killed."""
    for temporary in [*directory.rglob(".*.partial*")]:
        number = temporary.name.partition(".partial")[0].rpartition(".")[2]
        if number.isdecimal() and temporary not in _unfinished and not _alive(int(number)):
            _remove(temporary)


def _alive(process: int) -> bool:
    """Whether another process of this number is running; in containers, numbers come again soon."""
    if process == os.getpid():
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # of another user
        return True
    return True
