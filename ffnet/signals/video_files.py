"""Reads and writes frames of videos through PyAV."""

import itertools
import math
import re
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from ffnet.atomic import replacing
from ffnet.budget import check, limit
from ffnet.signals.extras import library
from ffnet.signals.image_files import fitted_size

# Suffixes of videos that are written; a video of another kind becomes the first.
WRITTEN = (".mp4", ".gif")
# Constant rate factor of H.264: no difference is seen, and little is lost of what was fitted.
QUALITY = 12
# Bytes of a video: FFmpeg searches what follows its end for more.
LARGEST = 2**36
# Frames per second; players show a GIF of more than 50 slowly.
MOST_RATE, MOST_GIF = 1000, 50
# Seconds by which a time may be off by rounding.
TOLERANCE = 1e-6
# Seconds by which a video may be shorter than its tags say.
SLACK = 0.1


class Frames(NamedTuple):
    """A part of a video.

    Attributes:
        pixels: (frames, height, width, 3), RGB.
        rate: frames per second, on average.
    """

    pixels: UInt8[np.ndarray, "t h w 3"]
    rate: Fraction


def av(setting: str = "dataset=video") -> Any:
    """The library, which ``setting`` needs."""
    return library("av", setting, "video")


def read(path: Path, start: float = 0.0, duration: float | None = None, size: Any = None) -> Frames:
    """The frames from ``start`` on, in seconds, for ``duration`` or until the end.

    Args:
        path: the video. What it holds may not name other files, or places in a network.
        start, duration: the part, in seconds.
        size: [height, width] of the frames, or the length of their longer side; None is the video's.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no video, is truncated, or has no frames in this part.
    """
    pyav = av()
    if not path.is_file():
        raise FileNotFoundError(f"{path}: expected a video, found {'no file' if path.exists() else 'nothing'}")
    if path.stat().st_size == 0:
        raise ValueError(f"{path}: expected a video, is empty")
    if path.stat().st_size > LARGEST:
        raise ValueError(f"{path}: expected a video of at most {LARGEST} bytes, got {path.stat().st_size}")
    try:
        # Through a file object and with no protocol, so that playlists open nothing.
        with path.open("rb") as file, pyav.open(file, options={"protocol_whitelist": "none"}) as container:
            if not container.streams.video:
                raise ValueError(f"{path}: expected a video, found no video stream")
            return _decoded(path, container, start, duration, size)
    except pyav.FFmpegError as error:
        raise ValueError(f"{path}: expected a video that FFmpeg reads, whole ({error.strerror})") from error


def _decoded(path: Path, container: Any, start: float, duration: float | None, size: Any) -> Frames:
    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = stream.average_rate or stream.guessed_rate
    if not rate or not 0 < rate <= MOST_RATE:
        raise ValueError(f"{path}: expected at most {MOST_RATE} frames per second, got {rate}")
    height, width = stream.codec_context.height, stream.codec_context.width
    if height < 1 or width < 1:
        raise ValueError(f"{path}: expected frames with pixels, got {width} x {height}")
    check("pixels", height * width, f"{path}, of a frame")
    end = math.inf if duration is None else start + duration
    frames: list[np.ndarray] = []
    most = limit("pixels")
    for frame, time in _timed(path, container, start, rate):
        if time < start - TOLERANCE:
            continue
        if time >= end - TOLERANCE:
            break
        pixels = _pixels(frame, size)
        if frames and pixels.shape != frames[0].shape:
            raise ValueError(f"{path}: expected frames of one size, got others; say dataset.size=[HEIGHT,WIDTH]")
        frames.append(pixels)
        if most is not None and len(frames) * pixels.size > 3 * most:
            check("pixels", most + 1, f"{path}, in all frames; say dataset.duration=SECONDS or dataset.size")
    if not frames:
        raise ValueError(f"{path}: expected frames from {start:g} s on, found none")
    return Frames(np.stack(frames), Fraction(rate).limit_denominator(2**16))


def _timed(path: Path, container: Any, start: float, rate: Fraction) -> Iterator[tuple[Any, float]]:
    """Frames with the seconds at which they are shown, from the beginning or a key frame before ``start`` on."""
    stream = container.streams.video[0]
    first = float((stream.start_time or 0) * stream.time_base)
    if start > 0 and stream.time_base:
        container.seek(int((start + first) / stream.time_base), stream=stream, backward=True)
    count, time = itertools.count(), 0.0
    for packet in container.demux(stream):
        if packet.is_corrupt:
            raise ValueError(f"{path}: expected a whole video, is truncated or damaged")
        for frame in packet.decode():
            time = next(count) / float(rate) if frame.time is None else frame.time - first
            yield frame, time
    if time + 2 / float(rate) + SLACK < promised(stream) - first:
        raise ValueError(f"{path}: expected a whole video, is truncated after {time:.2f} s")


def promised(stream: Any) -> float:
    """The seconds at which Matroska's tags say that a stream ends; 0 if there are none."""
    found = re.fullmatch(r"(\d{1,4}):(\d\d):(\d\d\.\d{1,9})", stream.metadata.get("DURATION", ""))
    return 3600 * int(found[1]) + 60 * int(found[2]) + float(found[3]) if found else 0.0


def _pixels(frame: Any, size: Any) -> UInt8[np.ndarray, "h w 3"]:
    """RGB, upright, of the size."""
    turns = round(frame.rotation / 90) % 4
    own = (frame.width, frame.height) if turns % 2 else (frame.height, frame.width)
    height, width = own if size is None else fitted_size("size", size, own)
    check("pixels", height * width, "size")
    across, down = (height, width) if turns % 2 else (width, height)
    found = frame.reformat(across, down, "rgb24", interpolation="LANCZOS").to_ndarray()
    return np.ascontiguousarray(np.rot90(found, turns))


def check_rate(rate: Any, suffix: str) -> Fraction:
    """``rate`` as a fraction.

    Raises:
        ValueError: if videos with the suffix cannot have it.
    """
    most = MOST_GIF if suffix == ".gif" else MOST_RATE
    if type(rate) not in (int, float) or not 1 / MOST_RATE <= rate <= most:
        raise ValueError(f"rate: expected frames per second from {1 / MOST_RATE:g} to {most} in {suffix}, got {rate}")
    return Fraction(rate).limit_denominator(2**16)


def write(frames: Iterable[UInt8[np.ndarray, "h w 3"]], path: Path, size: tuple[int, int], rate: Fraction) -> None:
    """Writes RGB frames of ``size`` (height, width) as MP4 (H.264) or GIF, as the suffix says, atomically."""
    with replacing(path) as temporary:
        (_write_gif if path.suffix.lower() == ".gif" else _write_mp4)(frames, temporary, size, rate)


def _write_mp4(frames: Iterable[np.ndarray], path: Path, size: tuple[int, int], rate: Fraction) -> None:
    pyav = av()
    height, width = size
    with pyav.open(path, "w", format="mp4", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options={"crf": str(QUALITY)})
        stream.width, stream.height = width, height
        # Every player shows 4:2:0, which has even sides.
        stream.pix_fmt = "yuv444p" if height % 2 or width % 2 else "yuv420p"
        stream.time_base = stream.codec_context.time_base = 1 / rate
        for number, pixels in enumerate(frames):
            frame = pyav.VideoFrame.from_ndarray(np.ascontiguousarray(pixels), format="rgb24")
            frame.pts, frame.time_base = number, 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _write_gif(frames: Iterable[np.ndarray], path: Path, size: tuple[int, int], rate: Fraction) -> None:
    images = [Image.fromarray(pixels).quantize(256) for pixels in frames]
    # In hundredths of a second, rounded so that they add up.
    ends = [round(100 * number / rate) for number in range(len(images) + 1)]
    durations = [10 * (end - begin) for begin, end in itertools.pairwise(ends)]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0, optimize=False)
