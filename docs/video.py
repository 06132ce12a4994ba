"""Draws docs/video.png: frames of a video that is computed here, of its reconstruction and of the error.

    python docs/video.py docs/video.png

Three balls bounce in front of a pattern that moves. The video is written as MP4, and the fit reads that.
"""

import argparse
import tempfile
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
from matplotlib import pyplot

import ffnet
from ffnet.signals import VideoSignal
from ffnet.signals.video_files import write

FRAMES, HEIGHT, WIDTH, RATE = 60, 120, 200, 25
# Colour, radius, start and velocity in heights per video of each ball.
BALLS = (
    ((230, 80, 60), 0.16, (0.3, 0.5), (1.9, 1.3)),
    ((70, 160, 90), 0.11, (1.2, 0.2), (-1.4, 2.1)),
    ((240, 200, 70), 0.08, (0.8, 0.8), (2.6, -1.7)),
)


def bounced(place: float, low: float, high: float) -> float:
    """A place between two walls that a ball goes back and forth between."""
    there = (place - low) % (2 * (high - low))
    return low + min(there, 2 * (high - low) - there)


def video() -> Iterator[np.ndarray]:
    """Frames (height, width, 3)."""
    y, x = np.meshgrid((np.arange(HEIGHT) + 0.5) / HEIGHT, (np.arange(WIDTH) + 0.5) / HEIGHT, indexing="ij")
    for frame in range(FRAMES):
        time = frame / FRAMES
        waves = np.sin(30 * (x + 0.3 * time)) * np.sin(30 * y) + np.sin(40 * np.hypot(x - time, y - 0.5))
        picture = np.stack([70 + 20 * waves, 90 + 25 * waves, 130 + 35 * waves], axis=-1)
        for colour, radius, (left, top), (across, down) in BALLS:
            cx = bounced(left + across * time, radius, WIDTH / HEIGHT - radius)
            cy = bounced(top + down * time, radius, 1 - radius)
            edge = np.clip((radius - np.hypot(x - cx, y - cy)) * HEIGHT + 0.5, 0, 1)[..., None]
            light = 0.6 + 0.4 * np.clip(1 - np.hypot(x - cx + radius / 3, y - cy + radius / 3) / radius, 0, 1)
            picture = (1 - edge) * picture + edge * np.array(colour) * light[..., None]
        yield np.rint(picture.clip(0, 255)).astype(np.uint8)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("output", type=Path)
    output = parser.parse_args().output
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "video.mp4"
        write(video(), path, (HEIGHT, WIDTH), Fraction(RATE))
        run = ffnet.fit(path, dataset="video", progress=False)
        target = VideoSignal(path).pixels.numpy()
    fitted = run.reconstruction()
    error = np.clip(5 * np.abs(fitted.astype(int) - target), 0, 255).astype(np.uint8)
    rows = {"target": target, f"reconstruction, {run.metrics['psnr']:.1f} dB": fitted, "error, five times": error}
    figure, axes = pyplot.subplots(3, 4, figsize=(10, 4.9), layout="constrained")
    for line, (title, frames) in zip(axes, rows.items(), strict=True):
        for column, axis in enumerate(line):
            number = (2 * column + 1) * FRAMES // 8
            axis.imshow(frames[number])
            axis.set(title=title if column == 0 else f"{number / RATE:.2f} s", xticks=[], yticks=[])
    figure.savefig(output, dpi=80)
