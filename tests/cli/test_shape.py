"""A shape from the command line: fit, mesh, evaluate, resume; and what is refused."""

import json

import numpy as np
import pytest
import torch
import trimesh
from PIL import Image

import ffnet
from ffnet.cli import main
from tests.conftest import SMALL_SHAPE, run_main


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    """An egg away from the origin, standing upright on its thick end."""
    body = trimesh.creation.icosphere(4)
    body.vertices *= [1, 1.4, 1]
    body.vertices[:, [0, 2]] *= (1 - 0.2 * body.vertices[:, 1:2]).clip(0)
    body.apply_translation([50, 0, -7])
    file = tmp_path_factory.mktemp("egg") / "egg.obj"
    body.export(file)
    return file


@pytest.fixture(scope="module")
def fitted(tmp_path_factory, path):
    """The egg's run; no test changes it."""
    folder = tmp_path_factory.mktemp("fitted") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder.parent))
        assert run_main("fit", *SMALL_SHAPE, f"dataset.path={path}", f"hydra.run.dir={folder}") == 0
    return folder


def metrics(run):
    return json.loads((run / "metrics.json").read_text())


def test_fit_leaves_a_mesh_views_and_scores(fitted, path):
    names = {p.name for p in fitted.iterdir()}
    assert names >= {"checkpoints", "metrics.json", "reconstruction.ply", "views.png", ".hydra", "fit.log"}
    found = metrics(fitted)
    assert found["surface/iou"] > 0.3
    assert found["uniform/iou"] > 0.8
    assert found["chamfer"] < 0.2
    assert found["normal_consistency"] > 0.8
    assert "egg.obj, 5120 faces, watertight" in (fitted / "fit.log").read_text()
    mesh, egg = trimesh.load_mesh(fitted / "reconstruction.ply"), trimesh.load_mesh(path)
    assert mesh.volume == pytest.approx(egg.volume, rel=0.2)  # positive: the normals look outwards
    assert mesh.center_mass == pytest.approx(egg.center_mass, abs=0.1)
    assert mesh.bounds == pytest.approx(egg.bounds, abs=0.4)


@pytest.mark.parametrize("suffix", ["ply", "obj", "stl", "glb"])
def test_mesh_writes_every_format_in_the_files_coordinates(command, fitted, tmp_path, path, suffix):
    arguments = ["resolution=40", f"output=a.{suffix}", f"reference={path}"]
    code, out, err = command("mesh", f"checkpoint={fitted}", *arguments)
    assert (code, err) == (0, ""), (out, err)
    figures = json.loads(out[out.index("{") :])
    assert figures["voxel"] == pytest.approx(2.8 / 0.9 / 40, rel=0.01)
    assert figures["chamfer"] < 0.2
    mesh = trimesh.load_scene(tmp_path / f"a.{suffix}").to_mesh()
    assert mesh.center_mass == pytest.approx(trimesh.load_mesh(path).center_mass, abs=0.1)
    mesh.merge_vertices()
    assert mesh.is_watertight


@pytest.mark.long
def test_a_turntable_is_an_animation_without_an_end(command, fitted, tmp_path):
    settings = ["resolution=16", "components=largest", "normals=smooth", "turntable=a.gif", "output=a.ply"]
    code, out, err = command("mesh", f"checkpoint={fitted}", *settings)
    assert (code, err) == (0, "")
    assert "wrote   a.gif" in out
    with Image.open(tmp_path / "a.gif") as picture:
        assert (picture.size, picture.n_frames, picture.info["loop"]) == ((320, 320), 36, 0)
    mesh = trimesh.load_mesh(tmp_path / "a.ply", process=False)
    assert len(mesh.split(only_watertight=False)) == 1
    assert b"property float nx" in (tmp_path / "a.ply").read_bytes()


def test_the_mesh_is_where_the_field_changes_its_sign(command, fitted, tmp_path):
    assert command("mesh", f"checkpoint={fitted}", "resolution=64", "output=a.ply")[0] == 0
    signal = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)["ffnet"]["signal"]
    mesh = trimesh.load_mesh(tmp_path / "a.ply")
    unit = (mesh.vertices - signal["centre"]) * signal["scale"] + 0.5
    step = mesh.vertex_normals / 64
    field = ffnet.load(fitted)
    with torch.no_grad():
        within = field(torch.tensor(unit - step, dtype=torch.float32))
        beyond = field(torch.tensor(unit + step, dtype=torch.float32))
    assert (within > 0).float().mean() > 0.99
    assert (beyond < 0).float().mean() > 0.99


def test_evaluate_gives_the_same_score(command, fitted):
    code, out, err = command("evaluate", f"checkpoint={fitted}")
    assert (code, err.startswith("read    ")) == (0, True)  # and names what was read
    found = metrics(fitted)
    assert json.loads(out) == {name: found[name] for name in ("surface/iou", "uniform/iou")}


@pytest.mark.long
def test_resume_goes_on_to_the_bits_of_a_run_that_did_not_stop(command, tmp_path, path):
    constant = ["schedule=constant"]
    for name, steps in (("whole", 30), ("part", 20)):
        small = [o for o in SMALL_SHAPE if "max_steps" not in o]
        arguments = [*small, *constant, f"dataset.path={path}", f"trainer.max_steps={steps}", f"hydra.run.dir={name}"]
        assert command("fit", *arguments)[0] == 0
    assert command("fit", "resume=part", "trainer.max_steps=30")[0] == 0
    whole, part = (
        torch.load(tmp_path / name / "checkpoints" / "last.ckpt", weights_only=True)["state_dict"]
        for name in ("whole", "part")
    )
    assert all(torch.equal(whole[key], part[key]) for key in whole)
    assert (tmp_path / "whole" / "reconstruction.ply").read_bytes() == (
        tmp_path / "part" / "reconstruction.ply"
    ).read_bytes()


@pytest.mark.long
def test_the_default_is_the_bundled_knot_with_grid_features(command, tmp_path):
    small = [
        "dataset.pool=200000",
        "dataset.scored_points=2000",
        "dataset.resolution=32",
        "trainer.max_steps=150",
        "trainer.accelerator=cpu",
    ]
    code, out, err = command("fit", "dataset=occupancy", *small, "hydra.run.dir=run")
    assert (code, err) == (0, ""), (out, err)
    assert "knot.ply" in out
    assert "GridEncoder" in out
    assert metrics(tmp_path / "run")["uniform/iou"] > 0.8


def test_a_field_without_a_surface_leaves_no_mesh_and_says_so(command, tmp_path, fitted):
    contents = torch.load(fitted / "checkpoints" / "last.ckpt", weights_only=True)
    for value in contents["state_dict"].values():
        value.zero_()
    torch.save(contents, tmp_path / "zero.ckpt")
    code, _, err = command("mesh", "checkpoint=zero.ckpt")
    assert code == 2
    assert "zero.ckpt: the field has no surface" in err
    assert not (tmp_path / "mesh.ply").exists()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (["resolution=1"], "resolution: expected an integer of at least 2 cells, got 1"),
        (["resolution=fine"], "resolution: expected an integer"),
        (["output=a.txt"], "output: expected a mesh's name that ends in .ply, .obj, .stl, .glb, got 'a.txt'"),
        (["output=nowhere/a.ply"], "is not a directory"),
        (["reference=nowhere.obj"], "nowhere.obj: no such file; expected a mesh"),
        (["device=toaster"], "toaster"),
        (["components=biggest"], "components: expected all or largest, got 'biggest'"),
        (["normals=flat"], "normals: expected null or smooth, got 'flat'"),
        (["normals=smooth", "output=a.stl"], "normals: expected null for .stl"),
        (["turntable=a.mp4"], "turntable: expected a name that ends in .gif, got 'a.mp4'"),
        (["turntable=nowhere/a.gif"], "is not a directory"),
    ],
)
def test_mesh_refuses(command, fitted, overrides, message):
    code, _, err = command("mesh", f"checkpoint={fitted}", *overrides)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_each_command_knows_its_kind_of_fit(command, fitted, small_run):
    code, _, err = command("render", f"checkpoint={fitted}")
    expected = "expected the fit of an image, recording, video, volume or scene, got that of a shape"
    assert (code, expected in err) == (2, True)
    code, _, err = command("mesh", f"checkpoint={small_run}")
    assert (code, "expected the fit of a shape, got that of an image" in err) == (2, True)


SQUARE = "OFF\n4 2 0\n0 0 0\n1 0 0\n1 1 0\n0 1 0\n3 0 1 2\n3 0 2 3\n"
BAD = {
    "missing.obj": (None, "missing.obj: no such file; expected a signal to fit"),
    "empty.ply": ("", "empty.ply: is empty; expected a mesh"),
    "text.obj": ("This is no mesh.", "text.obj: has no faces"),
    "picture.png": ("\x89PNG", "picture.png: is an image, which dataset=occupancy does not fit; say dataset=image"),
    "cut.off": ("OFF\n8 12", "cut.off: damaged mesh"),
    "cloud.obj": ("v 0 0 0\nv 1 0 0\nv 0 1 0\n", "cloud.obj: has no faces; expected a mesh of triangles"),
    "nan.obj": ("v 0 0 nan\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "nan.obj: has 1 vertices that are not finite numbers"),
    "triangle.obj": ("v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n", "triangle.obj: encloses nothing"),
    "flat.off": (SQUARE, "flat.off: encloses nothing"),
    "line.obj": ("v 0 0 0\nv 1 1 1\nv 2 2 2\nf 1 2 3\n", "line.obj: all of its 1 faces are degenerate"),
    "huge.obj": ("v 0 0 0\nv 1e308 0 0\nv 0 1e308 -1e308\nv 0 0 1e308\nf 1 2 3\nf 1 4 2\n", "huge.obj: "),
}


@pytest.mark.parametrize("name", BAD)
@pytest.mark.sampled(2)
def test_fit_refuses_what_is_no_shape(command, tmp_path, name):
    content, message = BAD[name]
    if content is not None:
        (tmp_path / name).write_text(content)
    code, out, err = command("fit", *SMALL_SHAPE, f"dataset.path={name}", "hydra.run.dir=run")
    assert code == 2, (out, err)
    assert message in err
    assert len(err.strip().splitlines()) == 1, err
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("dataset.surface_fraction=2", "surface_fraction: expected a number in [0, 1], got 2"),
        ("dataset.batch_size=null", "batch_size: expected at least 1 point"),
        ("dataset.placement=left", "placement: expected one of box, paper"),
        ("dataset.sigam=1", "there is no setting dataset.sigam; did you mean dataset.sigma?"),
        ("dataset.size=3", "there is no setting dataset.size"),
    ],
)
def test_fit_refuses_bad_settings_of_a_shape(command, override, message):
    code, _, err = command("fit", *SMALL_SHAPE, override)
    assert code == 2
    assert message in err


@pytest.mark.parametrize("encoder", ["identity", "basic", "positional", "gaussian"])
def test_the_experiment_sets_the_papers_protocol(capsys, encoder):
    assert main(["fit", "experiment=tancik2020/shape", f"encoder={encoder}", "--cfg", "job", "--resolve"]) == 0
    from omegaconf import OmegaConf

    config = OmegaConf.create(capsys.readouterr().out)
    assert config.dataset._target_ == "ffnet.datasets.OccupancyDataset"
    assert (config.dataset.placement, config.dataset.surface_fraction, config.dataset.batch_size) == ("paper", 0, 32768)
    assert config.dataset.pool is None
    assert config.dataset.scored_points == 2**18
    assert (config.model.hidden_layers, config.model.hidden_features) == (7, 256)
    assert (config.model.initialization, config.model.output_activation) == ("glorot", None)
    assert (config.trainer.max_steps, config.optimizer.lr) == (10_000, 5e-4)
    assert config.optimizer._target_ == "torch.optim.Adam"
    assert config.schedule.gamma**5000 == pytest.approx(0.1)
    assert config.loss._target_ == "torch.nn.BCEWithLogitsLoss"
    assert config.encoder.get("centred", False) == (encoder == "identity")
    assert config.encoder.get("normalize", False) == (encoder != "identity")
    if encoder == "gaussian":
        assert (config.encoder.sigma, config.encoder.num_frequencies) == (12, 256)
    if encoder == "positional":
        assert config.encoder.max_frequency == 2**6 - 1


@pytest.mark.long
def test_the_experiment_runs_and_resumes(command, tmp_path, path):
    small = [
        "dataset.batch_size=200",
        "dataset.scored_points=500",
        "dataset.resolution=8",
        "model.hidden_features=8",
        "trainer.max_steps=4",
    ]
    arguments = [*small, f"dataset.path={path}", "trainer.accelerator=cpu", "hydra.run.dir=run"]
    code, out, err = command("fit", "experiment=tancik2020/shape", *arguments)
    assert (code, err) == (0, ""), (out, err)
    assert command("fit", "resume=run", "trainer.max_steps=6")[0] == 0
    assert np.isfinite(metrics(tmp_path / "run")["surface/iou"])
