"""``outputs/latest`` is a link to the last run or sweep, and ``latest`` its name on the command line."""

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

LATEST, OUTPUTS = "latest", "outputs"


def latest() -> Path:
    """The last run or sweep below ``outputs``.

    Raises:
        FileNotFoundError: if there is none.
    """
    link = Path(OUTPUTS, LATEST)
    if not link.exists():
        raise FileNotFoundError(f"{LATEST}: there is no run in {OUTPUTS}; expected a run directory")
    return link.resolve()


def remember(directory: Path) -> None:
    """Makes ``directory`` the last run, if it is below ``outputs``."""
    link = link_of(directory)
    if link is None or (link.exists() and not link.is_symlink()):  # the user's own
        return
    temporary = link.with_name(f".{LATEST}.{os.getpid()}")
    with contextlib.suppress(OSError):  # file systems without links
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(directory.absolute().relative_to(link.parent))
        temporary.replace(link)


@contextlib.contextmanager
def forgotten_if(directory: Path, refused: Callable[[], bool]) -> Iterator[None]:
    """Makes the run that was the last before this block the last one again if the one in ``directory`` is refused."""
    link = link_of(directory)
    before = link.resolve() if link is not None and link.exists() else None
    try:
        yield
    finally:
        if link is not None and link.is_symlink() and refused():
            link.unlink()
            if before is not None:
                remember(before)


def link_of(directory: Path) -> Path | None:
    """The link to the last run among those of ``directory``; None if they are not below ``outputs``."""
    root = next((parent for parent in directory.absolute().parents if parent.name == OUTPUTS), None)
    return None if root is None else root / LATEST
