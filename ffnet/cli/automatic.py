"""Settings that are ``auto``, resolved once the signal has been read."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ffnet.datasets import automatic

if TYPE_CHECKING:
    from ffnet.datasets import Dataset, Source

log = logging.getLogger(__name__)

Settings = dict[str, Any]

# Rules by the name of the setting of an encoder or model.
RULES: "dict[str, Callable[[Source], int]]" = {
    "table_size": lambda grid: automatic.table_size(grid.size),
    "max_resolution": lambda grid: automatic.max_resolution(grid.grid or (0, 0)),
}


def resolve_steps(settings: Settings, dataset: "Dataset", asked: Settings) -> None:
    """Replaces ``auto`` in the trainer's and the schedule's numbers of steps, in place, and logs what the dataset and
    this chose. ``asked`` are the settings of the dataset as given.

    Raises:
        ValueError: if the signal is not on a grid.
    """
    found = settings["dataset"]  # where what nothing followed from may still be auto
    chosen = {f"dataset.{key}": found[key] for key, value in asked.items() if value == "auto" and found[key] != "auto"}
    if settings["trainer"]["max_steps"] == "auto":
        steps = automatic.max_steps(_grid(dataset, "trainer.max_steps").size)
        settings["trainer"] = settings["trainer"] | {"max_steps": steps}
        settings["schedule"] = {k: steps if v == "auto" else v for k, v in (settings["schedule"] or {}).items()}
        chosen["trainer.max_steps"] = steps
    _log(chosen)


def resolve_sizes(model: Settings, dataset: "Dataset") -> None:
    """Replaces ``auto`` in the settings of a model and its encoder, in place.

    Raises:
        ValueError: if the signal is not on a grid, or there is no rule for a setting.
    """
    chosen: Settings = {}
    _resolve(model, "model", dataset, chosen)
    _log(chosen)


def _resolve(settings: Settings, place: str, dataset: "Dataset", chosen: Settings) -> None:
    for key, value in settings.items():
        name = f"{'encoder' if place == 'model.encoder' else place}.{key}"
        if isinstance(value, dict):
            _resolve(value, f"{place}.{key}", dataset, chosen)
        elif value == "auto":
            if key not in RULES:
                raise ValueError(f"{name}: expected a value, got auto, for which there is no rule")
            settings[key] = chosen[name] = RULES[key](_grid(dataset, name))


def _grid(dataset: "Dataset", name: str) -> "Source":
    if dataset.regular is None:
        raise ValueError(f"{name}: expected a number, got auto, which needs a signal on a grid")
    return dataset.regular


def _log(chosen: Settings) -> None:
    if chosen:
        log.info("auto    %s", ", ".join(f"{name}={value}" for name, value in chosen.items()))
