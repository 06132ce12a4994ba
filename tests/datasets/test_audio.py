"""Recordings: what is read, refused, scored, written back and resumed."""

import io
import json
import math
import os
import re
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from ffnet.datasets import AudioDataset
from ffnet.fitting import evaluate
from ffnet.metrics import SNR, LogSpectralDistance
from ffnet.signals.resampling import resampled
from ffnet.signals.spectrogram import spectrogram

soundfile = pytest.importorskip("soundfile")
RATE = 8000


def tones(frames: int = 2000) -> np.ndarray:
    time = np.arange(frames) / RATE
    return np.stack([0.4 * np.sin(2 * np.pi * 440 * time), 0.2 * np.cos(2 * np.pi * 300 * time)], axis=1)


@pytest.fixture
def path(tmp_path):
    soundfile.write(tmp_path / "tones.flac", tones(), RATE, subtype="PCM_24")
    return tmp_path / "tones.flac"


def known(x):
    """The field that has the tones: 0.5 is silence, 1 the peak of 0.4."""
    time = (x[:, 0].double() * 2000 - 0.5) / RATE
    amplitudes = [0.4 * torch.sin(2 * math.pi * 440 * time), 0.2 * torch.cos(2 * math.pi * 300 * time)]
    return (torch.stack(amplitudes, dim=1) / 0.4 + 1).float() / 2


def test_a_field_that_knows_the_tones_scores_high_and_is_written_as_the_file_was(path, tmp_path):
    dataset = AudioDataset(path)
    scores = evaluate(known, dataset)
    assert scores["snr"] > 50
    assert scores["lsd"] < 1
    written = dataset.record.write(known, tmp_path)
    assert written == tmp_path / "reconstruction.flac"
    info = soundfile.info(written)
    assert (info.samplerate, info.channels, info.frames, info.subtype) == (RATE, 2, 2000, "PCM_24")
    np.testing.assert_allclose(soundfile.read(written)[0], tones(), atol=1e-3)
    views = dataset.views(known, 64)
    assert set(views) == {"target", "reconstruction", "error"}
    assert views["error"].mean() < views["target"].mean()


def test_a_part_is_cut_by_seconds(path):
    dataset = AudioDataset(path, start=0.1, duration=0.05)
    assert dataset.source.size == 400
    part = dataset.record.peak * (2 * dataset.source.targets.numpy() - 1)
    np.testing.assert_allclose(part, tones()[800:1200], atol=1e-6)


def test_snr_is_that_of_its_definition_in_batches_of_any_size():
    generator = torch.Generator().manual_seed(0)
    target = torch.rand(100, 2, generator=generator)
    prediction = target + 0.01 * torch.randn(100, 2, generator=generator)
    metric = SNR(0.5)
    for start, end in ((0, 7), (7, 60), (60, 100)):
        metric.update(prediction[start:end], target[start:end])
    one, two = prediction.double().numpy(), target.double().numpy()
    assert metric.compute().item() == pytest.approx(
        10 * np.log10(np.mean((two - 0.5) ** 2) / np.mean((one - two) ** 2))
    )


def test_half_the_amplitude_is_six_decibels_of_log_spectral_distance():
    noise = torch.randn(1, 20000, generator=torch.Generator().manual_seed(0))
    metric = LogSpectralDistance(floor=-200)
    metric.update(noise / 2, noise)
    assert metric.compute().item() == pytest.approx(20 * math.log10(2), abs=1e-3)


def sparse(path, head=b""):
    """A file of 2 TB that begins with ``head``."""
    path.write_bytes(head)
    os.truncate(path, 2 << 40)


def sound(path, samples, **options):
    soundfile.write(path, samples, RATE, **options)
    return path.read_bytes()


@pytest.fixture
def refused(tmp_path):
    """Files that are no sound, or not whole, by name, in a folder."""
    for name in ("whole.flac", "whole.wav", "whole.ogg"):
        data = sound(tmp_path / name, tones())
        (tmp_path / name.replace("whole", "cut")).write_bytes(data[: len(data) // 4])
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    for name, samples in (("none", np.zeros((0, 1))), ("silent", np.zeros(100)), ("nan", np.full(100, np.nan))):
        sound(tmp_path / f"{name}.wav", samples, subtype="FLOAT")
    sparse(tmp_path / "zeros.wav")
    sparse(tmp_path / "tail.ogg", sound(tmp_path / "whole.ogg", tones()))
    sparse(tmp_path / "tail.w64", sound(tmp_path / "whole.w64", tones()))
    return tmp_path


REFUSED = {
    "nowhere.wav": "expected a sound file, found nothing",
    ".": "expected a sound file, found no file",
    "empty.wav": "is empty",
    "text.wav": "expected a sound file such as WAV, FLAC or OGG (Format not recognised",
    "cut.flac": "cut.flac",
    "cut.wav": "is truncated",
    "cut.ogg": "cut.ogg",
    "none.wav": "expected at least 2 of 0 samples, got 0",
    "silent.wav": "every sample is 0",
    "nan.wav": "expected finite samples",
    "zeros.wav": "expected a sound file such as WAV, FLAC or OGG (Format not recognised",
    "tail.ogg": "expected an OGG file of at most 2147483648 bytes, got 2199023255552",
    "tail.w64": "expected at most 8388608 samples in time, got",
}


def test_what_is_no_sound_is_refused_without_being_read(refused):
    tracemalloc.start()
    for name, words in REFUSED.items():
        with pytest.raises((ValueError, OSError), match=re.escape(words)) as found:
            AudioDataset(refused / name)
        assert str(found.value).count("\n") == 0
    assert tracemalloc.get_traced_memory()[1] < 2**24
    tracemalloc.stop()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"start": -1}, "start: expected seconds in [0, 2^31), got -1"),
        ({"start": 1e308}, "start: expected seconds in [0, 2^31), got 1e+308"),
        ({"duration": 0}, "duration: expected seconds above 0, or null, got 0"),
        ({"duration": 1e-9}, "start, duration: expected at least 2 of 2000 samples, got 0"),
        ({"batch_size": 2**40}, "batch_size: expected at most 67108864 points"),
        ({"batch_size": 1.5}, "batch_size: expected an integer of at least 1, or null, got 1.5"),
    ],
)
def test_arguments_out_of_range_are_refused(path, arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AudioDataset(path, **arguments)


def test_files_of_programs_that_write_to_a_pipe_are_read(path, tmp_path):
    data = bytearray(sound(tmp_path / "a.wav", tones()))
    for name in (b"RIFF", b"data"):
        place = data.index(name) + 4
        data[place : place + 4] = b"\xff" * 4
    (tmp_path / "a.wav").write_bytes(data)
    assert AudioDataset(tmp_path / "a.wav").source.size == 2000


def test_six_channels_are_fitted_and_written(tmp_path):
    sound(tmp_path / "six.wav", np.tile(tones(), 3), subtype="PCM_24")
    dataset = AudioDataset(tmp_path / "six.wav")
    assert dataset.out_features == 6
    written = dataset.record.write(lambda x: known(x).tile(3), tmp_path)
    assert soundfile.info(written).subtype == "PCM_24"
    np.testing.assert_allclose(soundfile.read(written)[0], np.tile(tones(), 3), atol=1e-3)


def test_ogg_is_read_and_written(tmp_path):
    sound(tmp_path / "tones.ogg", tones(20_000))
    dataset = AudioDataset(tmp_path / "tones.ogg")
    values = dataset.source.targets
    written = dataset.record.write(lambda x: values[(x[:, 0] * len(values)).long()], tmp_path)
    assert (written.name, soundfile.info(written).format) == ("reconstruction.ogg", "OGG")
    error = soundfile.read(written)[0] - tones(20_000)
    assert np.square(error).mean() < 1e-2 * np.square(tones(20_000)).mean()


def test_a_missing_library_is_named_with_its_extra(path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ValueError, match=re.escape("dataset=audio needs soundfile: pip install 'ffnet[audio]'")):
        AudioDataset(path)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("rate", "name", "message"),
    [
        (0.5, "a.wav", "rate: expected a whole number of samples per second, got 0.5"),
        ("8k", "a.wav", "rate: expected a whole number of samples per second, got 8k"),
        (1_000_000, "a.flac", "FLAC (PCM_24) of 2 channels cannot have 1000000 samples per second"),
        (1e9, "a.wav", "rate, times the seconds and the channels: expected at most"),
        (8000, "a.png", "output: expected a name ending in .wav, .flac, .ogg, got"),
    ],
)
def test_rates_and_files_that_cannot_be_are_refused(path, tmp_path, rate, name, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AudioDataset(path).record.at_rate(rate, tmp_path / name)
    assert not (tmp_path / name).exists()


def test_the_spectrum_of_a_tone_is_one_bright_line():
    time = np.arange(60_000) / RATE
    picture = spectrogram(np.sin(2 * np.pi * 1000 * time)[:, None], 64)
    assert picture.shape[1] <= 64
    row = len(picture) - 1 - 1000 * 1024 // RATE  # from the bottom
    np.testing.assert_allclose(picture[row, 2:-2], 1, atol=0.01)  # 0 dB
    assert picture[: row - 4, 2:-2].max() == 0


@pytest.mark.parametrize("count", [500, 1500, 1501, 4001])
def test_resampling_keeps_the_tones_that_both_rates_have(count):
    """And takes away the one that the lower rate cannot have."""

    def waves(n, most):
        time = (np.arange(n)[:, None] + 0.5) / n
        return sum(np.cos(2 * np.pi * k * time + k) for k in (3, 100, 700) if 2 * k < min(n, most))

    np.testing.assert_allclose(resampled(waves(1501, 1501), count), waves(count, 1501), atol=1e-5)


SMALL = ("dataset.batch_size=512", "encoder.levels=6", "model.hidden_features=16", "model.hidden_layers=1")


def test_a_run_is_scored_shown_heard_and_exported(command, path, tmp_path):
    code, _, err = command("fit", str(path), *SMALL, "trainer.max_steps=40", "optimizer.lr=5e-2", "hydra.run.dir=run")
    assert (code, err) == (0, "")
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    assert metrics["snr"] > 3
    assert soundfile.info(tmp_path / "run" / "reconstruction.flac").frames == 2000
    events = EventAccumulator(str(tmp_path / "run")).Reload()
    assert {"sound/target", "sound/reconstruction"} == set(events.Tags()["audio"])
    assert {"view/target", "view/reconstruction", "view/error"} <= set(events.Tags()["images"])
    heard, rate = soundfile.read(io.BytesIO(events.Audio("sound/target")[-1].encoded_audio_string))
    assert rate == RATE
    np.testing.assert_allclose(heard, tones().mean(1) / 0.4, atol=1e-3)
    code, out, _ = command("evaluate", "run")
    assert code == 0
    assert json.loads(out)["snr"] == pytest.approx(metrics["snr"], abs=1e-9)
    assert command("export", "run", "output=a.safetensors")[0] == 0
    assert command("render", "run", "rate=12000", "output=a.ogg")[0] == 0
    assert (soundfile.info("a.ogg").frames, soundfile.info("a.ogg").samplerate) == (3000, 12000)
    code, _, err = command("render", "run", "size=[3,4]", "output=b.wav")
    assert (code, err) == (2, "ffnet render: size: expected null for a recording, got [3, 4]; rate=... sets its rate\n")
    assert command("report", "run", "output=a.html")[0] == 0
    assert len(re.findall("data:image/png", (tmp_path / "a.html").read_text())) == 2  # target and reconstruction


def test_a_refused_file_leaves_nothing(command, refused):
    before = set(refused.iterdir())
    code, _, err = command("fit", "tail.ogg")
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert set(refused.iterdir()) == before


@pytest.mark.long
@pytest.mark.parametrize(("name", "least"), [("counting", 30), ("bach", 35)])
def test_the_default_fits_real_recordings(command, shared, name, least):
    assert command("fit", str(shared / "data" / "audio" / f"gt_{name}.wav"), "hydra.run.dir=run")[0] == 0
    assert json.loads(Path("run/metrics.json").read_text())["snr"] > least
