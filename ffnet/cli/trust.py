"""The classes that settings from a file may name."""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

# The metrics of torchmetrics.image that need no network with downloaded weights.
IMAGE_METRICS = (
    "ErrorRelativeGlobalDimensionlessSynthesis",
    "MultiScaleStructuralSimilarityIndexMeasure",
    "PeakSignalNoiseRatio",
    "RelativeAverageSpectralError",
    "RootMeanSquaredErrorUsingSlidingWindow",
    "SpatialCorrelationCoefficient",
    "SpectralAngleMapper",
    "StructuralSimilarityIndexMeasure",
    "TotalVariation",
    "UniversalImageQualityIndex",
)
POINT_METRICS = ("MeanAbsoluteError", "MeanSquaredError", "R2Score")
# The callbacks of Lightning that write no files.
CALLBACKS = ("EarlyStopping", "LearningRateMonitor", "Timer")


def trusted_classes(names: Iterable[str]) -> dict[str, type]:
    """The user's own classes, named by the user as ``module.Class``; also by their full name, where that differs.

    Raises:
        ValueError: if there is no such class.
    """
    from ffnet.checkpoint import full_name

    classes: dict[str, type] = {}
    if not isinstance(names, Sequence) or isinstance(names, str):
        raise ValueError(f"trust: expected a list of module.Class, got {names!r}")
    for name in names:
        if not isinstance(name, str):
            raise ValueError(f"trust: expected module.Class, got {name!r}")
        module, _, attribute = name.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"trust: cannot import {name!r} ({error}); is its folder on PYTHONPATH?") from error
        if not isinstance(found, type):
            raise ValueError(f"trust: expected a class, got {name!r}")
        classes |= {name: found, full_name(found): found}
    return classes


def known_datasets(trust: Mapping[str, type], spec: Any) -> dict[str, Callable[..., Any]]:
    """The classes that the dataset ``spec`` may consist of, by ``_target_``: ffnet's, and metrics without a network."""
    import ffnet.datasets
    import ffnet.operators
    import ffnet.sampling
    from ffnet.checkpoint import targets

    ours = (ffnet.datasets, ffnet.operators, ffnet.sampling)
    found = {f"{home.__name__}.{name}": getattr(home, name) for home in ours for name in home.__all__}
    if any(name.startswith(("ffnet.metrics.", "torchmetrics.")) for name in targets(spec)):
        found |= _metrics()
    return found | dict(trust)


def _metrics() -> dict[str, Callable[..., Any]]:
    """ffnet's and those without a network. Their import takes seconds."""
    import torchmetrics
    import torchmetrics.image

    import ffnet.metrics

    found = {f"ffnet.metrics.{name}": getattr(ffnet.metrics, name) for name in ffnet.metrics.__all__}
    found |= {f"torchmetrics.image.{name}": getattr(torchmetrics.image, name) for name in IMAGE_METRICS}
    found |= {f"torchmetrics.{name}": getattr(torchmetrics, name) for name in POINT_METRICS}
    return found


def known_parts(trust: Mapping[str, type], dataset: Any) -> dict[str, dict[str, Callable[..., Any]]]:
    """The classes that each part of the settings of a resumed run on ``dataset`` may name, by part and ``_target_``.

    Parts that say where to write, what to start or what to connect to are missing: no file has a say in them.
    """
    from lightning.pytorch import Callback, callbacks
    from torch import nn, optim
    from torch.optim import lr_scheduler

    import ffnet.fitting
    import ffnet.operators
    import ffnet.training
    from ffnet.checkpoint import known_modules

    own = dict(trust)
    losses = {f"torch.nn.{name}": getattr(nn, name) for name in nn.modules.loss.__all__}
    quiet = {f"{callbacks.__name__}.{name}": getattr(callbacks, name) for name in CALLBACKS}
    optimizers = _public(optim, optim.Optimizer) | _public(ffnet.fitting, optim.Optimizer)
    return {
        "model": known_modules(trust),
        "dataset": known_datasets(trust, dataset),
        "loss": losses | _public(ffnet.fitting, nn.modules.loss._Loss) | own,
        "regularizers": _public(ffnet.fitting, ffnet.fitting.Regularizer) | _public(ffnet.operators, nn.Module) | own,
        "optimizer": optimizers | own,
        "schedule": _public(lr_scheduler, lr_scheduler.LRScheduler) | own,
        "engine": _public(ffnet.fitting, ffnet.fitting.Engine) | own,
        "callbacks": quiet | _public(ffnet.training, Callback) | own,
    }


def _public(home: ModuleType, kind: type) -> dict[str, Callable[..., Any]]:
    """The public classes of ``kind`` in a module, by full name."""
    found = {name: getattr(home, name) for name in home.__all__}
    return {f"{home.__name__}.{name}": c for name, c in found.items() if isinstance(c, type) and issubclass(c, kind)}
