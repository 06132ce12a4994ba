"""Recordings: what is read, refused, scored, written back and resumed."""

import json
import math

import numpy as np
import pytest
import torch

from ffnet.datasets import AudioDataset
from ffnet.fitting import evaluate
from ffnet.metrics import SNR, LogSpectralDistance

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


def test_what_is_no_sound_is_refused(path, tmp_path, command):
    (tmp_path / "empty.wav").touch()
    (tmp_path / "text.wav").write_text("no sound")
    (tmp_path / "cut.flac").write_bytes(path.read_bytes()[:1000])
    soundfile.write(tmp_path / "whole.wav", tones(), RATE)
    (tmp_path / "cut.wav").write_bytes((tmp_path / "whole.wav").read_bytes()[:1000])
    soundfile.write(tmp_path / "none.wav", np.zeros((0, 1)), RATE)
    soundfile.write(tmp_path / "silent.wav", np.zeros(100), RATE)
    soundfile.write(tmp_path / "nan.wav", np.full(100, np.nan), RATE, subtype="FLOAT")
    before = set(tmp_path.iterdir())
    for name, words in (
        ("nowhere.wav", "no such file"),
        ("empty.wav", "is empty"),
        ("text.wav", "expected a sound file"),
        ("cut.flac", "cut.flac"),
        ("cut.wav", "truncated"),
        ("none.wav", "expected at least 2"),
        ("silent.wav", "every sample is 0"),
        ("nan.wav", "expected finite samples"),
    ):
        code, _, err = command("fit", "dataset=audio", f"dataset.path={name}")
        assert (code, len(err.strip().splitlines())) == (2, 1), (name, err)
        assert words in err, (name, err)
    code, _, err = command("fit", "dataset=audio", f"dataset.path={path}", "limits.points=3999")
    assert (code, "limits.points" in err) == (2, True)
    assert set(tmp_path.iterdir()) == before


def test_fits_from_the_command_line_and_resumes_to_the_same_bits(command, path, tmp_path):
    small = [str(path), "dataset.batch_size=512", "logger=none", "schedule=constant", "encoder.levels=6"]
    small += ["encoder.max_resolution=2048", "model.hidden_features=16", "model.hidden_layers=1"]
    assert command("fit", *small, "trainer.max_steps=60", "hydra.run.dir=whole")[0] == 0
    assert command("fit", *small, "trainer.max_steps=23", "hydra.run.dir=parts")[0] == 0
    assert command("fit", "resume=parts", "trainer.max_steps=60")[0] == 0
    one, two = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "parts")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert metrics["snr"] > 10
    code, out, _ = command("evaluate", "checkpoint=whole")
    assert code == 0
    assert json.loads(out)["snr"] == pytest.approx(metrics["snr"], abs=1e-9)
