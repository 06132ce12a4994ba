"""Loads fitted fields from checkpoints, for commands."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from torch import nn

    from ffnet.checkpoint import Checkpoint
    from ffnet.datasets import Dataset
    from ffnet.signals import Record


class Stored(NamedTuple):
    """A checkpoint: its path and contents, the field in evaluation mode, and the signal's record."""

    path: Path
    saved: "Checkpoint"
    field: "nn.Module"
    record: "Record | None"


def stored(checkpoint: str, trust: Iterable[str]) -> Stored:
    """Loads the checkpoint of a run directory, or a checkpoint file.

    Raises:
        OSError, ValueError: if there is none, it is damaged, or it names unknown classes.
    """
    from ffnet.checkpoint import Checkpoint, field_of, find, record_of
    from ffnet.cli.trust import trusted_classes

    path = find(checkpoint)
    saved, classes = Checkpoint.read(path), trusted_classes(trust)
    return Stored(path, saved, field_of(saved, str(path), classes), record_of(saved, str(path), classes))


def stored_dataset(saved: "Checkpoint", source: str, trust: Iterable[str], changes: dict[str, Any]) -> "Dataset":
    """The dataset that a run was fitted to, with ``changes`` to its arguments.

    Raises:
        OSError, ValueError, TypeError: if it names unknown classes or cannot be built.
    """
    from ffnet.checkpoint import build, refuse_unknown
    from ffnet.cli.trust import known_datasets, trusted_classes

    if not saved.settings:
        raise ValueError(f"{source}: has no dataset, as an exported file has none; name the run that it is from")
    spec = saved.settings.get("dataset")
    known = known_datasets(trusted_classes(trust), [spec, changes])
    if not isinstance(spec, dict) or "_target_" not in spec:
        raise ValueError(f"{source}: damaged checkpoint, has no dataset")
    refuse_unknown(spec, known, source)
    dataset: Dataset = build(spec | changes, known)
    operator = saved.tensors("dataset")
    if operator:
        dataset.load_state_dict(operator)
    return dataset


def check_fits(dataset: "Dataset", field: "nn.Module") -> None:
    """Raises ValueError if ``dataset`` is not one that ``field`` can be scored on."""
    if (dataset.in_features, dataset.out_features) != (field.in_features, field.out_features):
        raise ValueError(
            f"dataset: expected {field.out_features} values at points of {field.in_features} coordinates, "
            f"got {dataset.out_features} at {dataset.in_features}"
        )
    dataset.check(field)
