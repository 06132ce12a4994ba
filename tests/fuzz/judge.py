"""Decides how a command answered: what it accepts or refuses, and what is a defect."""

import warnings
from pathlib import Path

from tests.fuzz.case import Case
from tests.harness.forked import Outcome

ACCEPTED, REFUSED, DIVERGED = "accepted", "refused in one line", "a run that diverged"
DEFECTS = (
    "traceback",
    "signal",
    "hang",
    "half-written file",
    "exit code",
    "not one line",
    "control characters",
)
# What a fit that was not refused may say.
DIVERGENCE = ("the loss is ", "a weight is not finite")


def verdict(case: Case, outcome: Outcome, before: dict[str, bytes], folder: Path) -> str:
    """The category of an outcome.

    Args:
        case: the input.
        outcome: how the command ended.
        before: all files of ``folder`` before the command, with their contents.
        folder: where it ran.
    """
    lines = outcome.err.strip("\n").split("\n")
    sweep = "-m" in case.argv or "resume=sweep" in case.argv
    if outcome.timed_out:
        return "hang"
    if outcome.code < 0:
        return "signal"
    if "Traceback (most recent call last)" in outcome.out + outcome.err:
        return "traceback"
    if any(not (character.isprintable() or character in "\n\t") for character in outcome.out + outcome.err):
        return "control characters"
    if any(path.name.endswith(".partial") or ".partial." in path.name for path in folder.rglob("*")):
        return "half-written file"
    if outcome.code == 1 and any(words in outcome.err for words in DIVERGENCE):
        return DIVERGED
    if outcome.code not in (0, 2) and not (sweep and outcome.code == 1):
        return "exit code"
    if outcome.code == 0:
        said = [line for line in lines if line and not line.startswith("read    ")]  # evaluate names what it reads
        return "not one line" if said else ACCEPTED if _whole(case, folder) else "half-written file"
    if not all(line.startswith("ffnet ") for line in lines) or (len(lines) != 1 and not sweep):
        return "not one line"
    if not sweep and contents(folder) != before:
        return "half-written file"
    return REFUSED


def contents(folder: Path) -> dict[str, bytes]:
    """The contents of all files in ``folder`` but logs, by path; a directory ends with a slash."""
    return {
        str(path.relative_to(folder)) + ("/" if path.is_dir() else ""): path.read_bytes() if path.is_file() else b""
        for path in folder.rglob("*")
        if path.suffix != ".log"
    }


def _whole(case: Case, folder: Path) -> bool:
    """Whether the output is there and can be read."""
    if case.output is None:
        return True
    path = folder / case.output
    if not path.is_file():
        return False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return (READERS.get(path.suffix.lower(), _some) if case.argv[0] in ("render", "mesh") else _some)(path)
    except Exception:
        return False


def _image(path: Path) -> bool:
    from PIL import Image

    with Image.open(path) as image:
        image.load()
    return True


def _mesh(path: Path) -> bool:
    import trimesh

    return len(trimesh.load_scene(path).to_mesh().faces) > 0


def _some(path: Path) -> bool:
    return path.stat().st_size > 0


READERS = {
    **dict.fromkeys((".png", ".jpg", ".gif", ".webp", ".ico", ".tif", ".bmp", ".ppm", ".jp2", ".avif"), _image),
    **dict.fromkeys((".ply", ".obj", ".glb", ".stl"), _mesh),
}
