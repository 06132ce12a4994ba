"""``outputs/latest`` is a link to the last run or sweep, and ``latest`` its name on the command line."""

import contextlib
import os
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
    root = next((parent for parent in directory.absolute().parents if parent.name == OUTPUTS), None)
    if root is None:
        return
    link, temporary = root / LATEST, root / f".{LATEST}.{os.getpid()}"
    if link.exists() and not link.is_symlink():  # the user's own
        return
    with contextlib.suppress(OSError):  # file systems without links
        temporary.unlink(missing_ok=True)
        temporary.symlink_to(directory.absolute().relative_to(root))
        temporary.replace(link)
