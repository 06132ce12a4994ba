"""Prepares the overrides of ``ffnet fit`` for Hydra: files, resumed runs and sweeps, several processes."""

import glob
import os

from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString
from hydra.errors import OverrideParseException

from ffnet.cli.flags import Request
from ffnet.cli.launch import rank, started_by_others
from ffnet.cli.overrides import parsed, quoted
from ffnet.cli.resume import resuming

GLOB = "glob:"


def prepared(request: Request) -> Request:
    """The request in the form for Hydra.

    Raises:
        OverrideParseException: if an override is not in Hydra's grammar.
        ValueError: if no file matches, ``run_dir`` is set, or the overrides do not match those of the resumed sweep.
    """
    try:
        given = parsed(request.overrides)
        if any(override.key_or_group == "run_dir" for override in given):
            raise ValueError("run_dir: follows from hydra.run.dir=..., or hydra.sweep.dir=... of a sweep; set that")
        request.overrides = [expanded(override) for override in given]
    except OverrideParseException as error:
        key, found, pattern = error.override.partition(f"={GLOB}")
        if not found:
            raise
        raise ValueError(f"cannot read {error.override!r}; quote the pattern: '{key}=\"{GLOB}{pattern}\"'") from error
    request = resuming(request)
    if started_by_others() and request.multirun:
        raise ValueError("-m: each run of a sweep starts its own processes; start the sweep as one process")
    if rank() > 0:  # only the first process writes
        request.overrides += ["hydra.run.dir=.", "hydra.output_subdir=null", "~hydra.job_logging.handlers.file"]
        request.overrides += ["hydra.job_logging.root.handlers=[console]", "hydra.job_logging.root.level=ERROR"]
    return request


def expanded(override: Override) -> str:
    """Expands ``key=glob:images/*.png`` to the sorted list of matching files to sweep over; ``**`` matches directories.

    Raises:
        ValueError: if no file matches.
    """
    value = override.value()
    pieces = value.list if isinstance(value, ChoiceSweep) else [value]
    texts = [str(piece.text if isinstance(piece, QuotedString) else piece) for piece in pieces]
    if not any(text.startswith(GLOB) for text in texts):
        return str(override.input_line)
    files = []
    for text in texts:
        pattern = text.removeprefix(GLOB)
        if pattern == text:
            files.append(text)
        elif found := sorted(filter(os.path.isfile, glob.iglob(pattern, recursive=True))):
            files += found
        else:
            raise ValueError(f"{override.key_or_group}: no file matches {pattern}")
    return f"{override.get_key_element()}={','.join(map(quoted, files))}"
