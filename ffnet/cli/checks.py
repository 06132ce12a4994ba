"""What is checked about settings that are valid one by one, before a run starts."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lightning.pytorch import Trainer

    from ffnet.datasets import Dataset
    from ffnet.fitting import Clipping

# Settings of the trainer that ffnet's step follows.
OF_THE_STEP = ("gradient_clip_val", "gradient_clip_algorithm", "accumulate_grad_batches")


@contextmanager
def numbers_checked(settings: dict[str, Any]) -> Iterator[None]:
    """Says in errors about the type of an optimizer's or schedule's argument which one is text.

    Raises:
        ValueError: if there is such an error.
    """
    try:
        yield
    except ValueError as error:
        part = str(error).partition(":")[0]
        if isinstance(error.__cause__, TypeError) and part in ("optimizer", "schedule"):
            for name, value in settings[part].items():
                if isinstance(value, str) and not name.startswith("_"):
                    raise ValueError(f"{part}.{name}: expected a number, got {value!r}") from error
        raise


def clipping(trainer: dict[str, Any]) -> "Clipping | None":
    """How the settings of the trainer clip gradients. Lightning's trainer does so in loops of its own only.

    Raises:
        ValueError: if they cannot be followed.
    """
    from ffnet.fitting import Clipping

    if trainer.get("accumulate_grad_batches", 1) != 1:
        raise ValueError(
            "trainer.accumulate_grad_batches: expected 1, since a step takes the gradient of its whole batch, whatever "
            "its size; raise dataset.batch_size instead"
        )
    limit, algorithm = trainer.get("gradient_clip_val"), trainer.get("gradient_clip_algorithm")
    if limit is None:
        return None
    if str(trainer.get("precision")) in ("16", "16-mixed"):
        raise ValueError("trainer.gradient_clip_val: expected null with float16, whose gradients are scaled")
    return Clipping(limit, "norm" if algorithm is None else algorithm)


def check_monitors(trainer: "Trainer", dataset: "Dataset") -> None:
    """Compares what callbacks of Lightning's monitor with the scores that there will be.

    Raises:
        ValueError: if one monitors another figure, or takes a worse score for a better one.
    """
    from lightning.pytorch.callbacks import EarlyStopping, ModelCheckpoint

    from ffnet.fitting import directions
    from ffnet.training import Target
    from ffnet.training.spans import callbacks_of

    scores = {f"val/{name}": higher for name, higher in directions(dataset).items()}
    for callback in callbacks_of(trainer):
        if isinstance(callback, Target):
            callback.watched(directions(dataset))
        if not isinstance(callback, EarlyStopping | ModelCheckpoint) or callback.monitor is None:
            continue
        name, monitor = type(callback).__name__, callback.monitor
        if monitor not in scores:
            raise ValueError(f"{name}: expected monitor to be one of {', '.join(scores)}, got {monitor!r}")
        best = {True: "max", False: "min", None: callback.mode}[scores[monitor]]
        if callback.mode != best:
            raise ValueError(f"{name}: expected mode={best} for {monitor}, got {callback.mode}")
