"""Datasets: each combines the signal, operator, sampler and metrics of one task."""

from ffnet.datasets.audio import AudioDataset
from ffnet.datasets.base import Batch, Dataset, Evaluation, Held, Source, Stream
from ffnet.datasets.ct import CTDataset
from ffnet.datasets.gradient import GradientDataset
from ffnet.datasets.image import ImageDataset
from ffnet.datasets.inverse import InverseDataset
from ffnet.datasets.mapped import MappedImageDataset
from ffnet.datasets.mri import MRIDataset
from ffnet.datasets.nerf import NerfDataset
from ffnet.datasets.occupancy import OccupancyDataset
from ffnet.datasets.sdf import SDFDataset
from ffnet.datasets.tensors import TensorSource
from ffnet.datasets.video import VideoDataset
from ffnet.datasets.volume import VolumeDataset

__all__ = [
    "AudioDataset",
    "Batch",
    "CTDataset",
    "Dataset",
    "Evaluation",
    "GradientDataset",
    "Held",
    "ImageDataset",
    "InverseDataset",
    "MRIDataset",
    "MappedImageDataset",
    "NerfDataset",
    "OccupancyDataset",
    "SDFDataset",
    "Source",
    "Stream",
    "TensorSource",
    "VideoDataset",
    "VolumeDataset",
]
