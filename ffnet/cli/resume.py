"""The settings of a run that is resumed: its own, from its checkpoint, and what may change."""

import json
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ffnet.cli.processes import quoted

# More steps, another device, another interval: these do not touch what has been fitted so far.
CHANGEABLE = ("trainer.", "engine.", "callbacks.", "logger.", "hydra.", "hydra/", "resume=", "trust=")


def remaining(config: DictConfig, overrides: list[str], folder: Path) -> list[str] | None:
    """The overrides with which a run is carried out; None if it belongs to a resumed sweep and is complete.

    In a resumed sweep (``config.resume`` is True), ``config`` is told to begin the run or to go on with it.
    """
    if config.resume is not True:
        return overrides
    if not (folder / "failed.json").exists() and _steps(folder) >= config.trainer.max_steps:
        return None
    config.resume = str(folder) if (folder / "checkpoints" / "last.ckpt").is_file() else None
    rest = [override for override in overrides if not override.startswith("resume=")]
    if config.resume is None:
        return rest
    return [*filter(_changeable, rest), f"resume={quoted(str(folder))}"]


def _changeable(override: str) -> bool:
    return override.lstrip("+").startswith(CHANGEABLE)


def _steps(folder: Path) -> int:
    """The steps of the complete run in ``folder``; -1 if there is none."""
    try:
        return int(json.loads((folder / "metrics.json").read_text())["steps"])
    except (OSError, ValueError, KeyError):
        return -1


def resumed(config: DictConfig, overrides: list[str]) -> tuple[Path, DictConfig, dict[str, str]]:
    """The checkpoint of the run ``config.resume``, its settings with ``overrides`` applied, and all its overrides.

    Raises:
        OSError: if there is no checkpoint.
        ValueError: if it is damaged, names classes that ffnet does not know, or an override would change
            what is being fitted.
    """
    from ffnet import checkpoint, runs
    from ffnet.cli.trust import known_targets, trusted_classes

    folder = Path(config.resume)
    if not folder.is_dir():
        raise FileNotFoundError(f"resume: expected a run's folder, got {folder}")
    path = checkpoint.find(folder)
    contents = checkpoint.read(path)["ffnet"]
    settings = contents["settings"]
    known = known_targets(trusted_classes(config.trust))
    checkpoint.refuse_unknown(settings, known, str(path))
    kept = OmegaConf.create(settings)
    for override in overrides:
        if not _changeable(override):
            raise ValueError(f"{override}: a resumed run keeps its settings; only trainer.* and callbacks.* can change")
        key = override.lstrip("+").split("=")[0]
        if not key.startswith(("hydra.", "hydra/")):
            OmegaConf.update(kept, key, OmegaConf.select(config, key))
    return path.absolute(), kept, contents.get("overrides", {}) | runs.settings(overrides)
