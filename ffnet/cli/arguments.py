"""What becomes of fit's arguments before Hydra reads them: files, runs and sweeps to go on with, other processes."""

import glob
import os
from collections.abc import Sequence
from pathlib import Path

from ffnet.cli.processes import quoted, rank, started_by_others
from ffnet.cli.resume import CHANGEABLE
from ffnet.cli.sweep import recorded

GLOB = "glob:"
MULTIRUN = ("-m", "--multirun")


def prepared(argv: Sequence[str]) -> list[str]:
    """``argv`` as Hydra shall see it.

    Raises:
        ValueError: if no file matches, or another sweep is asked for than the one that is resumed.
    """
    arguments = resuming([expanded(argument) for argument in argv])
    if started_by_others() and any(argument in MULTIRUN for argument in arguments):
        raise ValueError("-m: each run of a sweep starts its own processes; start the sweep as one process")
    if rank() > 0:  # the first process alone writes
        arguments += ["hydra.run.dir=.", "hydra.output_subdir=null", "~hydra.job_logging.handlers.file"]
        arguments += ["hydra.job_logging.root.handlers=[console]", "hydra.job_logging.root.level=ERROR"]
    return arguments


def expanded(argument: str) -> str:
    """``key=glob:folder/*.png`` with the files that match, sorted, as a list to sweep over; ``**`` goes into folders.

    Raises:
        ValueError: if no file matches.
    """
    key, _, value = argument.partition("=")
    if GLOB not in value:
        return argument
    files = []
    for piece in value.split(","):
        pattern = piece.removeprefix(GLOB)
        if pattern == piece:
            files.append(piece)
        elif found := sorted(filter(os.path.isfile, glob.iglob(pattern, recursive=True))):
            files += map(quoted, found)
        else:
            raise ValueError(f"{key}: no file matches {pattern}")
    return f"{key}={','.join(files)}"


def resuming(arguments: list[str]) -> list[str]:
    """``resume=FOLDER`` of a run or of a sweep, or ``-m resume=true hydra.sweep.dir=FOLDER`` with the sweep's line.

    A resumed run or sweep goes on in its own folder. A sweep's line is read from there, so that the numbers of its
    runs stay what they are.
    """
    asked = next((a.removeprefix("resume=") for a in reversed(arguments) if a.startswith("resume=")), "null")
    if asked in ("null", "false"):
        return arguments
    if asked != "true":
        folder = Path(asked.strip("'\""))
    elif not any(argument in MULTIRUN for argument in arguments):
        raise ValueError("resume: expected a run's or a sweep's folder, got true, which is for sweeps (-m)")
    elif not (named := [a.partition("=")[2] for a in arguments if a.startswith("hydra.sweep.dir=")]):
        raise ValueError("resume=true: expected hydra.sweep.dir=FOLDER as well; or say resume=FOLDER")
    else:
        folder = Path(named[-1].strip("'\""))
    sweep = recorded(folder)
    if sweep is None:
        if asked == "true" or not folder.is_dir():  # nothing there yet; or the task says what is wrong
            return arguments
        return [*arguments, f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null"]
    rest = [argument for argument in arguments if argument not in MULTIRUN and not argument.startswith("resume=")]
    own = [argument for argument in rest if "=" in argument and not argument.startswith(("-", *CHANGEABLE))]
    if own and set(own) != {override for override in sweep if not override.startswith(CHANGEABLE)}:
        raise ValueError(f"resume: {folder} holds another sweep, {' '.join(sweep)}")
    rest = [argument for argument in rest if argument not in own]
    return ["-m", *sweep, *rest, "resume=true", f"hydra.sweep.dir={quoted(str(folder))}"]
