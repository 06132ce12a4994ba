"""Resumes runs and sweeps. The rules are defined here only.

``ffnet fit resume=RUN`` continues a run in its run directory after the step of ``checkpoints/last.ckpt``. The settings
that define the fit are those of the checkpoint, as plain data and known classes; where to write, devices and loggers
are those of the command. Settings of the execution may change: ``trainer.*`` (more steps, another device),
``engine.*``, ``callbacks.*``, ``logger``, ``trust`` and Hydra's. Other overrides are refused, as are classes in the
checkpoint that are neither ffnet's nor in ``trust``.

``ffnet fit resume=SWEEP`` resumes a sweep. Its overrides are read from its record, so that runs keep their numbers. A
record is a file and may not say everything: overrides that name classes or decide what is written and started, and
``--config-dir``, must be repeated, see ``ffnet.cli.replay``. The same overrides may be repeated, others only if they
may change. Complete runs are skipped unless they failed or ``max_steps`` was raised; runs with a checkpoint continue;
the others start. ``ffnet fit -m ... resume=true hydra.sweep.dir=SWEEP`` does the same and can also start the sweep.
"""

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, OmegaConf

from ffnet.cli.flags import Request
from ffnet.cli.overrides import parsed, quoted, unparsed
from ffnet.cli.replay import replayed
from ffnet.cli.sweep import recorded
from ffnet.cli.trainer import PRECISIONS

# Settings below these keys, and these settings, do not affect what has been fitted so far.
CHANGEABLE_BELOW = ("trainer", "engine", "callbacks", "logger", "limits")
CHANGEABLE = ("logger", "resume", "overwrite", "trust", "run_dir")
# The settings of the trainer that affect the result.
FROM_CHECKPOINT = ("max_steps", "precision")
CLIPPING = ("gradient_clip_val", "gradient_clip_algorithm")  # which earlier versions do not store


def changeable(override: Override) -> bool:
    """Whether ``override`` only affects how a run is executed."""
    group, below, _ = override.key_or_group.partition(".")
    known = override.key_or_group in CHANGEABLE or (below and group in CHANGEABLE_BELOW)
    return override.is_hydra_override() or bool(known and not override.is_delete())


def resuming(request: Request) -> Request:
    """The request of ``ffnet fit``, with the directory and the overrides of the resumed run or sweep.

    Raises:
        ValueError: if ``resume=true`` names no sweep, or the overrides do not match those of the sweep.
    """
    overrides = parsed(request.overrides)
    given = [override for override in overrides if override.key_or_group == "resume"]
    asked = given[-1].value() if given else None
    if asked is None or asked is False or given[-1].is_sweep_override():
        return request
    rest = [override for override in overrides if override not in given]
    folder = _sweep_directory(request, rest) if asked is True else Path(_text(given[-1]))
    sweep = recorded(folder)
    if sweep is None:
        if asked is True:  # the sweep has not begun
            return request
        # As text: `resume=0` in a sweep's directory is the run 0.
        request.overrides = [*unparsed(rest), f"resume={quoted(str(folder))}"]
        if folder.is_dir():  # else the task says what is wrong
            refuse_links(folder)
            request.overrides += [f"hydra.run.dir={quoted(str(folder))}", "hydra.output_subdir=null"]
        return request
    refuse_links(folder)
    theirs = parsed(sweep.overrides)
    if not {str(override.input_line) for override in rest if not changeable(override)} <= set(sweep.overrides):
        raise ValueError(f"resume: {folder} holds another sweep, {' '.join(sweep.overrides)}")
    if sweep.config_dirs and not request.config_dir:
        again = " ".join(f"--config-dir {place}" for place in sweep.config_dirs)
        raise ValueError(f"resume: {folder} was started with {again}; repeat it, if it is yours")
    request.multirun = True
    request.overrides = [*replayed(theirs, rest, folder), "resume=true", f"hydra.sweep.dir={quoted(str(folder))}"]
    return request


def refuse_links(folder: Path) -> None:
    """Raises ValueError if ``folder``, in which a run goes on, has a symbolic link in it: writing there would write
    elsewhere."""
    for place, directories, files in os.walk(folder):
        for name in (*directories, *files):
            if (path := Path(place, name)).is_symlink():
                raise ValueError(f"resume: {path} is a symbolic link; expected a directory without any")


def _sweep_directory(request: Request, overrides: list[Override]) -> Path:
    """The directory of the sweep that ``resume=true`` resumes."""
    if not request.multirun:
        raise ValueError("resume: expected a run or sweep directory, got true, which is for sweeps (-m)")
    named = [override for override in overrides if override.key_or_group == "hydra.sweep.dir"]
    if not named:
        raise ValueError("resume=true: expected hydra.sweep.dir=DIRECTORY as well; or say resume=DIRECTORY")
    return Path(_text(named[-1]))


def _text(override: Override) -> str:
    """The value as text, also if it looks like a number."""
    value = override.value()
    return value if isinstance(value, str) else override.get_value_string()


def remaining(config: DictConfig, overrides: list[str], folder: Path) -> list[str] | None:
    """The overrides of a run; None if it belongs to a resumed sweep and is complete.

    In a resumed sweep (``config.resume`` is True), sets ``config.resume`` so that the run starts or continues.
    """
    if config.resume is not True:
        return overrides
    wanted = config.trainer.max_steps
    if _steps(folder) >= (0 if wanted == "auto" else wanted):
        return None
    config.resume = str(folder) if (folder / "checkpoints" / "last.ckpt").is_file() else None
    rest = [override for override in parsed(overrides) if override.key_or_group != "resume"]
    if config.resume is None:
        return unparsed(rest)
    return [*unparsed(filter(changeable, rest)), f"resume={quoted(str(folder))}"]


def _steps(folder: Path) -> int:
    """``max_steps`` of the complete run in ``folder``, which may have stopped early; -1 if it failed or a record is
    damaged.
    """
    from ffnet.runs import number, read_run

    metrics = read_run(folder).metrics
    steps = number(metrics.get("max_steps", metrics.get("steps")))
    return -1 if steps is None or not math.isfinite(steps) else int(steps)


def resumed(config: DictConfig, overrides: list[str]) -> "Resumed":
    """The run ``config.resume``, with ``overrides`` applied to its settings.

    Settings that define the fit come from the checkpoint, as plain data. The run directory, devices and loggers come
    from ``config``, the user's command.

    Raises:
        OSError: if there is no checkpoint.
        ValueError: if it is damaged, names unknown classes, or an override would change the fit.
    """
    from hydra.utils import get_object

    from ffnet import runs
    from ffnet.checkpoint import FORMAT, Checkpoint, build, find, refuse_nonfinite, refuse_unknown, targets
    from ffnet.cli.trust import known_parts, trusted_classes

    directory = Path(config.resume)
    if not directory.is_dir():
        raise FileNotFoundError(f"resume: expected a run directory, got {directory}")
    path = find(directory)
    saved = Checkpoint.read(path)
    if saved.format != FORMAT:
        raise ValueError(f"{path}: has format {saved.format}, which can be rendered and evaluated, but not resumed")
    if saved.step is None:
        raise ValueError(f"{path}: lacks the state of the loop or the optimizer, so the run cannot be resumed from it")
    parts = known_parts(trusted_classes(config.trust), saved.settings.get("dataset"))
    stored = {**saved.settings, "model": saved.field, "regularizers": saved.settings.get("regularizers") or {}}
    for part, known in parts.items():
        if part not in stored:
            raise ValueError(f"{path}: damaged checkpoint, lacks {part}")
        refuse_unknown(stored[part], known, str(path))
    refuse_nonfinite(saved.tensors("field"), str(path))
    asked: Any = OmegaConf.to_container(config, resolve=True)
    settings = asked | {name: stored[name] for name in (*parts, "seed") if name in stored}
    settings["trainer"] = asked["trainer"] | _of_the_fit(stored.get("trainer"), str(path))
    given = [asked["logger"], asked["trainer"]]
    changes = parsed(overrides)
    for override in changes:
        if not changeable(override):
            may = ", ".join(f"{group}.*" for group in CHANGEABLE_BELOW)
            raise ValueError(f"{override.input_line}: a resumed run keeps its settings; only {may} can change")
        group, *below = override.key_or_group.split(".")
        if group in CHANGEABLE_BELOW:
            given.append(_changed(settings, asked, [group, *below]))
    mode = settings["engine"].get("compile")
    if mode and "engine.compile" not in (override.key_or_group for override in changes):
        raise ValueError(
            f"{path}: was compiled, which starts a compiler; say engine.compile={mode} or engine.compile=null"
        )
    known = {name: cls for part in parts.values() for name, cls in part.items()}
    known |= {name: get_object(name) for name in targets(given)}  # the user's own command names them
    own = saved.overrides | runs.settings(overrides)
    return Resumed(path.absolute(), saved.step, settings, own, lambda spec: build(spec, known))


def _of_the_fit(trainer: Any, source: str) -> dict[str, Any]:
    """The settings of a stored trainer that affect the result.

    Raises:
        ValueError: if one is missing, or the precision is none of Lightning's.
    """
    if not isinstance(trainer, dict) or any(name not in trainer for name in FROM_CHECKPOINT):
        raise ValueError(f"{source}: damaged checkpoint, lacks {' or '.join(f'trainer.{n}' for n in FROM_CHECKPOINT)}")
    if str(trainer["precision"]) not in PRECISIONS:
        raise ValueError(f"{source}: expected a precision of {', '.join(PRECISIONS)}, got {trainer['precision']!r}")
    return {name: trainer[name] for name in (*FROM_CHECKPOINT, *CLIPPING) if name in trainer}


class Resumed(NamedTuple):
    """A run to resume: its checkpoint, step, settings, all overrides so far, and a builder of objects from settings."""

    checkpoint: Path
    step: int
    settings: dict[str, Any]
    overrides: dict[str, str]
    make: Callable[[Any], Any]


def _changed(settings: dict[str, Any], asked: dict[str, Any], keys: list[str]) -> Any:
    """Copies the value of ``asked`` at ``keys``, or the part that ``settings`` lack, into ``settings``; returns it."""
    into, value = settings, asked
    for key in keys[:-1]:
        value = value[key]
        if not isinstance(into.get(key), dict):
            into[key] = value
            return value
        into = into[key]
    into[keys[-1]] = value[keys[-1]]
    return value[keys[-1]]
