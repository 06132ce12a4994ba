"""Signals: the values of a file or array as tensors, and a record that turns a field back into a file."""

from ffnet.signals.audio import AudioRecord, AudioSignal
from ffnet.signals.base import Raster, Record, Rendered, Surface
from ffnet.signals.distance import DistanceRecord
from ffnet.signals.image import ImageSignal
from ffnet.signals.image_record import ImageRecord
from ffnet.signals.kspace import ComplexRecord
from ffnet.signals.levelled import LevelledRecord
from ffnet.signals.posed_views import PosedViews
from ffnet.signals.scene import ViewsRecord
from ffnet.signals.shape import ShapeRecord, ShapeSignal
from ffnet.signals.video import VideoRecord, VideoSignal
from ffnet.signals.volume import ScalarVolumeRecord, VolumeRecord, VolumeSignal

__all__ = [
    "AudioRecord",
    "AudioSignal",
    "ComplexRecord",
    "DistanceRecord",
    "ImageRecord",
    "ImageSignal",
    "LevelledRecord",
    "PosedViews",
    "Raster",
    "Record",
    "Rendered",
    "ScalarVolumeRecord",
    "ShapeRecord",
    "ShapeSignal",
    "Surface",
    "VideoRecord",
    "VideoSignal",
    "ViewsRecord",
    "VolumeRecord",
    "VolumeSignal",
]
