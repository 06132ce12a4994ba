"""Radiance fields: rays through pixels, and a small scene fitted."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from ffnet.datasets import NerfDataset
from ffnet.fitting import evaluate
from ffnet.signals.posed_views import camera_rays

SIDE, FOCAL = 12, 14.0


def look_at_origin(angle: float) -> np.ndarray:
    """A camera on a circle of radius 4, which looks along its -z at the origin."""
    back = np.array([np.cos(angle), 0.3, np.sin(angle)])
    back /= np.linalg.norm(back)
    right = np.cross([0, 1, 0], back)
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(back, right), back], axis=1)
    pose[:3, 3] = 4 * back
    return pose


def ball(x):
    """A solid orange ball of radius 0.7 in the scene's unit."""
    inside = (2.5 * (x - 0.5)).norm(dim=-1, keepdim=True) < 0.7
    colour = torch.tensor([6.0, 0.0, -6.0]).expand(len(x), 3)
    return torch.cat([colour, torch.where(inside, 20.0, -30.0)], dim=-1)


def silhouette(poses: np.ndarray) -> np.ndarray:
    """The ball's views by geometry: a ray hits it if it passes the origin within the radius."""
    rays = camera_rays(torch.tensor(poses).float(), FOCAL, SIDE, SIDE)
    origin, direction = rays.split(3, dim=-1)
    nearest = (origin - (origin * direction).sum(-1, keepdim=True) * direction).norm(dim=-1, keepdim=True)
    return torch.where(nearest < 0.7, torch.tensor([6.0, 0.0, -6.0]).sigmoid(), 0.0).numpy()


@pytest.fixture
def path(tmp_path):
    poses = np.stack([look_at_origin(angle) for angle in np.linspace(0, 2 * np.pi, 9)[:-1]])
    np.savez(tmp_path / "ball.npz", images=silhouette(poses).astype(np.float32), poses=poses, focal=FOCAL)
    return tmp_path / "ball.npz"


def test_rays_go_through_the_centres_of_the_pixels(path):
    rays = camera_rays(torch.tensor(look_at_origin(0.4)).float()[None], FOCAL, 5, 7)[0]
    origin, direction = rays.split(3, dim=-1)
    torch.testing.assert_close(direction.norm(dim=-1), torch.ones(5, 7))
    middle = origin[2, 3] + 4 * direction[2, 3]
    torch.testing.assert_close(middle, torch.zeros(3), atol=1e-5, rtol=0)
    # To the right of a camera at angle 0.4 is its first axis; y of the image runs down.
    right, up = torch.tensor(look_at_origin(0.4)[:3, :2]).float().T
    assert (direction[2, 4] - direction[2, 3]) @ right > 0
    assert (direction[1, 3] - direction[2, 3]) @ up > 0


def test_every_eighth_view_is_held_out_and_a_field_that_knows_the_scene_scores_high(path):
    dataset = NerfDataset(path, held_out=4)
    assert dataset.source.size == 6 * SIDE * SIDE
    assert dataset.evaluations[0].source.size == 2 * SIDE * SIDE
    assert evaluate(ball, dataset)["psnr"] > 18  # edges of pixels differ
    views = dataset.views(ball, 512)
    assert views["target"].shape == views["reconstruction"].shape == (SIDE, SIDE, 3)
    assert max(dataset.views(ball, 5)["target"].shape[:2]) <= 5


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": np.zeros((8, 4, 4))}, "expected rigid poses"),
        ({"poses": np.zeros((3, 4, 4))}, r"expected poses of shape \(8, 4, 4\), got \(3, 4, 4\)"),
        ({"images": np.full((8, 4, 4, 3), np.nan)}, r"expected images with values in \[0, 1\]"),
        ({"images": np.zeros((8, 4, 3))}, r"expected at least 2 images \(n, height, width, 3\)"),
        ({"focal": 0.0}, "expected a focal length above 0"),
    ],
)
def test_bad_scenes_are_refused(path, tmp_path, change, message):
    with np.load(path) as held:
        np.savez(tmp_path / "bad.npz", **{**held, **change})
    with pytest.raises(ValueError, match=message):
        NerfDataset(tmp_path / "bad.npz")


def test_what_is_no_scene_is_refused(tmp_path, command):
    (tmp_path / "text.npz").write_text("no scene")
    np.savez(tmp_path / "other.npz", views=np.zeros(3))
    for path, words in (
        ("null", "path: expected a scene"),
        ("nowhere.npz", "nowhere.npz: no such file"),
        ("text.npz", "expected an .npz file"),
        ("other.npz", "expected images, poses and focal"),
    ):
        code, _, err = command("fit", "dataset=nerf", f"dataset.path={path}")
        assert (code, len(err.strip().splitlines())) == (2, 1)
        assert words in err


def test_fits_from_the_command_line_and_resumes_to_the_same_bits(command, path, tmp_path):
    small = ["dataset=nerf", f"dataset.path={path}", "dataset.held_out=4", "dataset.batch_size=64", "logger=none"]
    small += ["dataset.operator.samples=12", "dataset.operator.cells=8", "dataset.operator.every_n_steps=5"]
    small += ["+dataset.operator.warmup_steps=10", "model.hidden_features=16", "model.hidden_layers=1"]
    small += ["regularizers.fog.points=32", "trainer.max_steps=60", "schedule=constant"]
    assert command("fit", *small, "hydra.run.dir=whole")[0] == 0
    assert command("fit", *small, "trainer.max_steps=23", "hydra.run.dir=parts")[0] == 0
    assert command("fit", "resume=parts", "trainer.max_steps=60")[0] == 0
    one, two = (
        torch.load(tmp_path / run / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for run in ("whole", "parts")
    )
    assert all(torch.equal(one[name], two[name]) for name in one)
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    assert metrics["psnr"] > 12
    with Image.open(tmp_path / "whole" / "reconstruction.png") as image:
        assert image.size == (2 * SIDE, SIDE)
    code, out, _ = command("evaluate", "checkpoint=whole")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(metrics["psnr"], abs=1e-9)
