"""Sweeps: the record in their directory, and the summary at their end."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

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
        kept = OmegaConf.load(record).hydra
        # As they were given: one may be logger.csv.save_dir=${run_dir}.
        given: Any = OmegaConf.to_container(kept.overrides.task, resolve=False)
        overrides = [override for override in parsed(given) if override.key_or_group != "resume"]
        lists = str(kept.sweeper._target_).endswith("BasicSweeper")
        params = [f"{key}={value}" for key, value in (kept.sweeper.get("params") or {}).items()] if lists else None
        return Sweep(unparsed(overrides), config_dirs(kept.get("runtime", {})), params)
    except (YAMLError, OmegaConfBaseException, HydraException, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{record}: damaged record of a sweep") from error


def jobs(folder: Path) -> list[list[str]]:
    """The overrides of each job of the sweep in ``folder``, by number; empty if a search chooses the jobs.

    Raises:
        ValueError: if its record is damaged.
    """
    sweep = recorded(folder)
    if sweep is None or sweep.params is None:
        return []
    # Hydra resolves the options of `encoder=glob(*)`.
    with composing("fit", [place for place in sweep.config_dirs if Path(place).is_dir()]) as hydra:
        return combinations(parsed([*sweep.params, *sweep.overrides], hydra.config_loader))


class Summary(Callback):
    """Prints the number of complete runs at the end of a sweep, and sets its exit code."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from ffnet.runs import exit_code, find_runs

        folder = Path(config.hydra.sweep.dir)
        runs = find_runs(folder, jobs(folder))
        counts = {state: sum(run.state == state for run in runs) for state in dict.fromkeys(r.state for r in runs)}
        print(f"\n{len(runs)} runs: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
        print(f"look    ffnet table run={folder}")
        if any(state != "complete" for state in counts):
            print(f"again   ffnet fit resume={folder}")
        raise SystemExit(exit_code(runs))  # Hydra turns other exceptions of callbacks into warnings
