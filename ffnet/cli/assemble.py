"""The module and the trainer of a fit, from its parts and settings, for ``ffnet fit`` and ``ffnet.fit``."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffnet.cli.checks import OF_THE_STEP, check_monitors, numbers_checked
from ffnet.cli.errors import explain
from ffnet.cli.parts import Make, Parts, Settings
from ffnet.cli.trainer import check_callbacks, check_device, check_settings, profiler

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from ffnet.training import Fitting

log = logging.getLogger(__name__)

# Settings that a checkpoint does not store: those of the field, which it stores separately, and of the execution.
NOT_KEPT = ("encoder", "model", "logger", "run_dir", "resume", "overwrite", "trust", "limits", "name", "tags")


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
