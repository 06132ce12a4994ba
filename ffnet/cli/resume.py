"""The settings of a run that is resumed: its own, from its checkpoint, and what may change."""

from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from ffnet import checkpoint
from ffnet.cli.trust import known_targets, trusted_classes

# More steps, another device, another interval: these do not touch what has been fitted so far.
CHANGEABLE = ("trainer.", "engine.", "callbacks.", "logger.", "hydra.", "resume=", "trust=")


def resumed(config: DictConfig, overrides: list[str]) -> tuple[Path, DictConfig]:
    """The checkpoint of the run ``config.resume``, and the run's settings with ``overrides`` applied.

    Raises:
        OSError: if there is no checkpoint.
        ValueError: if it is damaged, names classes that ffnet does not know, or an override would change
            what is being fitted.
    """
    folder = Path(config.resume)
    if not folder.is_dir():
        raise FileNotFoundError(f"resume: expected a run's folder, got {folder}")
    path = checkpoint.find(folder)
    settings = checkpoint.read(path)["ffnet"]["settings"]
    known = known_targets(trusted_classes(config.trust))
    checkpoint.refuse_unknown(settings, known, str(path))
    kept = OmegaConf.create(settings)
    for override in overrides:
        if not override.startswith(CHANGEABLE):
            raise ValueError(f"{override}: a resumed run keeps its settings; only trainer.* and callbacks.* can change")
        key = override.split("=")[0]
        if not key.startswith("hydra."):
            OmegaConf.update(kept, key, OmegaConf.select(config, key))
    return path.absolute(), kept
