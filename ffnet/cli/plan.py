"""What is checked before Hydra creates a command's directory, and what becomes of the directory if it is refused."""

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ffnet import stopping
from ffnet.budget import Limits, checked_limits, limited
from ffnet.cli.errors import reading_input
from ffnet.cli.kinds import check_kind
from ffnet.cli.latest import forgotten_if
from ffnet.cli.launch import rank
from ffnet.cli.overrides import combinations, parsed
from ffnet.resources import resource

# What a run, or the command ntk, has written.
EVENTS = "events.out.tfevents.*"
# Hydra's files in ``hydra.output_subdir``.
SETTINGS = ("config.yaml", "hydra.yaml", "overrides.yaml")
RESULTS = ("metrics.json", "checkpoints", "ntk.json")


def planned(hydra: Any, command: str, overrides: list[str], multirun: bool) -> DictConfig:
    """The configuration of the command, Hydra's own included.

    Raises:
        HydraException, OmegaConfBaseException: if it cannot be composed.
    """
    mode = RunMode.MULTIRUN if multirun else RunMode.RUN
    config: DictConfig = hydra.compose_config(command, overrides, run_mode=mode, validate_sweep_overrides=False)
    HydraConfig.instance().set_config(config)  # its resolver is for this
    return config


def limits_of(config: DictConfig) -> AbstractContextManager[None]:
    """Applies the limits of the command's settings in a block.

    Raises:
        BadInput: if they are none.
    """
    with reading_input():
        if not OmegaConf.is_dict(config.limits):
            raise ValueError(f"limits: expected a limit for each of {', '.join(Limits._fields)}, got {config.limits!r}")
        plain: Any = OmegaConf.to_container(config.limits, resolve=True)
        return limited(checked_limits(plain))


def check_sweep(hydra: Any, config: DictConfig) -> None:
    """Raises ValueError if a sweep has too many jobs, or its directory holds another sweep."""
    folder = Path(config.hydra.sweep.dir)
    if starts_afresh(config) and (folder / "multirun.yaml").exists():
        raise ValueError(
            f"hydra.sweep.dir: {folder} holds a sweep; resume={folder} goes on with it, overwrite=true replaces it"
        )
    sweeper = config.hydra.sweeper
    if str(sweeper._target_).endswith("BasicSweeper"):
        params = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
        task: Any = OmegaConf.to_container(config.hydra.overrides.task, resolve=False)
        combinations(parsed([*params, *task], hydra.config_loader))


def check_run(config: DictConfig) -> None:
    """Checks the files of a command before torch is imported, which takes seconds.

    Raises:
        FileNotFoundError: if there is no signal where ``dataset.path`` says.
        ValueError: if that is a URL or a signal of another kind, or the directory of a run that starts afresh holds
            another run.
    """
    dataset = config.get("dataset")
    ours = OmegaConf.is_dict(dataset) and str(dataset.get("_target_")).startswith("ffnet.datasets.")
    path = dataset.get("path") if ours else None
    if isinstance(path, str) and not Path(path).exists() and starts_afresh(config):
        if "://" in path:
            raise ValueError(f"{path}: is a URL; download it, and give the path of the file")
        raise FileNotFoundError(f"{path}: no such file; expected a signal to fit")
    choice = config.hydra.runtime.choices.get("dataset")
    if isinstance(path, str) and (resource("conf") / "dataset" / f"{choice}.yaml").is_file():
        check_kind(choice, path)
    mine = rank() == 0 and not stopping.is_part()  # and not that of a process which has checked it
    if starts_afresh(config) and mine and holds_results(folder := Path(config.hydra.run.dir)):
        raise ValueError(
            f"hydra.run.dir: {folder} holds a run; resume={folder} goes on with it, overwrite=true replaces it"
        )


def starts_afresh(config: DictConfig) -> bool:
    """Whether the command neither goes on with a run or sweep nor may replace one."""
    return "resume" in config and (config.resume is None or config.resume is False) and config.overwrite is not True


def holds_results(folder: Path) -> bool:
    """Whether a run has written to ``folder``."""
    return any((folder / name).exists() for name in RESULTS)


def clear_results(folder: Path) -> None:
    """Removes what an earlier run has written to ``folder``, so that nothing of it is taken for the new run's."""
    for name in (*RESULTS, "failed.json", "reconstruction.*", "views.png", "ntk.png", "fit-profile*", EVENTS):
        for path in folder.glob(name):
            shutil.rmtree(path) if path.is_dir() else path.unlink()


@contextmanager
def removed_if_refused(config: DictConfig, used: list[Path], refused: Callable[[], bool]) -> Iterator[None]:
    """Removes the directory of the command after this block if the command was ``refused`` and had created it.

    Args:
        config: of the command.
        used: the directory, once it is known.
        refused: whether the command was refused.
    """
    if rank() > 0 or stopping.is_part():  # no directory of its own
        yield
        return
    folder = Path(config.hydra.run.dir).absolute()
    # A command without a run, such as ``table``, writes none; its directory is the current one, or the user's choice.
    has_run = "resume" in config
    records = (EVENTS, "failed.json", f"{config.hydra.job.name}.log") if has_run else ()
    subdir = config.hydra.output_subdir
    settings = [] if subdir is None else [folder / str(subdir) / name for name in SETTINGS]
    inner = settings[0].parents if settings else ()
    places = (folder, *folder.parents, *_matching(folder, records), *settings, *inner)
    before = {place for place in places if place.exists()}
    try:
        with forgotten_if(folder, refused) if has_run else nullcontext():
            yield
    finally:
        folder = used[-1].absolute() if used else folder
        if refused() and folder not in before and folder.is_dir():
            shutil.rmtree(folder, ignore_errors=True)
            for parent in folder.parents:
                if parent in before or any(parent.iterdir()):
                    break
                parent.rmdir()
        elif refused():  # such as a run that was to go on
            for path in {*_matching(folder, records), *filter(Path.exists, settings)} - before:
                path.unlink()
            for place in inner:
                if place in before or not place.is_dir() or any(place.iterdir()):
                    break
                place.rmdir()


def _matching(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return [path for pattern in patterns for path in folder.glob(pattern)]
