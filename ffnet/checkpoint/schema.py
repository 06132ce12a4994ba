"""The schema of checkpoints; the only code that knows their keys.

A checkpoint is one of Lightning's, with tensors and plain values only and an additional entry ``ffnet``, which this
schema defines. In ``state_dict``, the field's weights begin with ``field.``, the buffers of operators with
``dataset.``.
"""

import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from dataclasses import field as member
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ffnet.checkpoint.format1 import upgraded

FORMAT = 2
_NOT_ALLOWED = "Weights only load failed"


@dataclass(frozen=True)
class Checkpoint:
    """The contents of a checkpoint besides Lightning's entries.

    Attributes:
        format: format of the file; format 1, of ffnet 0.1, can be read but not resumed.
        field: the field's constructor call as plain values, ``{"_target_": class, argument: value, ...}``; the encoder
            is one of its arguments.
        signal: the signal's record in the same form; None if there is nothing to reconstruct.
        settings: the resolved settings of the run, without those of the field.
        overrides: the user's overrides, setting to value as text.
        seconds: training time so far.
        generator: state of the generator that draws the batches.
        sampler: state of the sampler.
        state: all tensors of the run's module by name. Lightning writes them; they are only read here.
    """

    format: int = FORMAT
    field: dict[str, Any] = member(default_factory=dict)
    signal: dict[str, Any] | None = None
    settings: dict[str, Any] = member(default_factory=dict)
    overrides: dict[str, str] = member(default_factory=dict)
    seconds: float = 0.0
    generator: Tensor | None = None
    sampler: dict[str, Any] = member(default_factory=dict)
    state: dict[str, Tensor] = member(default_factory=dict, compare=False, repr=False)

    def write_to(self, contents: dict[str, Any]) -> None:
        """Adds the entry ``ffnet`` to Lightning's ``contents``."""
        entry = {own.name: getattr(self, own.name) for own in fields(self) if own.name != "state"}
        contents["ffnet"] = entry

    @classmethod
    def of(cls, contents: Mapping[str, Any], source: str = "checkpoint") -> "Checkpoint":
        """From Lightning's ``contents``; errors name ``source``.

        Raises:
            ValueError: if it is not a checkpoint of ffnet, or has a later format.
        """
        entry = contents.get("ffnet")
        if not isinstance(entry, dict):
            raise ValueError(f"{source}: is not a checkpoint of ffnet")
        if entry.get("format") not in (1, FORMAT):
            raise ValueError(f"{source}: has format {entry.get('format')!r}; this ffnet reads formats 1 and {FORMAT}")
        if entry["format"] == 1:
            entry = {"format": 1, **upgraded(entry, source)}
        known = {own.name for own in fields(cls)} - {"state"}
        missing = sorted({"field", "settings"} - set(entry))
        if missing or not isinstance(contents.get("state_dict"), dict):
            raise ValueError(f"{source}: damaged checkpoint, lacks {', '.join(missing) or 'state_dict'}")
        return cls(**{name: entry[name] for name in known & set(entry)}, state=contents["state_dict"])

    @classmethod
    def read(cls, path: str | Path, map_location: Any = "cpu") -> "Checkpoint":
        """The checkpoint in a file.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it is damaged, is not a checkpoint of ffnet, or contains anything but tensors and plain
                values.
        """
        return cls.of(read_contents(path, map_location), str(path))

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """The entries of ``state`` that begin with ``prefix.``, without the prefix."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.state.items() if name.startswith(start)}


def find(run: str | Path) -> Path:
    """The checkpoint of a run: ``run`` itself if it is a file, else ``run/checkpoints/last.ckpt``.

    Raises:
        FileNotFoundError: if there is none.
    """
    run = Path(run)
    if run.is_file():
        return run
    if not run.exists():
        raise FileNotFoundError(f"{run}: no such file or directory; expected a checkpoint or a run directory")
    path = run / "checkpoints" / "last.ckpt"
    if not path.is_file():
        raise FileNotFoundError(f"{run}: has no checkpoints/last.ckpt; expected a run directory")
    return path


def read_contents(path: str | Path, map_location: Any = "cpu") -> dict[str, Any]:
    """The contents of a checkpoint file, including Lightning's entries; tensors and plain values only.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is damaged or contains anything but tensors and plain values.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the file is about to be refused
            contents = torch.load(path, map_location=map_location, weights_only=True)
    except pickle.UnpicklingError as error:
        if _NOT_ALLOWED in str(error):
            raise ValueError(
                f"{path}: refused, since it holds more than tensors and plain values, or is no checkpoint"
            ) from error
        raise ValueError(f"{path}: damaged checkpoint ({error})") from error
    except (RuntimeError, EOFError, zipfile.BadZipFile, ValueError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(f"{path}: damaged, or no checkpoint") from error
    if not isinstance(contents, dict):
        raise ValueError(f"{path}: is not a checkpoint of ffnet")
    return contents
