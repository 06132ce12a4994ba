"""Signals: the values of a file or array as tensors, and a record that turns a field back into a file."""

from ffnet.signals.audio import AudioRecord, AudioSignal
from ffnet.signals.base import Raster, Record, Surface
from ffnet.signals.image import ImageRecord, ImageSignal
from ffnet.signals.posed_views import PosedViews, ViewsRecord
from ffnet.signals.shape import ShapeRecord, ShapeSignal

__all__ = [
    "AudioRecord",
    "AudioSignal",
    "ImageRecord",
    "ImageSignal",
    "PosedViews",
    "Raster",
    "Record",
    "ShapeRecord",
    "ShapeSignal",
    "Surface",
    "ViewsRecord",
]
