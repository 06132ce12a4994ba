"""What the record of a sweep may repeat by itself.

A record lies in a directory that may have come from anywhere. It may say what is fitted: options of the shipped groups
and plain values. It may not name classes, refer to the environment, or decide where something is written, what is
started or what is connected to. Such overrides count only if the user's command has them as well.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import ChoiceSweep, Override, QuotedString

from ffnet.cli.overrides import unparsed

# Groups and settings that define a fit. Of the trainer, those that a run keeps.
OF_THE_FIT = (
    *("encoder", "model", "loss", "optimizer", "schedule", "dataset", "sampler", "regularizers", "engine", "callbacks"),
    *("recipe", "experiment", "seed", "precision", "name", "tags"),
)
# Loggers of the shipped options that write to the run directory and nowhere else.
LOGGERS = ("none", "tensorboard", "csv")
OF_THE_TRAINER = (
    *("trainer.max_steps", "trainer.precision", "trainer.accelerator"),
    *("trainer.gradient_clip_val", "trainer.gradient_clip_algorithm"),
)
_OPTION = re.compile(r"[\w/]+")


def plain(override: Override) -> bool:
    """Whether a record may repeat ``override``."""
    key = override.key_or_group
    group, *below = key.split(".")
    value = override.value()
    local = key == "logger" and all(name in LOGGERS for name in (value if isinstance(value, list) else [value]))
    known = local or key in OF_THE_TRAINER or (group in OF_THE_FIT and key != "engine.compile")
    named = override.package is None and not any(part.startswith("_") for part in below)
    return known and named and "${" not in str(override.input_line) and _is_plain(value, not below)


def _is_plain(value: Any, option: bool) -> bool:
    """Whether ``value`` has no arguments of Hydra's, such as ``_target_``; the name of an option is one of a config
    below ours."""
    if isinstance(value, dict):
        return all(not str(key).startswith("_") and _is_plain(inner, False) for key, inner in value.items())
    if isinstance(value, ChoiceSweep | list):
        return all(_is_plain(inner, option) for inner in (value.list if isinstance(value, ChoiceSweep) else value))
    text = value.text if isinstance(value, QuotedString) else value
    return not (option and isinstance(text, str)) or _OPTION.fullmatch(text) is not None


def replayed(record: Sequence[Override], given: Sequence[Override], folder: Path) -> list[str]:
    """The overrides of the sweep in ``folder``: those of its record, then those of the command.

    Raises:
        ValueError: if the record has overrides that it may not repeat and that are not ``given``.
    """
    lines, keys = unparsed(given), {override.key_or_group for override in given}
    refused = [override for override in record if not plain(override) and override.key_or_group not in keys]
    if refused:
        raise ValueError(
            f"resume: the record of {folder} has {' '.join(unparsed(refused))}, and no record decides what is started "
            "or written; repeat it in the command if it is yours"
        )
    own = unparsed(override for override in record if plain(override) or str(override.input_line) in lines)
    return [*own, *(line for line in lines if line not in own)]
