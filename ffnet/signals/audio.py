"""A recording: samples in time, from and to sound files."""

import io
import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.atomic import check_replaceable, replacing
from ffnet.budget import EVALUATIONS, check
from ffnet.signals.base import Field, Progress, Rendered, Rendering
from ffnet.signals.extras import library
from ffnet.signals.image_files import save_image, silent_stderr
from ffnet.signals.memory import array_of
from ffnet.signals.resampling import resampled
from ffnet.signals.spectrogram import picture

# What is written back as it was; anything else becomes a WAV file of floats. libsndfile's names.
WRITTEN = {
    "WAV": ("PCM_16", "PCM_24", "PCM_32", "PCM_U8", "FLOAT", "DOUBLE"),
    "FLAC": ("PCM_S8", "PCM_16", "PCM_24"),
    "OGG": ("VORBIS", "OPUS"),
}
# What a suffix says, if the recording was of another kind.
SUFFIXES = {".wav": ("WAV", "FLOAT"), ".flac": ("FLAC", "PCM_24"), ".ogg": ("OGG", "VORBIS")}
# WAV files with another header, as those of more than two channels have.
ALSO_WAV = ("WAVEX", "RF64")
# Frames written at once; libsndfile's encoder of OGG overflows its stack with long ones.
FRAMES = 2**14
# float32 tells so many places in [0, 1] apart.
MOST = 2**23
# Bytes of an OGG file, whose end libsndfile searches for when it opens one.
LARGEST_OGG = 2**31


def soundfile() -> Any:
    """The library."""
    return library("soundfile", "dataset=audio", "audio")


@dataclass(frozen=True)
class AudioRecord(Rendered):
    """What a checkpoint keeps of a recording.

    Attributes:
        frames: number of samples in time.
        channels: 1 is mono, 2 stereo.
        rate: samples per second.
        peak: the largest magnitude; the field's value 0 is ``-peak``, 0.5 is silence, 1 is ``peak``.
        container, subtype: of the file, in libsndfile's names; see ``WRITTEN``.
    """

    noun: ClassVar[str] = "a recording"

    frames: int
    channels: int
    rate: int
    peak: float
    container: str = "WAV"
    subtype: str = "FLOAT"

    def __post_init__(self) -> None:
        counts = (self.frames, self.channels, self.rate)
        whole = all(type(count) is int and 1 <= count < 2**31 for count in counts)
        if not whole or not 0 < self.peak < math.inf:
            raise ValueError(f"{self.frames} frames, {self.channels} channels, {self.rate} Hz, peak {self.peak}")
        if self.subtype not in WRITTEN.get(self.container, ()):
            raise ValueError(f"container {self.container}, subtype {self.subtype}")

    def values(self) -> str:
        return f"channels in [0, 1]: amplitude is {self.peak:g} (2 value - 1); the coordinate is time / duration"

    def reconstruct(
        self, field: Field, device: torch.device | str = "cpu", first: int | None = None
    ) -> Float[np.ndarray, "n c"]:
        """Amplitudes at the recording's own rate, of all samples or of at most the ``first`` ones."""
        frames = min(self.frames, first or self.frames)
        check("points", frames * self.channels, "the recording")
        parts = torch.arange(frames, device=device).split(EVALUATIONS)
        with torch.inference_mode():
            values = torch.cat([field(times(part, self.frames)).float() for part in parts])
        return self.peak * (2 * values.cpu().numpy() - 1)

    @property
    def features(self) -> tuple[int, int]:
        return 1, self.channels

    def rendering(self, settings: Mapping[str, Any], output: Path) -> Rendering:
        """At ``rate`` samples per second, or at ``scale`` times the recording's own rate."""
        for name in ("size", "longest", "crop"):
            if settings[name] is not None:
                raise ValueError(f"{name}: expected null for a recording, got {settings[name]}; rate=... sets its rate")
        rate, scale = settings["rate"], settings["scale"]
        if scale is not None and (type(scale) not in (int, float) or rate is not None):
            raise ValueError(f"scale: expected a number, or null together with rate, got {scale}")
        wanted = self.at_rate(self.rate * (1 if scale is None else scale) if rate is None else rate, output)

        def written(field: Field, device: torch.device | str, progress: Progress) -> str:
            samples = self.reconstruct(field, device)
            write_audio(samples if wanted.frames == self.frames else resampled(samples, wanted.frames), output, wanted)
            return f"{wanted.frames} samples at {wanted.rate} Hz"

        return written

    def at_rate(self, rate: float, path: Path) -> "AudioRecord":
        """The record of the same recording with another rate, in a file of the kind that the suffix of ``path`` says.

        Raises:
            OSError, ValueError: if there is none, or it cannot be written.
        """
        if type(rate) not in (int, float) or not 1 <= rate < 2**31 or round(rate) != rate:
            raise ValueError(f"rate: expected a whole number of samples per second, got {rate}")
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"output: expected a name ending in {', '.join(SUFFIXES)}, got {path}")
        container, subtype = SUFFIXES[path.suffix.lower()]
        subtype = self.subtype if container == self.container else subtype
        check_replaceable(path)
        frames = max(2, round(self.frames * rate / self.rate))
        check("points", frames * self.channels, "rate, times the seconds and the channels")
        library, options = soundfile(), {"format": container, "subtype": subtype}
        try:
            library.SoundFile(io.BytesIO(), "w", int(rate), self.channels, **options).close()
        except library.SoundFileError as error:
            raise ValueError(
                f"rate: {container} ({subtype}) of {self.channels} channels cannot have {rate} samples per second "
                f"({reason_of(error)})"
            ) from error
        return replace(self, frames=frames, rate=int(rate), container=container, subtype=subtype)

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        """Writes the sound, and its spectrogram as ``views.png``."""
        samples = self.reconstruct(field, device)
        path = directory / f"reconstruction.{self.container.lower()}"
        write_audio(samples, path, self)
        save_image(picture(samples / self.peak), directory / "views.png")
        return path


def times(index: Tensor, frames: int) -> Float[Tensor, "n 1"]:
    """The coordinates of samples, ``(i + 0.5) / n``."""
    return ((index.double() + 0.5) / frames).float()[:, None]


def write_audio(samples: Float[np.ndarray, "n c"], path: Path, record: AudioRecord) -> None:
    """Writes amplitudes as a file of the record's kind, atomically."""
    options = {"format": record.container, "subtype": record.subtype}
    with (
        replacing(path) as temporary,
        soundfile().SoundFile(temporary, "w", record.rate, samples.shape[1], **options) as file,
    ):
        for start in range(0, len(samples), FRAMES):
            file.write(samples[start : start + FRAMES])


class AudioSignal:
    """A sound file that libsndfile reads, such as WAV, FLAC or OGG, of any number of channels; or amplitudes in memory.

    Args:
        recording: the file; or an array or tensor (samples,) or (samples, channels) of floating-point amplitudes.
        start, duration: the part to read, in seconds; all that follows if ``duration`` is None.
        rate: samples per second of amplitudes in memory; a file has its own.

    Attributes:
        samples: (n, c), amplitudes divided by the peak, in [-1, 1].

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no sound, is truncated or silent, or the part lies outside.
    """

    def __init__(
        self, recording: Any, start: float = 0.0, duration: float | None = None, rate: int | None = None
    ) -> None:
        if isinstance(recording, Path):
            if rate is not None:
                raise ValueError(f"rate: expected null for a file, which has its own, got {rate}")
            name, (samples, rate, kind) = str(recording), read_audio(recording, start, duration)
        else:
            name, kind = "recording", ("WAV", "FLOAT")
            samples = _in_memory(recording)
            if type(rate) is not int or not 1 <= rate < 2**31:
                raise ValueError(f"rate: expected the samples per second of a recording in memory, got {rate}")
            first, count = part(name, len(samples), rate, start, duration)
            samples = samples[first : first + count]
        if not np.isfinite(samples).all():
            raise ValueError(f"{name}: expected finite samples, found NaN or infinity")
        peak = float(np.abs(samples).max())
        if peak == 0:
            raise ValueError(f"{name}: expected sound, every sample is 0")
        self.samples = torch.from_numpy(samples / np.float32(peak))
        self.record = AudioRecord(len(samples), samples.shape[1], rate, peak, *kind)


def read_audio(
    path: Path, start: float, duration: float | None
) -> tuple[Float[np.ndarray, "n c"], int, tuple[str, str]]:
    """Amplitudes of a part of a sound file, its rate, and the container and subtype in which it is written back."""
    library = soundfile()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a sound file, found {'no file' if path.exists() else 'nothing'}")
    check_bytes(path)
    try:
        with silent_stderr(), library.SoundFile(path) as file:  # libmpg123 prints
            rate, container, subtype = file.samplerate, file.format, file.subtype
            if truncated(file.extra_info):
                raise ValueError(f"{path}: is truncated, its header promises more samples")
            first, count = part(str(path), file.frames, rate, start, duration)
            check("points", count * file.channels, f"{path}, of samples")
            file.seek(first)
            samples = file.read(count, dtype="float32", always_2d=True)
    except library.SoundFileError as error:
        raise ValueError(f"{path}: expected a sound file such as WAV, FLAC or OGG ({reason_of(error)})") from error
    if len(samples) != count:
        raise ValueError(f"{path}: is truncated, expected {count} samples, got {len(samples)}")
    container = "WAV" if container in ALSO_WAV else container
    return samples, rate, (container, subtype) if subtype in WRITTEN.get(container, ()) else ("WAV", "FLOAT")


def _in_memory(recording: Any) -> Float[np.ndarray, "n c"]:
    samples = array_of("recording", recording)
    samples = samples[:, None] if samples.ndim == 1 else samples
    if samples.ndim != 2 or samples.size == 0:
        raise ValueError(f"recording: expected shape (samples,) or (samples, channels), got {samples.shape}")
    if samples.dtype.kind != "f":
        raise ValueError(f"recording: expected floating-point amplitudes, got {samples.dtype}")
    check("points", samples.size, "the recording, of samples")
    return samples.astype(np.float32)


def check_bytes(path: Path) -> None:
    """Raises ValueError if a file is empty, or takes libsndfile too long to open."""
    size = os.path.getsize(path)
    with path.open("rb") as file:
        head = file.read(4)
    if not head:
        raise ValueError(f"{path}: expected a sound file, is empty")
    if head == b"OggS" and size > LARGEST_OGG:
        raise ValueError(f"{path}: expected an OGG file of at most {LARGEST_OGG} bytes, got {size}")


def part(name: str, total: int, rate: int, start: float, duration: float | None) -> tuple[int, int]:
    """The first sample and the number of them in ``duration`` seconds from ``start`` on, of ``total``.

    Raises:
        ValueError: if they are too few or too many.
    """
    first = round(min(start * rate, total))
    count = total - first if duration is None else round(min(duration * rate, total - first))
    if count < 2:
        raise ValueError(f"start, duration: expected at least 2 of {total} samples, got {count}")
    if count > MOST:
        raise ValueError(f"{name}: expected at most {MOST} samples in time, got {count}; say dataset.duration=SECONDS")
    return first, count


def truncated(log: str) -> bool:
    """Whether a header promises more bytes than there are; libsndfile reads what is there and says so in its log only.

    Programs that write to a pipe promise the most that fits, and are believed.
    """
    sizes = [(int(told), int(true)) for told, true in re.findall(r": (\d+) \(should be (\d+)\)", log)]
    return any(told > true and told != 2**32 - 1 and told >> 12 != 0x7FFFF for told, true in sizes)


def reason_of(error: Exception) -> str:
    """The library's own words, without the path that it puts first."""
    return str(getattr(error, "error_string", error)).strip()
