"""Videos: colours in a plane over time."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffnet.datasets.base import IN_MEMORY, Evaluation, located
from ffnet.datasets.checks import check_batch_size, check_part
from ffnet.datasets.voxels import VoxelDataset, Voxels
from ffnet.operators import Operator, PointEvaluation
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.video import VideoRecord, VideoSignal

if TYPE_CHECKING:
    from torchmetrics import Metric

# Pixels in all frames up to which frames are scored one by one: that takes 48 bytes a pixel.
SCORED = 2**25


class VideoDataset(VoxelDataset):
    """Fits a video: coordinates are (x, y, time), values are red, green and blue.

    Scores are ``psnr``, pooled over all frames, and the mean and the lowest of the frames' own, ``frame_psnr`` and
    ``worst_frame_psnr``; videos of more than ``SCORED`` pixels have the first alone.

    Args:
        path: a video that FFmpeg reads; or frames in memory, an array or tensor (frames, height, width, 3) of uint8 or
            of values in [0, 1].
        rate: frames per second of a video in memory.
        start, duration: the part to fit, in seconds; all that follows ``start`` if None.
        size: [height, width] to which frames are resized, or the length of the longer side; None keeps theirs.
        batch_size: pixels in a training batch, drawn uniformly with replacement; None is all of them in every step.
        metrics: further torchmetrics metrics by name, for the whole video (1, 3, frames, height, width) in [0, 1].
        operator: how training observes the field, in place of evaluation at points.
        sampler: which pixels a step uses, in place of ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no video, or an argument is out of range.
    """

    record: VideoRecord
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        start: float = 0.0,
        duration: float | None = None,
        size: int | Sequence[int] | None = None,
        batch_size: int | None = 16384,
        rate: float | None = None,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if path is None:
            raise ValueError("path: expected a video, say dataset.path=FILE.mp4")
        check_part(start, duration)
        check_batch_size(batch_size)
        self.path = located(path)
        signal = VideoSignal(self.path or path, start, duration, size, rate)
        from ffnet.metrics import PSNR, FramePSNR  # which takes seconds, hence after the file is read

        self.record = signal.record
        self.in_features, self.out_features = self.record.features
        self.source = Voxels(signal.pixels, 0, 255)
        self.operator = operator or PointEvaluation()
        self.sampler = sampler_of(sampler, batch_size)
        self.metrics = {"psnr": PSNR()}
        frames = {"frame_psnr": FramePSNR("mean"), "worst_frame_psnr": FramePSNR("min")}
        whole = {**(frames if self.source.size <= SCORED else {}), **(metrics or {})}
        self.add_evaluation(Evaluation("", self.source, {"psnr": PSNR()}, None, self.source.grid, whole))

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        record = self.record
        height, width = record.size
        name = self.path.name if self.path else IN_MEMORY
        seconds, rate = record.frames / float(record.fps), float(record.fps)
        return f"{name}, {record.frames} frames of {width} x {height} pixels, {seconds:.2f} s at {rate:g} Hz"
