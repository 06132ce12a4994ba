"""Fits that a kill must not change: every encoder, model, recipe, experiment and kind of dataset, in small."""

import importlib.util
import wave
from pathlib import Path

import numpy as np

from ffnet.resources import resource

# Overrides that make each fit take a moment. What a case says comes after and wins.
COMMON = (
    "model.hidden_features=16",
    "trainer.max_steps=40",
    "trainer.accelerator=cpu",
    "callbacks.checkpoints.every_n_steps=5",
    "callbacks.scalars.every_n_steps=10",
    "callbacks.evaluation.every_n_steps=20",
    "callbacks.views.every_n_steps=20",
)
IMAGE = ("dataset.size=[24,20]", "dataset.batch_size=64")
SHAPE = (
    "dataset=occupancy",
    "dataset.batch_size=256",
    "dataset.scored_points=500",
    "dataset.resolution=16",
    "encoder=positional",
    "encoder.num_frequencies=2",
)
INVERSE = ("dataset=inverse", "dataset.size=[16,12]", "dataset.factor=2", "dataset.batch_size=32")
MRI = ("dataset=mri", "dataset.size=16", "encoder.num_frequencies=16")
CT = ("dataset=ct", "dataset.size=16", "dataset.angles=6", "dataset.batch_size=32", "encoder.num_frequencies=16")
GRADIENT = ("dataset=gradient", "dataset.size=[24,20]", "dataset.batch_size=64", "encoder.levels=3")
SDF = (
    "dataset=sdf",
    "dataset.batch_size=128",
    "dataset.scored_points=500",
    "dataset.resolution=16",
    "dataset.pool=2048",
)
SDF += ("regularizers.eikonal.points=32", "regularizers.normals.points=32")
NERF = ("dataset=nerf", "dataset.path=views.npz", "dataset.batch_size=16", "dataset.operator.samples=8")
NERF += ("dataset.operator.cells=4", "dataset.operator.every_n_steps=7", "encoder.num_frequencies=3")
AUDIO = ("dataset=audio", "dataset.path=tone.wav", "dataset.batch_size=64", "encoder.min_resolution=16")
VOLUME = ("dataset=volume", "dataset.path=grid.npy", "dataset.batch_size=64")
VIDEO = ("dataset=video", "dataset.path=clip.y4m", "dataset.batch_size=64")
MAPPED = ("dataset=mapped", "dataset.path=pixels.npy", "dataset.batch_size=64", "encoder.levels=3")
# Files that the fits read.
INPUTS = ("views.npz", "tone.wav", "grid.npy", "clip.y4m", "pixels.npy")


def _names(group: str) -> list[str]:
    return sorted(path.stem for path in (resource("conf") / group).glob("*.yaml"))


def cases() -> dict[str, tuple[str, ...]]:
    """The overrides of each fit, by name."""
    found = {f"encoder={name}": (*IMAGE, f"encoder={name}") for name in _names("encoder")}
    # Harmonics are of three coordinates.
    pooled, fresh = (*SHAPE, "dataset.pool=2048"), (*SHAPE, "dataset.pool=null")
    found["encoder=spherical_harmonics"] = (*(o for o in pooled if "encoder" not in o), "encoder=spherical_harmonics")
    found["encoder=annealed, share=1"] = (*IMAGE, "encoder=annealed", "encoder.share=1.0")
    found |= {f"model={name}": (*IMAGE, f"model={name}") for name in _names("model")}
    found |= {f"recipe={name}": (f"recipe={name}", *IMAGE) for name in ("fast", "quality")}
    found["recipe=shape"] = ("recipe=shape", *fresh)
    for name in ("natural", "text"):
        found[f"experiment=tancik2020/{name}"] = (f"experiment=tancik2020/{name}", "dataset.size=[24,20]")
    found["experiment=tancik2020/shape"] = (
        *(
            "experiment=tancik2020/shape",
            "dataset.batch_size=256",
            "dataset.scored_points=500",
            "dataset.resolution=16",
        ),
        *("model.hidden_layers=2", "encoder.num_frequencies=8"),
    )
    found["dataset=image, split=half"] = (*IMAGE, "dataset.split=half")
    found["dataset=image, whole batch"] = ("dataset.size=[24,20]", "dataset.batch_size=null")
    found["sampler=importance"] = (*IMAGE, "sampler=importance", "dataset.sampler.cells=50")
    found["dataset=occupancy, pool"] = pooled
    found["dataset=occupancy, fresh"] = fresh
    found["dataset=ct"] = CT
    found["dataset=ct, fan, photons"] = (*CT, "dataset.geometry=fan", "dataset.counts=1e4")
    found["dataset=mri"] = MRI
    for problem in ("inpainting", "superresolution", "deblurring"):
        found[f"dataset=inverse, {problem}"] = (*INVERSE, f"dataset.problem={problem}", "encoder.num_frequencies=16")
    found["dataset=gradient"] = GRADIENT
    found["dataset=sdf"] = SDF
    found["dataset=nerf"] = NERF
    found["dataset=nerf, first pass"] = (*NERF, "dataset.operator.coarse=4")
    found["dataset=nerf, recipe=fast"] = ("recipe=fast", *NERF[:-1], "encoder.max_resolution=16")
    found["experiment=tancik2020/nerf"] = ("experiment=tancik2020/nerf", *NERF[1:])
    found["dataset=mapped"] = MAPPED
    if importlib.util.find_spec("soundfile"):
        found["dataset=audio"] = AUDIO
    found["dataset=volume"] = VOLUME
    if importlib.util.find_spec("av"):
        found["dataset=video"] = VIDEO
    found["callbacks=kernel"] = (
        *IMAGE,
        "callbacks=kernel",
        "callbacks.kernel.points=16",
        "callbacks.kernel.band_points=64",
    )
    found["callbacks=ema"] = (*IMAGE, "callbacks=ema", "encoder=annealed")
    found["regularizers, bfloat16"] = (
        *IMAGE,
        "+regularizers.tv._target_=ffnet.fitting.TotalVariation",
        "+regularizers.tv.weight=1e-3",
        "+regularizers.tv.points=16",
        "precision=bf16-mixed",
    )
    return {name: _arranged(overrides) for name, overrides in found.items()}


def _arranged(overrides: tuple[str, ...]) -> tuple[str, ...]:
    """With ``COMMON``, except for what the case sets itself."""
    own = {override.partition("=")[0] for override in overrides}
    return (*overrides, *(override for override in COMMON if override.partition("=")[0] not in own))


def write_inputs(folder: Path) -> None:
    """Writes ``INPUTS``."""
    write_views(folder / "views.npz")
    generator = np.random.default_rng(0)
    np.save(folder / "grid.npy", generator.random((6, 7, 8), dtype=np.float32))
    frames = [generator.integers(16, 235, 3 * 6 * 8, np.uint8).tobytes() for _ in range(5)]
    (folder / "clip.y4m").write_bytes(b"YUV4MPEG2 W8 H6 F5:1 C444\n" + b"".join(b"FRAME\n" + f for f in frames))
    np.save(folder / "pixels.npy", np.random.default_rng(0).integers(0, 256, (40, 50, 3), dtype=np.uint8))
    with wave.open(str(folder / "tone.wav"), "wb") as file:
        file.setparams((2, 2, 8000, 600, "NONE", ""))
        file.writeframes(np.random.default_rng(0).integers(-9999, 9999, (600, 2)).astype("<i2").tobytes())


def write_views(path: Path) -> None:
    """Eight views of 6 x 6 pixels from a circle around the origin, in random colours."""
    poses = np.tile(np.eye(4), (8, 1, 1))
    for pose, angle in zip(poses, np.linspace(0, 2 * np.pi, 9), strict=False):
        back = np.array([np.cos(angle), 0.0, np.sin(angle)])
        right = np.cross([0, 1, 0], back)
        pose[:3, :3], pose[:3, 3] = np.stack([right, np.cross(back, right), back], axis=1), 4 * back
    images = np.random.default_rng(0).random((8, 6, 6, 3), dtype=np.float32)
    np.savez(path, images=images, poses=poses, focal=7.0)
