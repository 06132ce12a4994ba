"""Datasets: the signals that are fitted, with their coordinates, samplers and scores."""

from ffnet.datasets.base import Batch, Dataset
from ffnet.datasets.image import ImageDataset
from ffnet.datasets.occupancy import OccupancyDataset

__all__ = ["Batch", "Dataset", "ImageDataset", "OccupancyDataset"]
