"""Paths as people have them, taken literally: ``ffnet fit 'holiday (1), #2 [final].jpg'``.

Hydra's grammar gives a meaning to spaces, brackets, commas, ``=`` and ``#``. Here, an argument that is no override is
the path of what the command is about, and the name of a file after ``dataset.path=`` and the like is a name.
"""

import os
import re
from pathlib import Path

from ffnet.cli.flags import Request
from ffnet.cli.kinds import dataset_of, scene
from ffnet.cli.latest import LATEST, latest
from ffnet.cli.overrides import quoted

# What each command is about.
SUBJECTS = {
    **dict.fromkeys(("fit", "ntk"), "dataset.path"),
    **dict.fromkeys(("render", "mesh", "evaluate", "export"), "checkpoint"),
    **dict.fromkeys(("table", "report"), "run"),
}
# Settings that are paths, and those of them that may be `latest`.
PATHS = (
    *("dataset.path", "checkpoint", "run", "output", "reference", "plot", "turntable", "resume"),
    *("hydra.run.dir", "hydra.sweep.dir"),
)
RUNS = ("checkpoint", "run", "resume")
_KEY = re.compile(r"(\+{0,2}|~)[A-Za-z_][\w./@:-]*")
# Values that Hydra reads as they are, and those that mean something in its grammar or in ffnet's.
_SIMPLE = re.compile(r"([A-Za-z_./][\w./:-]*)?")
_MEANT = re.compile(r"""['"].*|.*\$\{.*|(choice|glob|range|sort|shuffle|str)\(.*\)|glob:.*""", re.DOTALL)


def literal(command: str, request: Request) -> Request:
    """The request with its paths in Hydra's grammar. Several files for ``fit``, or a directory of them, are a sweep.

    Raises:
        FileNotFoundError: if one of several paths for ``fit`` is missing.
        ValueError: if a command other than ``fit`` is given several paths, or a directory for ``fit`` has no files.
    """
    paths = [argument for argument in request.overrides if is_path(argument)]
    subject = SUBJECTS[command]
    overrides = [_spelled(argument) for argument in request.overrides if argument not in paths]
    if command == "fit":
        paths = [inner for path in paths for inner in signals(path)]
        request.multirun |= len(paths) > 1
        for path in paths if len(paths) > 1 else ():  # before a sweep of them begins
            if not os.path.lexists(_meant(subject, path)):
                raise FileNotFoundError(f"{path}: no such file; expected a signal to fit")
        if paths and not any(override.startswith("dataset=") for override in overrides):
            name = dataset_of(paths, request.config_dir)
            overrides = overrides if name is None else [f"dataset={name}", *overrides]
    elif len(paths) > 1:
        raise ValueError(f"expected one {subject}, got {' and '.join(paths)}")
    if command == "evaluate":  # its dataset is that of the run, whatever it has been: its settings are not listed
        overrides = [f"++{override}" if override.startswith("dataset.") else override for override in overrides]
    if paths:
        overrides.append(f"{subject}={','.join(quoted(_meant(subject, path)) for path in paths)}")
    request.overrides = overrides
    return request


def is_path(argument: str) -> bool:
    """Whether an argument is a path rather than an override."""
    key, found, _ = argument.partition("=")
    return os.path.lexists(argument) or _KEY.fullmatch(key) is None or not (found or argument.startswith(("~", "+")))


def signals(path: str) -> list[str]:
    """``path``, or the files in it if it is a directory.

    Raises:
        ValueError: if there are none, or it is a run directory.
    """
    place = Path(os.path.expanduser(path))
    signal = scene(place) or any((place / name).exists() for name in ("zarr.json", ".zarray", ".zgroup"))
    if not place.is_dir() or signal:
        return [path]
    if any((place / name).exists() for name in ("checkpoints", ".hydra", "multirun.yaml")):
        raise ValueError(f"{path}: is a run directory; resume={path} goes on with it")
    files = sorted(str(inner) for inner in place.iterdir() if inner.is_file() and not inner.name.startswith("."))
    if not files:
        raise ValueError(f"{path}: is a directory without files; expected a signal, or a directory of signals")
    return files


def _spelled(argument: str) -> str:
    """An override, with the value quoted if it is a path that Hydra would read as something else."""
    key, _, value = argument.partition("=")
    name = key.lstrip("+")
    if name not in PATHS:
        return argument
    meant = _meant(name, value)
    pieces = value.split(",")
    # a.png,b.png is a sweep unless a file has this name.
    swept = len(pieces) > 1 and any(os.path.lexists(os.path.expanduser(piece)) for piece in pieces)
    is_file = os.path.lexists(meant) and not _SIMPLE.fullmatch(meant)
    if is_file or not (swept or _MEANT.fullmatch(value) or _SIMPLE.fullmatch(meant)):
        return f"{key}={quoted(meant)}"
    return argument if meant == value else f"{key}={meant}"


def _meant(name: str, value: str) -> str:
    """The path that ``value`` means: ``~`` is the home directory, ``latest`` the last run."""
    if name in RUNS and value == LATEST and not os.path.lexists(value):
        return str(latest())
    return os.path.expanduser(value)
