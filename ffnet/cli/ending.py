"""Why a run ended before its last step."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lightning.pytorch import Trainer


def reason(trainer: "Trainer") -> str:
    """Why a callback asked ``trainer`` to stop: who it was, if it does not say."""
    from lightning.pytorch.callbacks import EarlyStopping, Timer

    from ffnet.training import Target
    from ffnet.training.spans import callbacks_of

    reasons = []
    for callback in callbacks_of(trainer):
        if isinstance(callback, Target) and callback.reason is not None:
            reasons.append(callback.reason)
        if isinstance(callback, EarlyStopping) and callback.stopping_reason_message is not None:
            reasons.append(callback.stopping_reason_message.removesuffix(" Signaling Trainer to stop.").rstrip("."))
        if isinstance(callback, Timer):
            remaining = callback.time_remaining()
            if remaining is not None and remaining <= 0:
                reasons.append(f"its time of {callback.time_elapsed() + remaining:.0f} s is up")
    return "; ".join(reasons) or "a callback asked for it"
