"""A sweep: its folder's record, and its end."""

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError


def recorded(folder: Path) -> list[str] | None:
    """The overrides of the sweep in ``folder``, as they were given but for ``resume``; None if there is no sweep.

    Raises:
        ValueError: if its record is damaged.
    """
    record = folder / "multirun.yaml"
    if not record.is_file():
        return None
    try:
        overrides = list(OmegaConf.load(record).hydra.overrides.task)
    except (YAMLError, OmegaConfBaseException, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{record}: damaged record of a sweep") from error
    return [override for override in overrides if not override.startswith("resume=")]


def jobs(folder: Path) -> list[list[str]]:
    """The overrides of each job of the sweep in ``folder``, by number; none if a search chooses its jobs."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser

    line = recorded(folder)
    if line is None:
        return []
    sweeper = OmegaConf.load(folder / "multirun.yaml").hydra.sweeper
    if not str(sweeper._target_).endswith("BasicSweeper"):
        return []
    # What an experiment sweeps over comes before what was given.
    line = [*(f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()), *line]
    return BasicSweeper.split_arguments(OverridesParser.create().parse_overrides(line), max_batch_size=None)[0]


class Summary(Callback):
    """At the end of a sweep: how many runs are complete, and the sweep's exit code, wherever its runs took place."""

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        from ffnet.runs import exit_code, find_runs

        folder = Path(config.hydra.sweep.dir)
        runs = find_runs(folder, jobs(folder))
        counts = {state: sum(run.state == state for run in runs) for state in dict.fromkeys(r.state for r in runs)}
        print(f"\n{len(runs)} runs: " + ", ".join(f"{count} {state}" for state, count in counts.items()))
        print(f"look    ffnet table run={folder}")
        if any(state != "complete" for state in counts):
            print(f"again   ffnet fit resume={folder}")
        raise SystemExit(exit_code(runs))
