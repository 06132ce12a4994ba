"""``ffnet.fit``: the command line's bits, and nothing left behind."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
import warnings
import wave
from pathlib import Path

import lightning.pytorch  # noqa: F401 (which sets up loggers and warnings' filters when it is imported)
import numpy as np
import pytest
import torch
import tqdm
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from PIL import Image

import ffnet
from tests.conftest import SMALL, SMALL_SHAPE

QUIET = {"progress": False}
SIGNALS = {
    "image": SMALL,
    "shape": (
        *(override for override in SMALL_SHAPE if not override.startswith(("dataset.", "trainer.max_steps"))),
        "dataset.batch_size=64",
        "dataset.pool=1000",
        "dataset.scored_points=500",
        "dataset.resolution=16",
        "trainer.max_steps=20",
    ),
}
# What SMALL says, as keyword arguments.
SETTINGS = {
    "dataset": {"size": [24, 20], "batch_size": 64},
    "encoder": ("positional", {"num_frequencies": 4}),
    "model": {"hidden_features": 16, "hidden_layers": 1},
    "trainer": {"max_steps": 20, "accelerator": "cpu"},
    "callbacks": {"scalars": {"every_n_steps": 5}},
}


def state(run):
    """The weights, whether of a run or in a directory."""
    if isinstance(run, Path):
        return torch.cat([value.flatten() for value in ffnet.load(run).state_dict().values()])
    return torch.cat([value.flatten() for value in run.field.state_dict().values()])


def timeless(metrics):
    return {name: value for name, value in metrics.items() if "second" not in name}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def picture(path):
    pixels = np.random.default_rng(0).integers(0, 255, (16, 12, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return pixels


@pytest.mark.parametrize("signal", SIGNALS)
def test_it_gives_the_command_lines_bits_and_files(command, tmp_path, signal):
    assert command("fit", *SIGNALS[signal], "hydra.run.dir=command")[0] == 0
    run = ffnet.fit(directory="python", overrides=SIGNALS[signal], **QUIET)
    assert torch.equal(state(run), state(tmp_path / "command"))
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("command", "python"))
    assert timeless(one) == timeless(two)
    assert timeless(run.metrics) == timeless(two)

    # The same files, apart from Hydra's; and the other commands read them.
    def names(folder):
        return {path.name.partition(".tfevents")[0] for path in folder.rglob("*") if ".hydra" not in path.parts}

    assert names(tmp_path / "python") == names(tmp_path / "command") - {".hydra", "fit.log"}
    written = [next((tmp_path / name).glob("reconstruction.*")).read_bytes() for name in ("command", "python")]
    assert written[0] == written[1]
    code, out, _ = command("evaluate", "checkpoint=python")
    assert (code, json.loads(out)) == (0, pytest.approx({k: v for k, v in run.scores.items() if k in json.loads(out)}))
    points = torch.rand(5, run.field.in_features)
    assert torch.equal(ffnet.load(tmp_path / "python")(points), run.field(points))


def test_the_suffix_of_a_path_chooses_the_dataset(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(60, dtype=np.uint8).reshape(4, 5, 3))
    with wave.open(str(tmp_path / "tone.wav"), "wb") as file:
        file.setparams((1, 2, 8000, 600, "NONE", ""))
        file.writeframes((9999 * np.sin(np.arange(600) / 9)).astype("<i2").tobytes())
    for name, kind in (("a.npy", "Image"), ("tone.wav", "Audio")):
        settings = {"trainer": {"max_steps": 2}, "model": {"hidden_features": 16}}
        run = ffnet.fit(tmp_path / name, progress=False, **settings)
        assert run.settings["dataset"]["_target_"] == f"ffnet.datasets.{kind}Dataset"


def test_a_signal_in_memory_is_the_one_in_the_file(folder):
    pixels = picture(folder / "a.png")
    kinds = (pixels, torch.from_numpy(pixels), Image.fromarray(pixels), folder / "a.png", "a.png")
    settings = SETTINGS | {"dataset": {"batch_size": 64}}
    runs = [ffnet.fit(signal, **settings, **QUIET) for signal in kinds]
    assert all(torch.equal(state(run), state(runs[0])) for run in runs[1:])
    assert np.asarray(runs[0].reconstruction()).shape == pixels.shape
    assert [path.name for path in folder.iterdir()] == ["a.png"]  # nothing is written
    saved = runs[0].save("kept.ckpt")
    assert torch.equal(state(runs[0]), state(saved))


def sinogram(path):
    arrays = {"sinogram": np.linspace(0, 1, 20, dtype=np.float32).reshape(4, 5), "angles": np.arange(4) * np.pi / 4}
    np.savez(path, **arrays)
    return arrays


def kspace(path):
    arrays = {"kspace": np.fft.fftshift(np.fft.fft2(np.linspace(0, 1, 48).reshape(6, 8)))}
    np.savez(path, **arrays)
    return arrays


def sound(path):
    soundfile = pytest.importorskip("soundfile")
    samples = np.sin(np.arange(200, dtype=np.float32)).reshape(100, 2)
    soundfile.write(path, samples, 50, "FLOAT")
    return samples


def film(path):
    pytest.importorskip("av")
    frames = np.repeat(np.arange(0, 250, 50, dtype=np.uint8), 8 * 8 * 3).reshape(5, 8, 8, 3)
    shown = [Image.fromarray(frame) for frame in frames]
    shown[0].save(path, save_all=True, append_images=shown[1:], duration=100)
    return frames


def scene(path):
    pixels = np.random.default_rng(0).random((3, 4, 5, 3), dtype=np.float32)
    arrays = {"images": pixels, "poses": np.stack([np.eye(4, dtype=np.float32)] * 3), "focal": np.float64(5)}
    np.savez(path, **arrays)
    return arrays


MEASURED = {
    "nerf": (scene, "a.npz", {"held_out": 3}, {}),
    "ct": (sinogram, "a.npz", {"size": 8}, {}),
    "mri": (kspace, "a.npz", {}, {}),
    "audio": (sound, "a.wav", {}, {"rate": 50}),
    "video": (film, "a.gif", {}, {"rate": 10}),
}


@pytest.mark.parametrize("dataset", MEASURED)
def test_arrays_in_memory_are_those_in_the_file(folder, dataset):
    write, name, settings, rate = MEASURED[dataset]
    held = write(folder / name)
    shared = SETTINGS | {"trainer": {"max_steps": 3, "accelerator": "cpu"}}
    runs = [
        ffnet.fit(signal, **(shared | {"dataset": (dataset, settings | also)}), **QUIET)
        for signal, also in ((held, rate), (name, {}))
    ]
    assert torch.equal(state(runs[0]), state(runs[1]))
    ours, theirs = (np.asarray(run.reconstruction()) for run in runs)
    np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(ValueError, match="expected"):
        ffnet.fit(object(), **(shared | {"dataset": (dataset, settings | rate)}), **QUIET)


def test_a_mesh_in_memory_is_the_one_in_the_file(folder):
    import trimesh

    trimesh.creation.icosphere(subdivisions=1).export(folder / "ball.ply")
    overrides = SIGNALS["shape"][1:]
    runs = [
        ffnet.fit(signal, overrides=overrides, **settings, **QUIET)
        for signal, settings in ((trimesh.load(folder / "ball.ply"), {}), ("ball.ply", {"dataset": "occupancy"}))
    ]
    assert torch.equal(state(runs[0]), state(runs[1]))
    assert "chamfer" not in runs[0].metrics
    assert "<img" not in runs[0]._repr_html_()


def process() -> dict:
    """What a fit might leave behind in its process."""
    loggers = map(logging.getLogger, ("root", "lightning.pytorch", "lightning.fabric", "ffnet", "hydra"))
    hydra = GlobalHydra.instance()
    return {
        "hydra": (hydra.hydra, HydraConfig.instance().cfg),
        "random": random.getstate(),
        "numpy": [str(part) for part in np.random.get_state()],  # noqa: NPY002 (the global generator's)
        "torch": torch.get_rng_state().tolist(),
        "types": (torch.get_default_dtype(), torch.get_num_threads(), torch.get_float32_matmul_precision()),
        "modes": (torch.is_grad_enabled(), torch.are_deterministic_algorithms_enabled(), torch.is_autocast_enabled()),
        "loggers": [(one.name, one.level, list(one.handlers), one.disabled, one.propagate) for one in loggers],
        "warnings": list(warnings.filters),
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "environment": dict(os.environ),
        "here": (os.getcwd(), sorted(os.listdir())),
        "hooks": (sys.excepthook, sys.stdout, sys.stderr, threading.excepthook),
        "threads": [one for one in threading.enumerate() if not isinstance(one, tqdm.TMonitor)],  # of every tqdm bar
        "arguments": list(sys.argv),
    }


def test_it_runs_twice_to_the_same_bits_and_leaves_nothing_behind(folder):
    random.seed(3), np.random.seed(3), torch.manual_seed(3)  # noqa: NPY002 (likewise)
    before = process()
    runs = [ffnet.fit(**SETTINGS) for _ in range(2)]
    after = process()
    assert {key for key in before if before[key] != after[key]} == set()
    assert torch.equal(state(runs[0]), state(runs[1]))
    with pytest.raises(ValueError, match="there is no setting"):
        ffnet.fit(**SETTINGS, sede=3)
    # Another type of numbers that the user has set is neither used nor changed.
    torch.set_default_dtype(torch.float64)
    try:
        with torch.inference_mode():
            assert torch.equal(state(ffnet.fit(**SETTINGS)), state(runs[0]))
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_run_shows_itself(folder):
    run = ffnet.fit(**SETTINGS, **QUIET)
    assert [row["step"] for row in run.history] == [5, 10, 15, 20]
    assert all({"train/loss", "train/psnr"} <= set(row) for row in run.history)
    assert run.history[-1]["val/psnr"] == run.metrics["psnr"] == run.scores["psnr"]
    assert run.settings["model"]["encoder"]["num_frequencies"] == 4
    assert f"psnr {run.metrics['psnr']:.4g}; 20 steps" in repr(run)
    page = run._repr_html_()
    assert page.startswith('<div><img src="data:image/png;base64,')
    assert f"<td>psnr</td><td>{run.metrics['psnr']:.4g}</td>" in page


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("signal", "settings", "message"),
    [
        ("nowhere.png", {}, "no such file; expected an image"),
        (np.zeros((4, 4, 7), np.uint8), {}, r"expected .*got .*\(4, 4, 7\)"),
        (np.zeros((4,)), {}, r"expected .*got .*\(4,\)"),
        (np.full((4, 4), np.nan), {}, "expected finite values, found NaN"),
        (np.zeros((4, 5, 6)), {}, r'got \(4, 5, 6\); dataset="volume" and dataset="video" take more axes'),
        (np.zeros(9), {"dataset": ("audio", {"rate": 8})}, "recording: expected sound, every sample is 0"),
        (np.ones(9), {"dataset": "audio"}, "rate: expected the samples per second of a recording in memory, got None"),
        (np.ones(9, int), {"dataset": ("audio", {"rate": 8})}, "recording: expected floating-point amplitudes"),
        (
            np.ones((2, 3, 4)),
            {"dataset": ("video", {"rate": 8})},
            r"video: expected shape \(frames, height, width",
        ),
        (np.full((2, 3, 4, 3), 2.0), {"dataset": ("video", {"rate": 8})}, r"video: expected values in \[0, 1\]"),
        ({"sinogram": np.ones((3, 4))}, {"dataset": "ct"}, "signal: expected a sinogram .*, has no angles"),
        (None, {"sede": 3}, "there is no setting sede; did you mean seed"),
        (
            None,
            {"encoder": ("gaussian", {"sgima": 3})},
            "there is no setting encoder.sgima; did you mean encoder.sigma",
        ),
        (None, {"encoder": "fourier"}, "there is no encoder 'fourier'; expected one of"),
        (None, {"trainer": {"devices": 2, "accelerator": "cpu"}}, "trainer.devices: ffnet.fit uses one device"),
        (None, {"trainer": {"max_steps": 0}}, "trainer.max_steps: expected an integer of at least 1, or auto, got 0"),
        (None, {"overrides": ["a b"]}, "a b"),
        (None, {"config_dir": "nowhere"}, "expected a directory, got"),
    ],
)
def test_bad_input_is_a_value_error_of_one_line(folder, signal, settings, message):
    before = process()
    with pytest.raises(ValueError, match=message) as caught:
        ffnet.fit(signal, **settings, **QUIET)
    assert len(str(caught.value).splitlines()) == 1
    assert process() == before


def test_a_fit_that_diverges_says_so(folder):
    settings = SETTINGS | {"model": {"output_activation": None, "hidden_features": 16, "hidden_layers": 1}}
    with pytest.raises(FloatingPointError, match="try a lower learning rate"):
        ffnet.fit(**settings, optimizer={"lr": 1e30}, **QUIET)


PROGRAM = """
import hydra, ffnet
from hydra.core.hydra_config import HydraConfig

@hydra.main(version_base=None, config_path=None, config_name="theirs")
def main(config):
    before = HydraConfig.get()
    run = ffnet.fit(overrides={overrides!r}, progress=False)
    assert HydraConfig.get() == before
    assert HydraConfig.get().job.config_name == "theirs"
    hydra.utils.instantiate({{"_target_": "builtins.dict"}})
    print(f"psnr {{run.metrics['psnr']:.12f}} of {{config.name}}")

hydra.core.config_store.ConfigStore.instance().store("theirs", {{"name": "mine"}})
main()
"""


def test_it_runs_inside_of_somebody_elses_hydra(folder):
    (folder / "program.py").write_text(PROGRAM.format(overrides=list(SMALL)))
    done = subprocess.run([sys.executable, "program.py", "name=theirs"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"psnr {ffnet.fit(overrides=SMALL, **QUIET).metrics['psnr']:.12f} of theirs" in done.stdout
