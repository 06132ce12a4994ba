"""Which classes settings that come out of a file may name."""

import importlib
from collections.abc import Iterable


def trusted_classes(names: Iterable[str]) -> list[type]:
    """The user's own classes, named by the user as ``module.Class``.

    Raises:
        ValueError: if there is no such class.
    """
    classes = []
    for name in names:
        module, _, attribute = name.rpartition(".")
        try:
            found = getattr(importlib.import_module(module), attribute)
        except (ImportError, AttributeError, ValueError) as error:
            raise ValueError(f"trust: cannot import {name!r} ({error}); is its folder on PYTHONPATH?") from error
        if not isinstance(found, type):
            raise ValueError(f"trust: expected a class, got {name!r}")
        classes.append(found)
    return classes


def known_targets(trust: Iterable[type]) -> set[str]:
    """Every ``_target_`` that the settings of a run to be resumed may name."""
    from lightning.pytorch import loggers
    from torch import nn, optim
    from torch.optim import lr_scheduler

    import ffnet.datasets
    import ffnet.training
    from ffnet.checkpoint import known_modules

    homes = {
        "ffnet.datasets": ffnet.datasets.__all__,
        "ffnet.training": ffnet.training.__all__,
        "torch.nn": nn.modules.loss.__all__,
        "torch.optim": [name for name in optim.__all__ if isinstance(getattr(optim, name), type)],
        "torch.optim.lr_scheduler": lr_scheduler.__all__,
        "lightning.pytorch.loggers": loggers.__all__,
        "lightning.pytorch": ["Trainer"],
    }
    return {f"{home}.{name}" for home, names in homes.items() for name in names} | set(known_modules(trust))
