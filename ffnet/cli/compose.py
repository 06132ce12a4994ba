"""Composes ``conf/`` with Hydra, for commands and for settings alone, without affecting another program's Hydra."""

import copy
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.config_search_path import ConfigSearchPath
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.core.plugins import Plugins
from hydra.core.utils import JobRuntime
from hydra.plugins.search_path_plugin import SearchPathPlugin
from hydra.types import RunMode
from hydra.version import VersionBase
from omegaconf import DictConfig, OmegaConf

from ffnet.cli.overrides import parsed
from ffnet.resources import resource

VERSION_BASE = "1.3"
# Hydra's name of the provider for directories from --config-dir.
PROVIDER = "command-line"
# The resolvers that Hydra registers, and ours.
RESOLVERS = ("now", "hydra", "python_version", "run_name")

# The most configurations of jobs that are in memory at a time.
KEPT_JOBS = 64

_config_dirs: ContextVar[tuple[Path, ...]] = ContextVar("config_dirs", default=())


class ConfigDirs(SearchPathPlugin):
    """Adds the directories of ``--config-dir`` to the search path."""

    def manipulate_search_path(self, search_path: ConfigSearchPath) -> None:
        for folder in _config_dirs.get():
            search_path.append(PROVIDER, f"file://{folder}")


def config_dirs(runtime: Any) -> list[str]:
    """The directories of ``--config-dir`` in the record ``hydra.runtime`` of a run or sweep."""
    sources = runtime.get("config_sources") or []
    return [str(source["path"]) for source in sources if source["provider"] == PROVIDER]


def compose_config(command: str, overrides: Iterable[str] = (), config_dirs: Sequence[str | Path] = ()) -> DictConfig:
    """The settings of ``ffnet <command>`` with ``overrides``, without those of Hydra.

    Values that refer to ``${hydra:...}`` need an override: ``run_dir`` of ``fit``.

    Raises:
        ValueError: if a directory in ``config_dirs`` does not exist.
        HydraException: if the overrides do not match the settings.
    """
    with composing(command, config_dirs):
        return compose(command, list(overrides))


@contextmanager
def composing(command: str, config_dirs: Sequence[str | Path] = ()) -> Iterator[Any]:
    """Hydra's application of ``ffnet <command>``, with the user's config directories after that of ffnet.

    Raises:
        ValueError: if a directory in ``config_dirs`` does not exist.
    """
    folders = tuple(Path(folder).absolute() for folder in config_dirs)
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"--config-dir: expected a directory, got {folder}")
    Plugins.instance().register(ConfigDirs)
    token = _config_dirs.set(folders)
    try:
        with _own_state(), initialize_config_dir(str(resource("conf")), command, VERSION_BASE):
            OmegaConf.register_new_resolver("run_name", run_name, replace=True)
            hydra = GlobalHydra.instance().hydra
            assert hydra is not None
            hydra.config_loader = cast(ConfigLoader, ComposedOnce(hydra.config_loader))
            yield hydra
    finally:
        _config_dirs.reset(token)


def run_name(*, _root_: DictConfig) -> str:
    """The name of the run as part of a directory's name: ``name``, or that of the signal's file, or the dataset's."""
    dataset, hydra = _root_.get("dataset"), _root_.get("hydra")
    path = dataset.get("path") if OmegaConf.is_dict(dataset) else None
    choice = hydra.runtime.choices.get("dataset") if hydra else None
    given = _root_.get("name")
    name = str(given) if given is not None else Path(str(path)).stem if path else str(choice)
    return re.sub(r"[^\w.-]+", "-", name)[:40].strip("-.") or "signal"


class ComposedOnce:
    """A Hydra ``ConfigLoader`` that composes the same overrides once. That takes a quarter of a second; a command looks
    at its settings before it runs, and Hydra at all jobs of a sweep before it launches the first.

    Args:
        loader: does the rest.
    """

    def __init__(self, loader: ConfigLoader) -> None:
        self.loader = loader
        self.composed: dict[Any, DictConfig] = {}
        self.jobs: dict[tuple[str, ...], DictConfig] = {}

    def __getattr__(self, name: str) -> Any:
        if name == "loader":  # while it is unpickled
            raise AttributeError(name)
        return getattr(self.loader, name)

    def load_configuration(
        self,
        config_name: str | None,
        overrides: list[str],
        run_mode: RunMode,
        from_shell: bool = True,
        validate_sweep_overrides: bool = True,
    ) -> DictConfig:
        """As Hydra's, except for what it says of sweeps where there can be none: ValueError."""
        key = config_name, tuple(overrides), run_mode, from_shell
        for override in parsed(overrides) if validate_sweep_overrides else ():
            if override.is_sweep_override():
                if run_mode == RunMode.RUN:
                    raise ValueError(f"{override.input_line}: several values are a sweep; say -m, or quote the value")
                if override.is_hydra_override():
                    raise ValueError(f"{override.input_line}: Hydra's own settings cannot be swept over")
        if key not in self.composed:
            self.composed[key] = self.loader.load_configuration(config_name, overrides, run_mode, from_shell, False)
        return copy.deepcopy(self.composed[key])

    def load_sweep_config(self, master_config: DictConfig, sweep_overrides: list[str]) -> DictConfig:
        """As Hydra's; the configuration of a job is kept until it is asked for again."""
        key = tuple(sweep_overrides)
        if key in self.jobs:
            return self.jobs.pop(key)
        config = self.loader.load_sweep_config(master_config, sweep_overrides)
        if len(self.jobs) < KEPT_JOBS:
            self.jobs[key] = copy.deepcopy(config)
        return config


@contextmanager
def _own_state() -> Iterator[None]:
    """Resets Hydra's global state in this block and restores it afterwards."""
    application, job = GlobalHydra.instance(), HydraConfig.instance()
    version, runtime = VersionBase.instance(), JobRuntime.instance()
    hydra, config, base, name = application.hydra, job.cfg, version.version_base, runtime.get("name")
    new = [resolver for resolver in RESOLVERS if not OmegaConf.has_resolver(resolver)]
    application.hydra, job.cfg = None, None
    try:
        yield
    finally:
        GlobalHydra.set_instance(application)  # initialize_config_dir leaves a copy
        application.hydra, job.cfg, version.version_base = hydra, config, base
        runtime.conf["name"] = name  # set() would write to the log
        for resolver in new:
            OmegaConf.clear_resolver(resolver)
