"""Sweeps: the record in their directory, and the summary at their end."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from hydra.core.override_parser.types import Glob
from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from ffnet import stopping
from ffnet.cli.compose import composing, config_dirs
from ffnet.cli.overrides import combinations, parsed, unparsed


@dataclass(frozen=True)
class Sweep:
    """The record of a sweep.

    Attributes:
        overrides: the overrides as given, without ``resume``.
        config_dirs: the directories of ``--config-dir``.
        params: the overrides that the sweep's config adds; None if a search chooses the jobs.
    """

    overrides: list[str]
    config_dirs: list[str]
    params: list[str] | None


def recorded(folder: Path) -> Sweep | None:
    """The sweep in the directory ``folder``, if there is one.

    Raises:
        ValueError: if its record is damaged.
    """
    record = folder / "multirun.yaml"
    if not record.is_file():
        return None
    try:
        kept = yaml.safe_load(record.read_text(encoding="utf-8"))["hydra"]  # as given: nothing in it is resolved
        overrides = [
            override for override in parsed(_texts(kept["overrides"]["task"])) if override.key_or_group != "resume"
        ]
        lists = str(kept["sweeper"]["_target_"]).endswith("BasicSweeper")
        added = kept["sweeper"].get("params") or {}
        params = _texts([f"{key}={value}" for key, value in added.items()]) if lists else None
        return Sweep(unparsed(overrides), config_dirs(kept.get("runtime") or {}), params)
    except (yaml.YAMLError, HydraException, ValueError, KeyError, AttributeError, TypeError, RecursionError) as error:
        raise ValueError(f"{record}: damaged record of a sweep") from error


def directory(run: Any) -> Path:
    """The directory that the setting ``run`` of ``table`` and ``report`` names.

    Raises:
        ValueError: if it is not one path.
    """
    if not isinstance(run, str):
        raise ValueError(f"run: expected a run or sweep directory, got {run}")
    return Path(run)


def _texts(values: Any) -> list[str]:
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError("expected a list of overrides")
    return values


def jobs(folder: Path, own_configs: Sequence[str] = ()) -> list[list[str]]:
    """The overrides of each job of the sweep in ``folder``, by number; empty if a search chooses the jobs, or if they
    are options of configs in directories other than the user's ``own_configs``.

    Raises:
        ValueError: if its record is damaged.
    """
    sweep = recorded(folder)
    if sweep is None or sweep.params is None:
        return []
    overrides = [*sweep.params, *sweep.overrides]
    listed = any(isinstance(override.value(), Glob) for override in parsed(overrides))
    if not listed:
        return combinations(parsed(overrides))
    if not set(sweep.config_dirs) <= set(own_configs):
        return []
    with composing("fit", own_configs) as hydra:  # which knows the options of `encoder=glob(*)`
        return combinations(parsed(overrides, hydra.config_loader))


class Summary(Callback):
    """Prints the number of complete runs at the end of a sweep, and sets its exit code."""

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        stopping.left.sweep = Path(config.hydra.sweep.dir)

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from ffnet.runs import exit_code, find_runs

        folder = Path(config.hydra.sweep.dir)
        runs = find_runs(folder, jobs(folder, config_dirs(config.hydra.runtime)))
        counts = {state: sum(run.state == state for run in runs) for state in dict.fromkeys(r.state for r in runs)}
        print(f"\n{len(runs)} runs: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
        print(f"look    ffnet table run={folder}")
        if any(state != "complete" for state in counts):
            print(f"again   ffnet fit resume={folder}")
        raise SystemExit(exit_code(runs))  # Hydra turns other exceptions of callbacks into warnings
