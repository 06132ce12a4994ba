"""Metrics that torchmetrics does not have, or not with the same accuracy.

``psnr`` and ``iou`` are pure functions of pooled sums. ``PSNR`` and ``IoU`` are the corresponding
``torchmetrics.Metric`` classes, which import torchmetrics on first use.
"""

from typing import TYPE_CHECKING, Any

from ffnet.metrics.functional import iou, psnr

if TYPE_CHECKING:
    from ffnet.metrics.constant import OffsetPSNR
    from ffnet.metrics.frames import FramePSNR
    from ffnet.metrics.lengths import UnitLength
    from ffnet.metrics.overlap import IoU
    from ffnet.metrics.peak import PSNR
    from ffnet.metrics.sound import SNR, LogSpectralDistance

__all__ = [
    "PSNR",
    "SNR",
    "FramePSNR",
    "IoU",
    "LogSpectralDistance",
    "OffsetPSNR",
    "UnitLength",
    "iou",
    "psnr",
]


def __getattr__(name: str) -> Any:
    if name == "PSNR":
        from ffnet.metrics.peak import PSNR

        return PSNR
    if name == "FramePSNR":
        from ffnet.metrics.frames import FramePSNR

        return FramePSNR
    if name == "OffsetPSNR":
        from ffnet.metrics.constant import OffsetPSNR

        return OffsetPSNR
    if name == "UnitLength":
        from ffnet.metrics.lengths import UnitLength

        return UnitLength
    if name == "IoU":
        from ffnet.metrics.overlap import IoU

        return IoU
    if name in ("SNR", "LogSpectralDistance"):
        from ffnet.metrics import sound

        return getattr(sound, name)
    raise AttributeError(f"module 'ffnet.metrics' has no attribute {name!r}")
