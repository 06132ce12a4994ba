"""Which callbacks are called once per span of optimizer steps, and which after every step."""

from collections.abc import Iterable

from lightning.pytorch import Callback, Trainer
from lightning.pytorch.callbacks import Timer


class KnowsSpans(Callback):
    """A callback whose ``on_train_batch_end`` may be called after a span of several optimizer steps.

    It uses ``step``, ``due`` and ``stop_at`` of the module.
    """


def callbacks_of(trainer: Trainer) -> list[Callback]:
    """The trainer's callbacks, an attribute that Lightning does not declare."""
    callbacks: list[Callback] = trainer.callbacks  # type: ignore[attr-defined]
    return callbacks


def listeners(callbacks: Iterable[Callback]) -> list[Callback]:
    """The callbacks that listen to batches and are not ``KnowsSpans``: they are called after every optimizer step. A
    timer, such as that of ``trainer.max_time``, only looks at the clock."""
    hooks = ("on_train_batch_start", "on_train_batch_end")
    return [
        callback
        for callback in callbacks
        if not isinstance(callback, KnowsSpans | Timer)
        and any(getattr(type(callback), hook) is not getattr(Callback, hook) for hook in hooks)
    ]
