"""Checkpoints: their schema, and objects built from them without running code from the file."""

from ffnet.checkpoint.archive import read_contents
from ffnet.checkpoint.build import (
    build,
    field_of,
    full_name,
    known_modules,
    load,
    named,
    record_of,
    refuse_nonfinite,
    refuse_unknown,
    targets,
)
from ffnet.checkpoint.plain import check_plain
from ffnet.checkpoint.schema import FORMAT, Checkpoint, find

__all__ = [
    "FORMAT",
    "Checkpoint",
    "build",
    "check_plain",
    "field_of",
    "find",
    "full_name",
    "known_modules",
    "load",
    "named",
    "read_contents",
    "record_of",
    "refuse_nonfinite",
    "refuse_unknown",
    "targets",
]
