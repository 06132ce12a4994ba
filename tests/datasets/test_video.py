"""Videos: what is read, refused, scored, shown, written, rendered and resumed."""

import json
import math
import os
import re
import sys
import tracemalloc
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ffnet.datasets import VideoDataset
from ffnet.fitting import evaluate
from ffnet.metrics import FramePSNR

av = pytest.importorskip("av")

FRAMES, HEIGHT, WIDTH, RATE = 12, 16, 24, 8
OWN = {"rate": None, "longest": None, "crop": None, "size": None, "scale": None}


def colours(x: np.ndarray, y: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Smooth colours (..., 3) in [0, 1] at places and times in [0, 1]; none of the axes can be turned or exchanged."""
    return np.stack([0.2 + 0.6 * x, 0.8 - 0.5 * y * x, 0.1 + 0.8 * t + 0 * x], axis=-1)


def frames(count: int = FRAMES, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    centres = [(np.arange(n) + 0.5) / n for n in (count, height, width)]
    t, y, x = np.meshgrid(*centres, indexing="ij")
    return np.rint(255 * colours(x, y, t)).astype(np.uint8)


def known(x):
    """The field that has the colours."""
    return torch.from_numpy(colours(*x.double().numpy().T)).float()


def video(path, pixels, rate=RATE, codec="libx264", pix_fmt="yuv444p", **options):
    """Writes a video by PyAV, and returns its bytes."""
    with av.open(str(path), "w", options=options) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.height, stream.width = pixels.shape[1:3]
        stream.pix_fmt = pix_fmt
        if codec == "libx264":
            stream.options = {"crf": "1"}
        for frame in pixels:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode())
    return path.read_bytes()


def decoded(path) -> tuple[np.ndarray, Fraction, float]:
    """Pixels, frames per second, and seconds, by PyAV alone."""
    with av.open(str(path)) as container:
        pixels = np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])
        return pixels, container.streams.video[0].average_rate, container.duration / av.time_base


@pytest.fixture
def path(tmp_path):
    video(tmp_path / "video.mp4", frames())
    return tmp_path / "video.mp4"


def test_a_field_that_knows_the_colours_scores_high_and_is_written_with_the_duration(path, tmp_path):
    dataset = VideoDataset(path)
    scores = evaluate(known, dataset)
    assert set(scores) == {"psnr", "frame_psnr", "worst_frame_psnr"}
    assert 40 < scores["worst_frame_psnr"] <= scores["psnr"]
    written = dataset.record.write(known, tmp_path)
    assert written == tmp_path / "reconstruction.mp4"
    pixels, rate, seconds = decoded(written)
    assert (pixels.shape, rate, seconds) == ((FRAMES, HEIGHT, WIDTH, 3), RATE, FRAMES / RATE)
    assert np.abs(pixels.astype(float) - frames()).mean() < 3
    np.testing.assert_array_equal(dataset.record.reconstruct(known), frames())


def test_a_part_is_cut_by_seconds(path):
    whole, part = VideoDataset(path), VideoDataset(path, start=0.5, duration=0.75)
    np.testing.assert_array_equal(part.source.values, whole.source.values[4:10])
    assert part.record.frames == 6


def test_a_part_that_does_not_begin_at_a_key_frame_is_that_of_the_whole(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (60, 16, 16, 3), dtype=np.uint8)
    video(tmp_path / "long.mp4", noise, 30)
    whole = VideoDataset(tmp_path / "long.mp4").source.values
    part = VideoDataset(tmp_path / "long.mp4", start=1.5, duration=0.2).source.values
    np.testing.assert_array_equal(part, whole[45:51])


def test_frames_are_resized(path):
    for size, expected in (([8, 12], (8, 12)), (12, (8, 12))):
        dataset = VideoDataset(path, size=size)
        assert dataset.record.size == expected
        assert evaluate(known, dataset)["psnr"] > 33


@pytest.mark.parametrize(("name", "options"), [("a.mkv", {}), ("a.avi", {"codec": "mpeg4", "pix_fmt": "yuv420p"})])
def test_other_kinds_are_read(tmp_path, name, options):
    video(tmp_path / name, frames(), **options)
    dataset = VideoDataset(tmp_path / name)
    assert (dataset.source.grid, dataset.record.fps) == ((FRAMES, HEIGHT, WIDTH), RATE)
    assert evaluate(known, dataset)["psnr"] > 28


def test_a_gif_is_read_and_written(tmp_path):
    images = [Image.fromarray(frame) for frame in frames()]
    images[0].save(tmp_path / "a.gif", save_all=True, append_images=images[1:], duration=120)
    dataset = VideoDataset(tmp_path / "a.gif")
    assert dataset.source.grid == (FRAMES, HEIGHT, WIDTH)
    written = dataset.record.write(known, tmp_path)
    assert written == tmp_path / "reconstruction.gif"
    with Image.open(written) as found:
        durations = []
        for index in range(found.n_frames):
            found.seek(index)
            durations.append(found.info["duration"])
        assert found.n_frames == FRAMES
        assert sum(durations) == pytest.approx(120 * FRAMES, abs=10)


def test_turned_videos_are_upright(tmp_path):
    video(tmp_path / "a.mp4", frames())
    data = (tmp_path / "a.mp4").read_bytes()
    one, zero, minus = (value.to_bytes(4, "big", signed=True) for value in (1 << 16, 0, -(1 << 16)))
    upright, turned = one + zero * 3 + one, zero + one + zero + minus + zero
    place = data.index(upright, data.index(b"tkhd"))
    (tmp_path / "b.mp4").write_bytes(data[:place] + turned + data[place + 20 :])
    plain, found = (VideoDataset(tmp_path / name) for name in ("a.mp4", "b.mp4"))
    assert found.record.size == (WIDTH, HEIGHT)  # a quarter clockwise
    np.testing.assert_array_equal(found.source.values, plain.source.values.rot90(-1, (1, 2)))


def test_videos_are_rendered_at_any_rate_and_size(path, tmp_path):
    record = VideoDataset(path).record
    for settings, name, shape, rate in (
        ({"rate": 30, "scale": 2}, "a.mp4", (45, 32, 48, 3), 30),
        ({"size": [9, 15]}, "b.mp4", (12, 9, 15, 3), 8),
        ({"rate": 23.976, "longest": 48}, "c.mp4", (36, 32, 48, 3), 23.976),
        ({"rate": 25}, "d.gif", (38, 16, 24, 3), 25),
    ):
        said = record.rendering({**OWN, **settings}, tmp_path / name)(known, "cpu", lambda items: items)
        pixels, found, seconds = decoded(tmp_path / name)
        assert pixels.shape == shape
        assert float(found) == pytest.approx(rate, rel=1e-4)
        assert seconds == pytest.approx(shape[0] / rate, abs=0.02)
        assert said.startswith(f"{shape[0]} frames of {shape[2]} x {shape[1]} pixels")
        assert np.abs(pixels.astype(float) - frames(*shape[:3])).mean() < 4


def test_the_psnr_of_frames_is_that_of_its_definition():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(1, 3, 5, 4, 6, generator=generator)
    noise = torch.randn(target.shape, generator=generator) * torch.arange(1, 6).view(1, 1, 5, 1, 1) / 100
    squares = (noise + target - target).double().square().numpy().mean((0, 1, 3, 4))
    for over, expected in (("mean", -10 * np.log10(squares)), ("min", [-10 * np.log10(squares.max())])):
        metric = FramePSNR(over)
        metric.update(target + noise, target)
        assert metric.compute().item() == pytest.approx(np.mean(expected), abs=1e-4)
        assert len(metric.frames()) == 5


def sparse(path, head=b""):
    """A file of 2 TB that begins with ``head``."""
    path.write_bytes(head)
    os.truncate(path, 2 << 40)


@pytest.fixture
def refused(tmp_path):
    """Files that are no video, or not whole, by name, in a folder."""
    noise = np.random.default_rng(0).integers(0, 256, (12, 16, 16, 3), dtype=np.uint8)
    data = video(tmp_path / "whole.mp4", noise, movflags="faststart")
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) * 2 // 3])
    data = video(tmp_path / "end.mp4", noise)
    (tmp_path / "cut_end.mp4").write_bytes(data[: len(data) * 2 // 3])
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "text.mp4").write_text("no video" * 99)
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode())
    sparse(tmp_path / "zeros.mp4")
    data = video(tmp_path / "whole.mkv", noise)
    (tmp_path / "cut.mkv").write_bytes(data[: len(data) * 2 // 3])
    sparse(tmp_path / "tail.mkv", data)
    (tmp_path / "list.txt").write_text(f"ffconcat version 1.0\nfile '{tmp_path}/whole.mp4'\n")
    name = tmp_path / "whole.mp4"
    (tmp_path / "list.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\nfile:{name}\n#EXT-X-ENDLIST\n")
    return tmp_path


REFUSED = {
    "nowhere.mp4": "expected a video, found nothing",
    ".": "expected a video, found no file",
    "empty.mp4": "expected a video, is empty",
    "text.mp4": "expected a video that FFmpeg reads, whole (Invalid data",
    "cut.mp4": "cut.mp4: expected a ",
    "cut.mkv": "expected a whole video, is truncated after ",
    "cut_end.mp4": "expected a video that FFmpeg reads, whole (Invalid data",
    "sound.mp4": "expected a video, found no video stream",
    "zeros.mp4": "expected a video of at most 68719476736 bytes, got 2199023255552",
    "tail.mkv": "expected a video of at most 68719476736 bytes, got",
    "list.txt": "expected a video that FFmpeg reads, whole (Operation not permitted",
    "list.m3u8": "list.m3u8: expected a video",
}


def test_what_is_no_video_is_refused_without_being_read(refused, capfd):
    tracemalloc.start()
    for name, words in REFUSED.items():
        with pytest.raises((ValueError, OSError), match=re.escape(words)) as found:
            VideoDataset(refused / name)
        assert str(found.value).count("\n") == 0
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": -1}, "start: expected seconds in [0, 2^31), got -1"),
        ({"start": 1e308}, "start: expected seconds in [0, 2^31), got 1e+308"),
        ({"start": 99}, "expected frames from 99 s on, found none"),
        ({"duration": 0}, "duration: expected seconds above 0, or null, got 0"),
        ({"duration": math.nan}, "duration: expected seconds above 0, or null, got nan"),
        ({"duration": 1e-9}, "expected frames from 0 s on, found none"),
        ({"size": [0, 3]}, "size: expected [height, width] of at least 1 pixel each, got [0, 3]"),
        ({"size": 2**20}, "size: expected at most 268435456 pixels"),
        ({"batch_size": 1.5}, "batch_size: expected an integer of at least 1, or null, got 1.5"),
    ],
)
def test_arguments_out_of_range_are_refused(path, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        VideoDataset(path, **arguments)


def test_a_missing_library_is_named_with_its_extra(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=re.escape("dataset=video needs av: pip install 'ffnet[video]'")):
        VideoDataset(path)


@pytest.mark.parametrize(
    ("settings", "name", "message"),
    [
        ({"rate": 0}, "a.mp4", "rate: expected frames per second from 0.001 to 1000 in .mp4, got 0"),
        ({"rate": "25"}, "a.mp4", "rate: expected frames per second from 0.001 to 1000 in .mp4, got 25"),
        ({"rate": 60}, "a.gif", "rate: expected frames per second from 0.001 to 50 in .gif, got 60"),
        ({"crop": [1, 2]}, "a.mp4", "crop: expected null for a video, got [1, 2]"),
        ({"scale": 2, "size": [1, 2]}, "a.mp4", "scale: expected null together with size, got 2"),
        ({"scale": 0}, "a.mp4", "scale: expected a number above 0, got 0"),
        ({"longest": 2**20}, "a.mp4", "longest, of a frame: expected at most 268435456 pixels"),
        ({}, "a.png", "output: expected a name ending in .mp4, .gif, got"),
        ({}, "nowhere/a.mp4", "nowhere is not a directory"),
    ],
)
def test_rates_sizes_and_files_that_cannot_be_are_refused(path, tmp_path, settings, name, message):
    with pytest.raises((ValueError, OSError), match=re.escape(message)):
        VideoDataset(path).record.rendering({**OWN, **settings}, tmp_path / name)
    assert not (tmp_path / name).exists()


SMALL = ("dataset.batch_size=512", "encoder.levels=3", "encoder.max_resolution=24", "model.hidden_features=16")
SMALL += ("trainer.max_steps=40", "optimizer.lr=2e-2", "hydra.run.dir=run")


def test_a_run_is_scored_shown_rendered_and_exported(command, path, tmp_path):
    code, _, err = command("fit", str(path), *SMALL)
    assert (code, err) == (0, "")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["psnr"] > 20
    assert decoded("run/reconstruction.mp4")[2] == FRAMES / RATE
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert {"view/target", "view/reconstruction", "view/error"} <= set(events.Tags()["images"])
    code, out, _ = command("evaluate", "run")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(metrics["psnr"], abs=1e-9)
    assert command("export", "run", "output=a.safetensors")[0] == 0
    assert command("render", "run", "rate=16", "scale=2", "output=a.mp4")[0] == 0
    assert decoded("a.mp4")[0].shape == (24, 32, 48, 3)
    code, _, err = command("render", "run", "output=b.wav")
    assert (code, err.count("\n")) == (2, 1)
    assert command("report", "run", "output=a.html")[0] == 0
    assert len(re.findall("data:image/png", (tmp_path / "a.html").read_text())) == 2  # target and reconstruction


def test_a_refused_file_leaves_nothing(command, refused):
    before = set(refused.iterdir())
    for name in ("cut.mp4", "sound.mp4"):
        code, _, err = command("fit", name)
        assert (code, len(err.strip().splitlines())) == (2, 1)
    assert set(refused.iterdir()) == before


@pytest.mark.long
def test_the_default_fits_a_video(command, shared):
    path = shared / "data" / "video" / "bikes.mp4"
    assert command("fit", str(path), "dataset.duration=4", "dataset.size=320", "hydra.run.dir=run")[0] == 0
    assert json.loads(Path("run/metrics.json").read_text())["psnr"] > 30
    assert decoded("run/reconstruction.mp4")[2] == pytest.approx(4)
