"""Settings that are ``auto``, resolved once the signal has been read."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ffnet.datasets import automatic

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ffnet.analysis.bandwidth import Bandwidth
    from ffnet.datasets import Dataset, Source

log = logging.getLogger(__name__)

Settings = dict[str, Any]

# Rules by the name of the setting of an encoder or model.
RULES: "dict[str, Callable[[Source], int | list[int]]]" = {
    "table_size": lambda grid: automatic.table_size(grid.size),
    "max_resolution": lambda grid: automatic.max_resolution(grid.grid or (0, 0)),
    "shape": lambda grid: list(grid.grid or (0, 0)),
    "features": lambda grid: _values(grid),
    "entries": lambda grid: automatic.entries(grid.size * _values(grid)),
}

# The setting that ``resolve_bandwidth`` resolves, which needs the other settings of the model.
BANDWIDTH = "encoder.sigma"
# The most hidden features and frequencies of the networks whose short fits choose it: those with 128 choose as well as
# those with 256, for a third of the work (benchmarks/README.md).
PILOT = 128


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


def allocate(field: "nn.Module", dataset: "Dataset") -> None:
    """Has the wavelet encoders of ``field`` keep the entries that the signal needs.

    Raises:
        ValueError: if there is one, and the samples of the signal are not known or not those of its grid.
    """
    from ffnet import budget
    from ffnet.encoders import WaveletEncoder
    from ffnet.operators import PointEvaluation

    encoders = [part for part in field.modules() if isinstance(part, WaveletEncoder)]
    if not encoders:
        return
    if not isinstance(dataset.operator, PointEvaluation) or dataset.regular is None:
        raise ValueError(
            "encoder: expected another one, got a WaveletEncoder, which needs samples of the field on a grid"
        )
    grid = dataset.regular
    budget.check("points", grid.size, "the signal's size")
    values = _rows(grid, grid.size).unflatten(0, grid.grid or ())
    for encoder in encoders:
        encoder.allocate(values)


def _values(grid: "Source") -> int:
    """Number of values of a sample."""
    return _rows(grid, 1).shape[-1]


def _rows(grid: "Source", count: int) -> "Tensor":
    """The first ``count`` samples."""
    import torch

    return grid.batch(torch.arange(count, device=next(grid.buffers()).device)).targets


def resolve_bandwidth(model: Settings, dataset: "Dataset", make: Callable[[Any], Any]) -> None:
    """Replaces ``encoder.sigma=auto`` in the settings of a model, in place, and logs why.

    Raises:
        ValueError: if the signal is no image, or the model not suited.
    """
    encoder = model["encoder"]
    if encoder.get("sigma") == "auto":
        found = bandwidth_of(model, dataset, make)
        model["encoder"] = encoder | {"sigma": found.sigma}
        log.info("auto    %s=%g: %s", BANDWIDTH, found.sigma, found.described())


def bandwidth_of(model: Settings, dataset: "Dataset", make: Callable[[Any], Any]) -> "Bandwidth":
    """The bandwidth of the encoder that suits the image.

    Args:
        model: its settings, all but ``encoder.sigma`` resolved.
        dataset: the image.
        make: builds an object from a part of the settings.

    Raises:
        ValueError: if the signal is no image, or the model not suited.
    """
    from ffnet.allocation import built
    from ffnet.analysis import bandwidth

    grid = dataset.regular
    if grid is None or grid.grid is None or len(grid.grid) != 2 or not dataset.operator.pointwise:
        raise ValueError(f"{BANDWIDTH}: expected a number, got auto, which needs the pixels of an image")
    encoder = model["encoder"]
    narrow = {key: min(PILOT, value) for key, value in model.items() if key == "hidden_features"}
    few = {key: min(PILOT, value) for key, value in encoder.items() if key == "num_frequencies"}

    def pilot(sigma: float) -> Any:
        return built(model | narrow | {"encoder": encoder | few | {"sigma": sigma}}, make)

    return bandwidth(pilot, grid)


def _resolve(settings: Settings, place: str, dataset: "Dataset", chosen: Settings) -> None:
    for key, value in settings.items():
        name = f"{'encoder' if place == 'model.encoder' else place}.{key}"
        if isinstance(value, dict):
            _resolve(value, f"{place}.{key}", dataset, chosen)
        elif value == "auto" and name != BANDWIDTH:
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
