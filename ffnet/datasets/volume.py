"""Volumes: values in space."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffnet.datasets.base import IN_MEMORY, Evaluation, located
from ffnet.datasets.checks import check_batch_size
from ffnet.datasets.voxels import VoxelDataset, Voxels
from ffnet.operators import Operator, PointEvaluation
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.volume import VolumeRecord, VolumeSignal

if TYPE_CHECKING:
    from torchmetrics import Metric


class VolumeDataset(VoxelDataset):
    """Fits a volume: coordinates are (x, y, z), values are the channels, with the range of the values as [0, 1].

    Args:
        path: NIfTI, a TIFF stack, ``.npy``, ``.npz``, HDF5 or zarr; or an array or tensor (depth, height, width[,
            channels]).
        key: the name of the array in an ``.npz``, HDF5 or zarr file; None is the only one with 3 or 4 axes.
        spacing: sides of a voxel along x, y, z, in place of the file's affine; None keeps that.
        level: the value at the surface that ``ffnet mesh`` extracts; None is halfway between the smallest and largest.
        batch_size: voxels in a training batch, drawn uniformly with replacement; None is all of them in every step.
        metrics: further torchmetrics metrics by name, for the whole volume (1, channels, depth, height, width) in
            [0, 1].
        operator: how training observes the field, in place of evaluation at points.
        sampler: which voxels a step uses, in place of ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no volume, or an argument is out of range.
    """

    record: VolumeRecord
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        key: str | None = None,
        spacing: Sequence[float] | None = None,
        level: float | None = None,
        batch_size: int | None = 16384,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if path is None:
            raise ValueError("path: expected a volume, say dataset.path=FILE.nii.gz")
        check_batch_size(batch_size)
        self.path = located(path)
        signal = VolumeSignal(self.path or path, key, spacing, level)
        from ffnet.metrics import PSNR  # which takes seconds, hence after the file is read

        self.record = signal.record
        self.in_features, self.out_features = self.record.features
        self.source = Voxels(signal.voxels, self.record.low, self.record.high)
        self.operator = operator or PointEvaluation()
        self.sampler = sampler_of(sampler, batch_size)
        self.metrics = {"psnr": PSNR()}
        self.add_evaluation(Evaluation("", self.source, {"psnr": PSNR()}, None, self.source.grid, metrics))

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        depth, height, width = self.record.size
        sides = " x ".join(f"{side:g}" for side in self.record.spacing)
        name = self.path.name if self.path else IN_MEMORY
        return (
            f"{name}, {width} x {height} x {depth} voxels of {sides} {self.record.unit or 'units'}, "
            f"{self.out_features} channels"
        )
