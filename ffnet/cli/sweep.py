"""A sweep: its folder's record."""

from pathlib import Path

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError


def recorded(folder: Path) -> list[str] | None:
    """The overrides of the sweep in ``folder``, as they were given; None if there is no sweep.

    Raises:
        ValueError: if its record is damaged.
    """
    record = folder / "multirun.yaml"
    if not record.is_file():
        return None
    try:
        return list(OmegaConf.load(record).hydra.overrides.task)
    except (YAMLError, OmegaConfBaseException, ValueError, AttributeError, TypeError) as error:
        raise ValueError(f"{record}: damaged record of a sweep") from error


def jobs(folder: Path) -> list[list[str]]:
    """The overrides of each job of the sweep in ``folder``, by number; none if its jobs are not known beforehand."""
    from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
    from hydra.core.override_parser.overrides_parser import OverridesParser
    from hydra.errors import HydraException

    try:
        overrides = OverridesParser.create().parse_overrides(recorded(folder) or [])
        return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0] if overrides else []
    except HydraException:  # ranges that another sweeper searches
        return []
