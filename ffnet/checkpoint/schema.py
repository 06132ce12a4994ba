"""The schema of checkpoints; the only code that knows their keys.

A checkpoint is one of Lightning's, with tensors and plain values only and an additional entry ``ffnet``, which this
schema defines. In ``state_dict``, the field's weights begin with ``field.``, the buffers of operators with
``dataset.``.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from dataclasses import field as member
from pathlib import Path
from typing import Any

from torch import Tensor

from ffnet.checkpoint.archive import read_contents
from ffnet.checkpoint.exported import SUFFIX, read_exported
from ffnet.checkpoint.format1 import upgraded
from ffnet.checkpoint.plain import check_plain, check_type, is_dense

FORMAT = 2
# Attributes that are entries of Lightning's.
_LIGHTNINGS = {"state", "step"}


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
        step: number of completed optimizer steps, likewise; None if a part that resuming needs is missing.
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
    step: int | None = None

    def write_to(self, contents: dict[str, Any]) -> None:
        """Adds the entry ``ffnet`` to Lightning's ``contents``."""
        entry = {own.name: getattr(self, own.name) for own in fields(self) if own.name not in _LIGHTNINGS}
        contents["ffnet"] = entry

    @classmethod
    def of(cls, contents: Mapping[str, Any], source: str = "checkpoint") -> "Checkpoint":
        """From Lightning's ``contents``; errors name ``source``.

        Raises:
            ValueError: if it is not a checkpoint of ffnet, has a later format, or a part is not what it should be.
        """
        entry = contents.get("ffnet")
        if not isinstance(entry, dict):
            raise ValueError(f"{source}: is not a checkpoint of ffnet")
        found = entry.get("format")
        if type(found) is not int or found not in (1, FORMAT):
            raise ValueError(f"{source}: has format {found!r}; this ffnet reads formats 1 and {FORMAT}")
        check_plain(entry, f"{source}: damaged checkpoint, ffnet", tensors=True)
        if found == 1:
            entry = {"format": 1, **upgraded(entry, source)}
        missing = sorted({"field", "settings"} - set(entry))
        if missing or "state_dict" not in contents:
            raise ValueError(f"{source}: damaged checkpoint, lacks {', '.join(missing) or 'state_dict'}")
        held = {name: entry[name] for name in _TYPES.keys() & set(entry)} | {"state": contents["state_dict"]}
        for name, value in held.items():
            check_type(value, _TYPES[name], f"{source}: damaged checkpoint, {name}")
        for name in ("field", "signal", "settings", "overrides"):
            check_plain(held.get(name), f"{source}: damaged checkpoint, {name}")
        if not all(isinstance(name, str) and is_dense(value) for name, value in held["state"].items()):
            raise ValueError(f"{source}: damaged checkpoint, state_dict: expected dense tensors by name")
        return cls(**held, step=_step(contents))

    @classmethod
    def read(cls, path: str | Path, map_location: Any = "cpu") -> "Checkpoint":
        """The checkpoint in a file: one of Lightning's, or the ``.safetensors`` file of an export, which has the field
        and the signal's record but neither settings nor anything to resume.

        Raises:
            OSError: if the file cannot be read.
            ValueError: if it is damaged, is not a checkpoint of ffnet, or contains anything but tensors and plain
                values; if safetensors is not installed and needed.
        """
        if Path(path).suffix.lower() == SUFFIX:
            entry, weights = read_exported(path, map_location)
            state = {f"field.{name}": weight for name, weight in weights.items()}
            return cls.of({"ffnet": {"settings": {}, **entry, "format": FORMAT}, "state_dict": state}, str(path))
        return cls.of(read_contents(path, map_location), str(path))

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """The entries of ``state`` that begin with ``prefix.``, without the prefix."""
        start = f"{prefix}."
        return {name.removeprefix(start): value for name, value in self.state.items() if name.startswith(start)}


def _step(contents: Mapping[str, Any]) -> int | None:
    """The step of Lightning's ``contents``, if the loop and what it steps can be restored."""
    step = contents.get("global_step")
    whole = all(contents.get(part) for part in ("loops", "optimizer_states")) and "lr_schedulers" in contents
    return step if type(step) is int and whole else None


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


_TYPES: dict[str, type | tuple[type, ...]] = {
    "format": int,
    "field": dict,
    "signal": (dict, type(None)),
    "settings": dict,
    "overrides": dict,
    "seconds": (float, int),
    "generator": (Tensor, type(None)),
    "sampler": dict,
    "state": dict,
}
