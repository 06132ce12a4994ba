"""Radiance fields: rays through pixels, views and cameras in files, and a small scene fitted and looked at."""

import importlib.util
import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from PIL import Image

from ffnet.cli import main
from ffnet.datasets import NerfDataset
from ffnet.fitting import evaluate
from ffnet.operators import VolumeRendering
from ffnet.runs.paper import reported
from ffnet.signals.posed_views import PosedViews, camera_rays
from ffnet.signals.video import VideoSignal

SIDE, FOCAL = 12, 14.0
SCRIPT = Path(__file__).parents[2] / "docs" / "scene.py"
LEGO = Path(__file__).parents[3] / "shared" / "data" / "nerf"


def scene_script():
    spec = importlib.util.spec_from_file_location("scene", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


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
    assert views["target"].shape == views["reconstruction"].shape == views["depth"].shape == (SIDE, SIDE, 3)
    # The ball is seen between distances 3.3 and 4 of depths that go from 2.75 to 5.25.
    middle, corner = views["depth"][SIDE // 2, SIDE // 2, 0].item(), views["depth"][0, 0, 0].item()
    assert (middle, corner) == (pytest.approx(1 - 0.85 * (3.3 - 2.75) / 2.5, abs=0.03), 0)
    assert max(dataset.views(ball, 5)["target"].shape[:2]) <= 5


def test_views_from_one_place_are_fitted_with_a_warning(path, tmp_path, caplog):
    NerfDataset(path)
    assert "from one place" not in caplog.text
    with np.load(path) as held:
        poses = held["poses"].copy()
        poses[:, :3, 3] = [0, 0, 3]
        np.savez(tmp_path / "panorama.npz", **{**held, "poses": poses})
    NerfDataset(tmp_path / "panorama.npz")
    assert "all views are from one place, which leaves distances open" in caplog.text


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"poses": np.zeros((8, 4, 4))}, "expected rigid poses"),
        ({"poses": np.zeros((3, 4, 4))}, r"expected poses of shape \(8, 4, 4\), got \(3, 4, 4\)"),
        ({"images": np.full((8, 4, 4, 3), np.nan)}, r"expected images with values in \[0, 1\]"),
        ({"images": np.zeros((8, 4, 3))}, r"expected at least 2 images \(n, height, width, 3 or 4\)"),
        ({"images": np.zeros((8, 4, 4, 3), complex)}, "expected images of 8 bits or with values"),
        ({"focal": 0.0}, "expected a focal length above 0"),
        ({"focal": np.ones(3)}, "expected one focal length, got 3"),
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
        ("other.npz", "expected an .npz file with images, poses and focal, has no images"),
    ):
        code, _, err = command("fit", "dataset=nerf", f"dataset.path={path}")
        assert (code, len(err.strip().splitlines())) == (2, 1)
        assert words in err


@pytest.fixture(scope="module")
def blender(tmp_path_factory):
    """A directory of eight views with 12 pixels along a side, as Blender writes them."""
    folder = tmp_path_factory.mktemp("scene") / "scene"
    scene_script().write(folder, 8, SIDE)
    return folder


@pytest.fixture
def damaged(blender, tmp_path):
    """Writes the views' json again, changed, in a copy of the directory."""
    (tmp_path / "views").mkdir()
    for image in (blender / "views").iterdir():
        (tmp_path / "views" / image.name).write_bytes(image.read_bytes())

    def write(change):
        found = json.loads((blender / "transforms.json").read_text())
        change(found)
        (tmp_path / "transforms.json").write_text(json.dumps(found))
        return tmp_path

    return write


def test_rays_are_those_of_a_ray_tracer_that_knows_nothing_of_ffnet():
    script = scene_script()
    pose = script.pose(0.7, 0.4)
    origin, direction = script.rays(pose, 6)
    rays = camera_rays(torch.tensor(pose)[None], 3 / math.tan(script.ANGLE / 2), 6, 6)[0]
    np.testing.assert_allclose(rays.numpy(), np.concatenate([origin, direction], axis=-1), atol=1e-6)


def test_blenders_views_and_an_npz_of_the_same_scene_are_the_same(blender, tmp_path):
    scene_script().write(tmp_path / "scene.npz", 8, SIDE)
    arrays = PosedViews(tmp_path / "scene.npz")
    for path in (blender, blender / "transforms.json"):
        views = PosedViews(path)
        torch.testing.assert_close(views.images, arrays.images, atol=2 / 255, rtol=0)
        torch.testing.assert_close(views.poses, arrays.poses)
        assert views.focal == pytest.approx(arrays.focal)


def test_what_is_transparent_shows_the_background(blender):
    black, white = PosedViews(blender).images, PosedViews(blender, 1.0).images
    alpha = np.stack([np.asarray(Image.open(path))[..., 3] / 255 for path in sorted((blender / "views").iterdir())])
    torch.testing.assert_close(white - black, torch.tensor(1 - alpha).float()[..., None].expand(-1, -1, -1, 3))
    assert white[0, 0, 0].tolist() == [1, 1, 1]
    dataset = NerfDataset(blender, operator=VolumeRendering(background=1.0))
    assert evaluate(lambda x: torch.tensor([0.0, 0, 0, -50]).expand(len(x), 4), dataset)["psnr"] == pytest.approx(
        -10 * math.log10(np.mean((1 - white[0].numpy()) ** 2)), abs=1e-3
    )


def test_downsampled_views_are_means_of_squares_seen_by_the_same_camera(blender):
    whole, half = PosedViews(blender), PosedViews(blender, downsample=2)
    means = whole.images.unflatten(2, (6, 2)).unflatten(1, (6, 2)).mean((2, 4))
    torch.testing.assert_close(half.images, means)
    corners = [camera_rays(views.poses, views.focal, *views.images.shape[1:3]) for views in (whole, half)]
    middles = corners[0].unflatten(2, (6, 2)).unflatten(1, (6, 2)).mean((2, 4))
    torch.testing.assert_close(
        torch.nn.functional.normalize(middles[..., 3:], dim=-1), corners[1][..., 3:], atol=1e-3, rtol=0
    )
    with pytest.raises(ValueError, match="downsample: expected a divisor of 12 and 12, the size of the views, got 5"):
        PosedViews(blender, downsample=5)


def frame(number, **change):
    return lambda found: found["frames"][number].update(change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda found: found.pop("camera_angle_x"), "expected camera_angle_x and frames"),
        (lambda found: found.update(camera_angle_x=4), "expected camera_angle_x in radians between 0 and pi, got 4"),
        (lambda found: found.update(k1=0.1), "expected a camera without distortion, got k1"),
        (lambda found: found.update(frames=found["frames"][:1]), "expected at least 2 frames"),
        (frame(1, file_path=3), "frames[1]: expected a file_path and a transform_matrix"),
        (frame(1, file_path="views/none"), "frames[1]: there is no none.png in"),
        (frame(2, file_path="../scene/views/000"), "frames[2]: expected a path in the directory of the json"),
        (frame(2, file_path="/etc/hostname.png"), "frames[2]: expected a path in the directory of the json"),
        (frame(2, file_path="views/outside"), "frames[2]: expected a path in the directory of the json"),
        (frame(2, file_path="a\0b"), "frames[2]: expected the path of a PNG file"),
        (frame(3, file_path="views/wide"), "frames[3]: expected images of one size, 12x12, got 13x12"),
        (frame(3, file_path="views/text"), "text.png: expected a PNG image"),
        (frame(3, file_path="views/other"), "other.png: expected a PNG image"),
        (frame(3, file_path="views/deep"), "deep.png: expected 8 bits per channel, got 16"),
        (frame(4, transform_matrix=[[1]]), "frames[4]: expected a transform_matrix of 4 x 4 numbers"),
        (frame(4, transform_matrix=[[1], [1, 2]]), "frames[4]: expected a transform_matrix of 4 x 4 numbers"),
        (frame(4, transform_matrix=np.diag([2.0, 2, 2, 1]).tolist()), "expected rigid poses"),
        (frame(4, transform_matrix=np.diag([1.0, 1, -1, 1]).tolist()), "expected rigid poses"),
        (frame(4, transform_matrix=np.full((4, 4), np.nan).tolist()), "expected rigid poses"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_bad_transforms_are_refused(damaged, tmp_path, change, message):
    folder = damaged(change)
    Image.new("RGB", (13, 12)).save(folder / "views" / "wide.png")
    Image.new("RGB", (12, 12)).save(folder / "views" / "other.png", format="JPEG")
    Image.new("I;16", (12, 12)).save(folder / "views" / "deep.png")
    (folder / "views" / "text.png").write_text("no image")
    (folder / "views" / "outside.png").symlink_to(SCRIPT)
    with pytest.raises((ValueError, OSError)) as refused:
        PosedViews(folder)
    assert message in str(refused.value)


def test_a_directory_of_views_is_one_scene_and_what_is_wrong_with_it_takes_a_line(command, damaged, tmp_path):
    damaged(frame(0, file_path="../elsewhere"))
    (tmp_path / "empty").mkdir()
    for argument, words in (
        (".", "expected a path in the directory of the json, got '../elsewhere'"),
        ("transforms.json", "expected a path in the directory of the json"),
        ("dataset.path=empty", "empty: has no transforms.json or transforms_train.json"),
    ):
        code, _, err = command("fit", argument, *(["dataset=nerf"] if "empty" in argument else []))
        assert (code, len(err.strip().splitlines())) == (2, 1), err
        assert words in err
    assert not (tmp_path / "outputs").exists()


def test_the_orbit_is_a_circle_around_the_upward_axis_of_cameras_without_roll(tmp_path):
    script = scene_script()
    poses = torch.tensor(script.poses(20)).float()
    tilt = torch.linalg.qr(torch.randn(3, 3, generator=torch.Generator().manual_seed(0))).Q
    tilt = tilt * tilt.det()
    poses[:, :3] = tilt @ poses[:, :3]
    np.savez(tmp_path / "tilted.npz", images=np.zeros((20, 2, 2, 3), np.float32), poses=poses.numpy(), focal=2.0)
    record = NerfDataset(tmp_path / "tilted.npz").record
    torch.testing.assert_close(torch.tensor(record.up), tilt[:, 2], atol=1e-4, rtol=0)
    orbit = record.orbit(12)
    torch.testing.assert_close(orbit[:, :3, 3].norm(dim=-1), torch.full((12,), script.DISTANCE))
    heights = orbit[:, :3, 3] @ tilt[:, 2]
    torch.testing.assert_close(heights, heights[:1].expand(12), atol=1e-4, rtol=0)
    assert heights[0].item() == pytest.approx((poses[:, :3, 3] @ tilt[:, 2]).mean().item(), abs=0.1)
    # They look at the origin, and their second axis is upward.
    torch.testing.assert_close(
        orbit[:, :3, 3] - script.DISTANCE * orbit[:, :3, 2], torch.zeros(12, 3), atol=1e-5, rtol=0
    )
    assert (orbit[:, :3, 1] @ tilt[:, 2] > 0).all()
    steps = (orbit[:, :3, 3] - orbit[:, :3, 3].roll(1, 0)).norm(dim=-1)
    torch.testing.assert_close(steps, steps[:1].expand(12), atol=1e-4, rtol=0)


def test_fits_from_the_command_line_and_resumes_to_the_same_bits(command, path, tmp_path):
    small = ["dataset=nerf", f"dataset.path={path}", "dataset.held_out=4", "dataset.batch_size=64", "logger=none"]
    small += ["dataset.operator.samples=12", "dataset.operator.cells=8", "dataset.operator.every_n_steps=5"]
    small += ["dataset.operator.warmup_steps=10", "model.hidden_features=16", "model.hidden_layers=1"]
    small += ["regularizers.fog.points=32", "trainer.max_steps=60", "schedule=constant", "dataset.operator.coarse=4"]
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
    assert_looked_at(command, tmp_path)


def assert_looked_at(command, folder):
    with Image.open(folder / "whole" / "views.png") as depth:
        assert (depth.size, depth.mode) == ((2 * SIDE, SIDE), "L")
    assert command("render", "whole", "output=orbit.gif", "frames=3", "size=[8,10]")[0] == 0
    if importlib.util.find_spec("av"):
        assert command("render", "whole", "output=orbit.mp4", "frames=3", "size=[8,10]", "depth=true")[0] == 0
        assert VideoSignal(folder / "orbit.mp4").record.grid == (3, 8, 10)
    with Image.open(folder / "orbit.gif") as orbit:
        assert (orbit.n_frames, orbit.size, orbit.info["loop"]) == (3, (10, 8), 0)
    assert command("render", "whole", "output=held.png")[0] == 0
    assert (folder / "held.png").read_bytes() == (folder / "whole" / "reconstruction.png").read_bytes()
    # From a camera of the fit, the view is the one that is drawn at the end.
    pose = look_at_origin(0.0)[:3, 3]
    elevation = math.degrees(math.asin(pose[1] / 4))
    seen = []
    for azimuth in (0, 90, 180, 270):
        code, _, err = command("render", "whole", f"camera=[{azimuth},{elevation}]", "output=view.png")
        assert (code, err) == (0, "")
        seen.append(np.asarray(Image.open(folder / "view.png")).astype(int))
    first = np.asarray(Image.open(folder / "held.png")).astype(int)[:, :SIDE]
    assert min(np.abs(view - first).max() for view in seen) <= 2
    for line, words in (
        (["frames=3"], "frames: expected null unless the output is a .gif or .mp4"),
        (["camera=[0]"], "camera: expected [azimuth, elevation] in degrees"),
        (["camera=[0,90]"], "camera: expected [azimuth, elevation] in degrees"),
        (["output=a.gif", "frames=1"], "frames: expected an integer of at least 2"),
        (["output=a.gif", "camera=[0,1]"], "camera: expected null for an orbit"),
        (["crop=[1,1]"], "crop: expected null for a scene"),
        (["output=a.xyz"], "output: expected an image's name"),
    ):
        code, _, err = command("render", "whole", "output=a.png", *line)
        assert (code, len(err.strip().splitlines())) == (2, 1), err
        assert words in err
    assert not (folder / "a.png").exists()


@pytest.mark.parametrize(
    ("task", "encoder"),
    [*(("nerf", name) for name in ("identity", "basic", "positional", "gaussian")), ("nerf_sweep", "positional")],
)
def test_the_experiment_sets_the_papers_protocol(capsys, task, encoder):
    assert main(["fit", f"experiment=tancik2020/{task}", f"encoder={encoder}", "--cfg", "job", "--resolve"]) == 0
    config = OmegaConf.create(capsys.readouterr().out)
    operator = config.dataset.operator
    assert (operator.samples, operator.near, operator.far, operator.cells, operator.directions) == (128, 2, 6, 0, False)
    assert (config.dataset.batch_size, config.trainer.max_steps, config.loss._target_) == (
        1024,
        50_000,
        "ffnet.fitting.HalfMSELoss",
    )
    assert (config.model.hidden_layers, config.model.hidden_features, config.model.output_activation) == (3, 256, None)
    assert config.optimizer.lr == {"identity": 1e-2, "basic": 5e-3}.get(encoder, 5e-4)
    # Cycles along a side are radians per unit of the scene.
    assert 2 * operator.half_side == pytest.approx(2 * math.pi)
    assert config.encoder.get("sigma") == (26 if encoder == "gaussian" else None)
    assert config.encoder.get("max_frequency") == (255 if encoder == "positional" else None)
    overrides = {"experiment": f"tancik2020/{task}", "encoder": encoder}
    assert (
        reported(overrides)[0] == {"identity": 22.41, "basic": 23.16, "positional": 25.28, "gaussian": 25.48}[encoder]
    )


def test_the_experiment_runs(command, path, tmp_path):
    small = [
        "dataset.batch_size=8",
        "dataset.operator.samples=4",
        "model.hidden_features=8",
        "encoder.num_frequencies=3",
    ]
    code, out, err = command(
        *("fit", "experiment=tancik2020/nerf", *small, f"dataset.path={path}", "trainer.max_steps=3"),
        *("trainer.accelerator=cpu", "logger=none", "hydra.run.dir=run"),
    )
    assert (code, err) == (0, ""), (out, err)
    assert math.isfinite(json.loads((tmp_path / "run" / "metrics.json").read_text())["psnr"])


@pytest.mark.parametrize(
    "choice", ["encoder=composite", "recipe=fast", pytest.param("encoder=grid", marks=pytest.mark.long)]
)
def test_grids_and_view_directions_fit_and_come_back(command, path, tmp_path, choice):
    line = ["dataset=nerf", f"dataset.path={path}", choice, "dataset.operator.samples=4", "dataset.batch_size=16"]
    line += ["trainer.max_steps=3", "trainer.accelerator=cpu", "logger=none", "hydra.run.dir=run"]
    code, out, err = command("fit", *line)
    assert (code, err) == (0, ""), (out, err)
    code, out, _ = command("evaluate", "run")
    assert code == 0
    assert json.loads(out)["psnr"] == pytest.approx(json.loads((tmp_path / "run" / "metrics.json").read_text())["psnr"])
    assert command("render", "run", "size=4", "camera=[10,20]", "output=view.png")[0] == 0


@pytest.mark.long
@pytest.mark.skipif(not LEGO.exists(), reason="the views are not there")
def test_the_lego_scenes_of_two_formats_are_the_same():
    arrays, views = PosedViews(LEGO / "tiny_lego_100.npz"), PosedViews(LEGO / "lego_400", downsample=4)
    torch.testing.assert_close(views.images, arrays.images, atol=2 / 255, rtol=0)
    torch.testing.assert_close(views.poses, arrays.poses)
    assert views.focal == pytest.approx(arrays.focal, rel=1e-4)
