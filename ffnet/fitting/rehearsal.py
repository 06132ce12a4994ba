"""A step before training, to find settings that cannot work together."""

import copy
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from ffnet.datasets import Dataset
from ffnet.fitting.losses import Objective
from ffnet.fitting.precision import observed_type

# Queries of the rehearsed step.
FEW = 8


def rehearse(
    field: nn.Module,
    dataset: Dataset,
    objective: Objective,
    make_optimizer: Callable[[Iterable[tuple[str, nn.Parameter]]], Optimizer],
    make_schedule: Callable[[Optimizer], Any] | None,
) -> None:
    """Takes an optimizer step with a copy of ``field`` on a few queries; nothing remains of it.

    Raises:
        ValueError: if loss, regularizers, optimizer or schedule raise anything; the message names which.
    """
    twin = copy.deepcopy(field)
    batch = dataset.probe(FEW)
    generator = torch.Generator(batch.queries.device).manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # training says them again
        with _named("optimizer"):
            optimizer = make_optimizer(twin.named_parameters())
        with _named("schedule"):
            schedule = None if make_schedule is None else make_schedule(optimizer)
        with _named("loss"):
            loss = objective.data(observed_type(dataset.operator(twin, batch.queries)), batch.targets, None)
            loss.backward()
        with _named("regularizers"):
            if objective.regularizers:
                objective.regularization(twin, batch, generator).backward()
        with _named("optimizer"):
            optimizer.step()
        with _named("schedule"):
            if schedule is not None:
                schedule.step()


@contextmanager
def _named(part: str) -> Iterator[None]:
    """Says in errors which part they are of."""
    try:
        yield
    except Exception as error:  # also of classes of the user's
        kind = "" if isinstance(error, ValueError) else f"{type(error).__name__}: "
        raise ValueError(f"{part}: {kind}{error}") from error
