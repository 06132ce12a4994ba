"""Audio: amplitudes over time."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ffnet.datasets.base import IN_MEMORY, Batch, Dataset, Evaluation, Source, located
from ffnet.datasets.checks import check_batch_size, check_part
from ffnet.operators import Operator, PointEvaluation
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.audio import AudioRecord, AudioSignal, times
from ffnet.signals.spectrogram import picture, spectrogram

if TYPE_CHECKING:
    from torchmetrics import Metric


# Seconds of sound that TensorBoard gets.
HEARD = 30


class Samples(Source):
    """The samples of a recording; values in [0, 1], of which 0.5 is silence."""

    targets: Tensor

    def __init__(self, values: Float[Tensor, "n c"]) -> None:
        super().__init__()
        self.hold("targets", values)
        self.size = len(values)
        self.grid: tuple[int] = (len(values),)

    def batch(self, index: Int[Tensor, "k"]) -> Batch:
        return Batch(times(index, self.size), self.targets[index])


class AudioDataset(Dataset):
    """Fits a recording: the coordinate is time, the values are the channels' amplitudes.

    Scores are ``snr`` and ``lsd``, the log-spectral distance, both in decibels.

    Args:
        path: a sound file that libsndfile reads; or floating-point amplitudes in memory, an array or tensor (samples,)
            or (samples, channels).
        rate: samples per second of amplitudes in memory.
        start, duration: the part to fit, in seconds; all that follows ``start`` if None.
        batch_size: samples in a training batch, drawn uniformly with replacement; None is all of them in every step.
        metrics: further torchmetrics metrics by name. They get the whole recording (1, channels, 1, samples) in [0, 1],
            where 0.5 is silence.
        operator: how training observes the field, in place of evaluation at points.
        sampler: which samples a step uses; replaces ``batch_size``, unless it takes it.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds no sound, or an argument is out of range.
    """

    record: AudioRecord
    source: Samples
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        start: float = 0.0,
        duration: float | None = None,
        batch_size: int | None = 16384,
        rate: int | None = None,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if path is None:
            raise ValueError("path: expected a recording, say dataset.path=FILE.wav")
        check_part(start, duration)
        check_batch_size(batch_size)
        self.path = located(path)
        signal = AudioSignal(self.path or path, start, duration, rate)
        from ffnet.metrics import SNR, LogSpectralDistance  # which takes seconds, hence after the file is read

        self.record = signal.record
        self.in_features, self.out_features = 1, self.record.channels
        self.source = Samples((signal.samples + 1) / 2)
        self.operator = operator or PointEvaluation()
        self.sampler = sampler_of(sampler, batch_size)
        self.metrics = {"snr": SNR(0.5)}
        whole = {"lsd": LogSpectralDistance(), **(metrics or {})}
        layout = (1, self.record.frames)
        self.add_evaluation(Evaluation("", self.source, {"snr": SNR(0.5)}, None, layout, whole))

    def mean(self) -> list[float]:
        return self.source.targets.mean(0).tolist()

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """Spectrograms of ``target``, ``reconstruction`` and their difference, ``error``."""
        target = self._target()
        fitted = self.record.reconstruct(field, self.source.targets.device) / self.record.peak
        drawn = {"target": target, "reconstruction": fitted, "error": fitted - target}
        return {name: torch.from_numpy(spectrogram(samples, max_side)) for name, samples in drawn.items()}

    def sounds(self, field: Callable[[Tensor], Tensor]) -> dict[str, tuple[Float[Tensor, "1 n"], int]]:
        """The first ``HEARD`` seconds of ``target`` and ``reconstruction``, the mean of their channels."""
        rate = self.record.rate
        fitted = self.record.reconstruct(field, self.source.targets.device, HEARD * rate) / self.record.peak
        heard = {"target": self._target()[: HEARD * rate], "reconstruction": fitted.clip(-1, 1)}
        return {name: (torch.from_numpy(samples.mean(1))[None], rate) for name, samples in heard.items()}

    def image(self) -> Image.Image:
        return picture(self._target())

    def _target(self) -> Float[np.ndarray, "n c"]:
        return 2 * self.source.targets.cpu().numpy() - 1

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        record = self.record
        seconds = record.frames / record.rate
        name = self.path.name if self.path else IN_MEMORY
        return f"{name}, {seconds:.2f} s, {record.channels} channels at {record.rate} Hz"
