"""Builds the parts of a fit from settings: the dataset, the field, the loss, ... They need torch alone."""

import copy
from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING, Any, NamedTuple

from ffnet.cli.checks import clipping

if TYPE_CHECKING:
    from ffnet.datasets import Dataset
    from ffnet.fitting import Clipping
    from ffnet.models import Field, ModuleField

Settings = dict[str, Any]
Make = Callable[[Any], Any]


def instantiated(spec: Any) -> Any:
    """The object that Hydra builds from the user's settings. Data from files use ``ffnet.checkpoint.build`` instead."""
    from hydra.utils import instantiate

    return instantiate(spec, _convert_="all")


def make_dataset(settings: Settings, make: Make, signal: Any = None) -> "Dataset":
    """The dataset of ``settings``, of ``signal`` if it is in memory. Updates ``settings`` with resolved arguments.

    Raises:
        ValueError, TypeError, OSError, HydraException: if the settings are invalid.
    """
    from ffnet.cli.automatic import resolve_steps
    from ffnet.datasets import Dataset

    spec = settings["dataset"]
    dataset = make(spec) if signal is None else make({**spec, "_partial_": True})(path=signal)
    if not isinstance(dataset, Dataset):
        raise ValueError(f"dataset: expected an ffnet.datasets.Dataset, got {type(dataset).__name__}")
    settings["dataset"] = spec | dataset.resolved()
    resolve_steps(settings, dataset, spec)
    return dataset


def make_field(settings: Settings, dataset: "Dataset", make: Make) -> "Field | ModuleField":
    """The field of ``settings``. Updates ``model`` with resolved arguments: the numbers of coordinates and values of
    the dataset, and the initial output.

    Encoders that wrap another one take its number of coordinates, so ``in_features`` is set on the innermost encoder.
    Composite encoders (``encoders``) have the numbers in their settings. A model without an encoder is any module.

    Raises:
        ValueError, TypeError, HydraException: if the settings are invalid.
    """
    from ffnet.allocation import built
    from ffnet.cli.automatic import allocate, resolve_bandwidth, resolve_sizes

    model = settings["model"] = copy.deepcopy(settings["model"])
    resolve_sizes(model, dataset)
    if "encoder" not in model:
        return make_module(settings, dataset, make)
    innermost = model["encoder"]
    while "encoder" in innermost:
        innermost = innermost["encoder"]
    if "encoders" not in innermost:
        innermost["in_features"] = dataset.in_features
    model["out_features"] = dataset.out_features
    if model.get("output_init") == "mean":
        model["output_init"] = dataset.mean()
    resolve_bandwidth(model, dataset, make)
    field: Any = built(model, make)
    if field.in_features != dataset.in_features:
        raise ValueError(f"encoder: expected one of {dataset.in_features} coordinates, got one of {field.in_features}")
    allocate(field, dataset)
    dataset.check(field)
    checked: Field = field
    return checked


def make_module(settings: Settings, dataset: "Dataset", make: Make) -> "ModuleField":
    """The field of a ``model`` that has no encoder: any module. It gets ``in_features`` and ``out_features`` if its
    constructor has them. Updates ``model``.

    Raises:
        ValueError, TypeError, HydraException: if the settings are invalid.
    """
    from ffnet.allocation import built
    from ffnet.models import ModuleField

    spec, sizes = settings["model"], {"in_features": dataset.in_features, "out_features": dataset.out_features}
    name = f"ffnet.models.{ModuleField.__name__}"
    if spec.get("_target_") != name:  # else it is that of a resumed run
        taken = make({**spec, "_partial_": True})
        wanted = signature(taken).parameters
        missing = {key: value for key, value in sizes.items() if key in wanted and key not in spec}
        spec = settings["model"] = {"_target_": name, "module": spec | missing, **sizes}
    field: Any = built(spec, make)
    if not isinstance(field, ModuleField):
        raise ValueError(f"model: expected a module, got {type(field).__name__}")
    dataset.check(field)
    return field


class Parts(NamedTuple):
    """What a fit consists of, without Lightning; ``optimizer`` and ``schedule`` are functions that make them."""

    dataset: "Dataset"
    field: "Field | ModuleField"
    loss: Any
    optimizer: Any
    schedule: Any
    engine: Any
    regularizers: dict[str, Any]
    clip: "Clipping | None"


def make_parts(settings: Settings, make: Make, signal: Any = None) -> Parts:
    """Reads the signal and builds the parts of a fit. Lightning, whose import takes seconds, is not needed.

    Args:
        settings: resolved plain settings of a run; updated with resolved arguments.
        make: builds an object from a part of the settings.
        signal: the signal, if it is in memory.

    Raises:
        Exception: if the settings are invalid. Many are classes of the user's.
    """
    from ffnet.allocation import check_size

    steps, seed = settings["trainer"]["max_steps"], settings["seed"]
    if steps != "auto" and (type(steps) is not int or steps < 1):
        raise ValueError(f"trainer.max_steps: expected an integer of at least 1, or auto, got {steps}")
    if type(seed) is not int or not 0 <= seed < 2**32:
        raise ValueError(f"seed: expected an integer in [0, 2^32), got {seed}")
    seed_globally(seed)  # for users' classes; ffnet's have their own generators
    check_size(settings["model"])
    dataset = make_dataset(settings, make, signal)
    return Parts(
        dataset,
        make_field(settings, dataset, make),
        make(settings["loss"]),
        make(settings["optimizer"]),
        make(settings["schedule"]),
        make(settings["engine"]),
        make(settings.get("regularizers") or {}),
        clipping(settings["trainer"]),
    )


def seed_globally(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch. Lightning's function would also set the environment."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (the global generator is what users' classes may draw from)
    torch.manual_seed(seed)
