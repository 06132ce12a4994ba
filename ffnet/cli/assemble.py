"""Builds field, dataset and trainer from settings, for ``ffnet fit``, ``ffnet ntk`` and ``ffnet.fit``."""

import copy
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from ffnet.cli.checks import OF_THE_STEP, check_monitors, clipping, numbers_checked
from ffnet.cli.errors import explain
from ffnet.cli.trainer import check_callbacks, check_device, check_settings, profiler

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from ffnet.datasets import Dataset
    from ffnet.fitting import Clipping
    from ffnet.models import Field, ModuleField
    from ffnet.training import Fitting

log = logging.getLogger(__name__)

Settings = dict[str, Any]
Make = Callable[[Any], Any]

# Settings that a checkpoint does not store: those of the field, which it stores separately, and of the execution.
NOT_KEPT = ("encoder", "model", "logger", "run_dir", "resume", "overwrite", "trust", "limits")


def instantiated(spec: Any) -> Any:
    """The object that Hydra builds from the user's settings. Data from files use ``ffnet.checkpoint.build`` instead."""
    from hydra.utils import instantiate

    return instantiate(spec, _convert_="all")


def make_dataset(settings: Settings, make: Make, signal: Any = None) -> "Dataset":
    """The dataset of ``settings``, of ``signal`` if it is in memory. Updates ``settings`` with resolved arguments.

    Raises:
        ValueError, TypeError, OSError, HydraException: if the settings are invalid.
    """
    from ffnet.datasets import Dataset

    spec = settings["dataset"]
    dataset = make(spec) if signal is None else make({**spec, "_partial_": True})(path=signal)
    if not isinstance(dataset, Dataset):
        raise ValueError(f"dataset: expected an ffnet.datasets.Dataset, got {type(dataset).__name__}")
    settings["dataset"] = spec | dataset.resolved()
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

    model = settings["model"] = copy.deepcopy(settings["model"])
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
    field: Any = built(model, make)
    if field.in_features != dataset.in_features:
        raise ValueError(f"encoder: expected one of {dataset.in_features} coordinates, got one of {field.in_features}")
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
    if type(steps) is not int or steps < 1:
        raise ValueError(f"trainer.max_steps: expected an integer of at least 1, got {steps}")
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


def assemble(
    settings: Settings,
    make: Make,
    parts: Parts,
    directory: Path,
    overrides: dict[str, str],
    loggers: "list[Any] | None" = None,
) -> "tuple[Fitting, Trainer]":
    """The module and the trainer of a run.

    Args:
        settings: resolved plain settings of the run, as ``make_parts`` leaves them.
        make: builds an object from a part of the settings.
        parts: of the fit.
        directory: the run directory.
        overrides: the user's overrides, to record.
        loggers: additional loggers.

    Raises:
        Exception: if the settings are invalid, or do not work together. Many are classes of the user's.
    """
    from lightning.pytorch.utilities.model_summary import ModelSummary

    from ffnet.checkpoint import Checkpoint
    from ffnet.training import Fitting

    kept = {key: value for key, value in settings.items() if key not in NOT_KEPT}
    module = Fitting(
        parts.field,
        parts.dataset,
        parts.loss,
        parts.optimizer,
        parts.schedule,
        max_steps=settings["trainer"]["max_steps"],
        seed=settings["seed"],
        engine=parts.engine,
        regularizers=parts.regularizers,
        clip=parts.clip,
        description=Checkpoint(field=settings["model"], settings=kept, overrides=overrides),
    )
    with numbers_checked(settings):
        module.rehearse()
    trainer = make_trainer(settings, make, parts.dataset.batch_size, directory, loggers or [])
    check_monitors(trainer, parts.dataset)
    model = settings["model"]
    specs = (model, model["encoder"]) if "encoder" in model else (model["module"],)
    names = " after ".join(spec["_target_"].rpartition(".")[2] for spec in specs)
    parameters = sum(p.numel() for p in parts.field.parameters())
    log.info("signal  %s", parts.dataset.extra_repr() or type(parts.dataset).__name__)
    log.info("field   %s, %s parameters", names, f"{parameters:,}")
    if settings["trainer"].get("enable_model_summary"):  # Lightning's callback would log it to where nothing is shown
        log.info("%s", ModelSummary(module))
    return module, trainer


def make_trainer(settings: Settings, make: Make, batch_size: int, directory: Path, loggers: list[Any]) -> "Trainer":
    """The trainer of ``settings``; each of several devices processes its share of the ``batch_size`` queries.

    Raises:
        ValueError: if devices are not available or more than queries, or the strategy cannot share a batch.
    """
    from lightning.pytorch.callbacks import Callback, ProgressBar
    from lightning.pytorch.callbacks import Checkpoint as SavingCallback
    from lightning.pytorch.loggers import Logger
    from lightning.pytorch.strategies import DDPStrategy
    from lightning.pytorch.utilities.exceptions import MisconfigurationException

    from ffnet.fitting import automatic_precision
    from ffnet.training import SharedBatch, WholeFileCheckpointIO

    make_it = make({"_target_": settings["trainer"]["_target_"], "_partial_": True})
    check_settings(settings["trainer"], signature(make_it).parameters)
    check_device(settings["trainer"])
    options = {name: value for name, value in settings["trainer"].items() if name not in ("_target_", *OF_THE_STEP)}
    if options.get("precision") == "auto":
        options["precision"] = automatic_precision(str(options["accelerator"]))
    callbacks = made(settings, "callbacks", make, Callback)
    check_callbacks(settings["trainer"], callbacks)
    options |= {
        "callbacks": callbacks,
        "logger": made(settings, "logger", make, Logger) + loggers,
        "plugins": [WholeFileCheckpointIO()],
        "default_root_dir": str(directory),
        "profiler": profiler(options.get("profiler"), directory),
        "enable_model_summary": False,  # see assemble
        "min_epochs": 0,  # with min_steps, Lightning would wait for the end of the first epoch
    }
    # ffnet's callback saves checkpoints; Lightning's may be added.
    options["enable_checkpointing"] = any(isinstance(callback, SavingCallback) for callback in callbacks)
    options["enable_progress_bar"] = any(isinstance(callback, ProgressBar) for callback in callbacks)
    try:
        trainer: Trainer = make_it(**options)
        if isinstance(trainer.strategy, DDPStrategy):
            trainer = make_it(**options | {"strategy": SharedBatch()})
    except MisconfigurationException as error:
        raise ValueError(str(error)) from error
    processes = trainer.num_devices * trainer.num_nodes
    if processes > 1 and not isinstance(trainer.strategy, SharedBatch):
        raise ValueError(f"trainer.strategy: expected ddp, got {options.get('strategy')}")
    if processes > batch_size:
        raise ValueError(f"trainer.devices: expected at most the batch's {batch_size} points, got more")
    return trainer


def made(settings: Settings, group: str, make: Make, kind: type) -> list[Any]:
    """The objects of a group of settings by name, without those that are null.

    Raises:
        ValueError: if one cannot be made, or is no ``kind``.
    """
    objects = []
    for name, spec in (settings[group] or {}).items():
        if spec is not None:
            objects.append(_made(f"{group}.{name}", spec, make))
            if not isinstance(objects[-1], kind):
                raise ValueError(f"{group}.{name}: expected a {kind.__name__}, got {type(objects[-1]).__name__}")
    return objects


def _made(place: str, spec: Any, make: Make) -> Any:
    """The object of the settings at ``place``, which errors name."""
    if not isinstance(spec, dict) or "_target_" not in spec:
        raise ValueError(f"{place}: expected settings with a _target_, or null, got {spec!r}")
    for key, value in spec.items():
        if value == "???":
            raise ValueError(f"{place}.{key}: expected a value, got none; say {place}.{key}=...")
    try:
        return make(spec)
    except Exception as error:  # of a class of the user's
        said = explain(error)
        argument = said.partition(":")[0]
        raise ValueError(f"{place}.{said}" if argument in spec else f"{place}: {said}") from error


def seed_globally(seed: int) -> None:
    """Seeds the global generators of Python, NumPy and torch. Lightning's function would also set the environment."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed)  # noqa: NPY002 (the global generator is what users' classes may draw from)
    torch.manual_seed(seed)


@contextmanager
def quiet_libraries() -> Iterator[None]:
    """Suppresses messages and hints of libraries."""
    import warnings

    import lightning.pytorch  # noqa: F401 (which sets the levels when it is imported)

    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric", "matplotlib")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")  # such as its use of deprecated functions of torch
            yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)
