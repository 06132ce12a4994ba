"""Signed distances of meshes: labels, scores, the zero level, and what is refused."""

import json

import numpy as np
import pytest
import torch
import trimesh

from ffnet.datasets import OccupancyDataset, SDFDataset
from ffnet.datasets.pool import cache_directory
from ffnet.fitting import evaluate
from ffnet.geometry import Mesh, SignedDistance
from ffnet.signals.distance import level_lines, level_slices

SMALL = {"scored_points": 1000, "batch_size": 200, "pool": None}
# A ball fills its box; the box lies 0.05 from the walls.
RADIUS = 0.45


@pytest.fixture
def path(tmp_path):
    """A ball far from the origin, in a unit of its own."""
    trimesh.creation.icosphere(4, 20.0).apply_translation([300, -40, 7]).export(tmp_path / "ball.ply")
    return tmp_path / "ball.ply"


def ball(x):
    return (x - 0.5).norm(dim=-1, keepdim=True) - RADIUS


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def of_box(x, half):
    """The signed distance of a box and its gradient, outside and inside (Quilez, "Distance functions")."""
    q = np.abs(x) - half
    outside, nearest = q.clip(0), q == q.max(-1, keepdims=True)
    length = np.linalg.norm(outside, axis=-1, keepdims=True)
    direction = np.where(length > 0, outside / np.maximum(length, 1e-300), nearest) * np.sign(x)
    return length[:, 0] + q.max(-1).clip(max=0), direction


@pytest.mark.parametrize("inward", [False, True])
def test_distances_to_a_box_are_those_of_its_formula(inward):
    box = trimesh.creation.box([1.0, 2.0, 3.0])
    mesh = Mesh(np.array(box.vertices), np.array(box.faces)[:, ::-1] if inward else np.array(box.faces))
    x = np.random.default_rng(0).uniform(-2, 2, (2000, 3))
    found, expected = SignedDistance(mesh)(x), of_box(x, np.array([0.5, 1.0, 1.5]))
    for one, two in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, two, atol=1e-12)


def test_at_the_surface_the_gradient_is_the_normal():
    box = trimesh.creation.box([1.0, 2.0, 3.0])
    distance, normal = SignedDistance(Mesh(np.array(box.vertices), np.array(box.faces)))(np.array([[0.5, 0.3, 0.2]]))
    np.testing.assert_allclose([distance[0], *normal[0]], [0, 1, 0, 0], atol=1e-12)


@pytest.mark.parametrize("pool", [None, 3000])
def test_batches_are_points_with_normals_and_distances(path, pool, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    batch = SDFDataset(path, **SMALL | {"batch_size": 3000, "pool": pool}).sample(generator())
    points, normals = batch.queries.chunk(2, dim=-1)
    torch.testing.assert_close(batch.targets, ball(points), atol=3e-3, rtol=0)  # the faces lie within the sphere
    near = ball(points)[:, 0].abs() < 0.1
    radial = torch.nn.functional.normalize(points - 0.5, dim=-1)
    assert ((normals * radial).sum(-1)[near] > 0.98).all()


def test_pools_of_distances_are_none_of_occupancies(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    settings = SMALL | {"pool": 300, "sigma": 0.01, "surface_fraction": 0.5}
    distances = SDFDataset(path, **settings)
    assert OccupancyDataset(path, **settings).source.targets.dtype == torch.bool
    assert len(list(cache_directory().iterdir())) == 2
    assert torch.equal(SDFDataset(path, **settings).source.targets, distances.source.targets)


def test_the_distance_itself_scores_best(path):
    scores = evaluate(ball, SDFDataset(path, **SMALL))
    assert scores.pop("near/unit_gradient") == 1
    assert scores.keys() == {"surface/mae", "near/mae", "far/mae"}
    assert all(error < 2e-3 for error in scores.values())
    scores = evaluate(lambda x: 1.1 * ball(x) + 0.2, SDFDataset(path, **SMALL))
    assert scores["surface/mae"] == pytest.approx(0.2, abs=2e-3)
    assert scores["near/unit_gradient"] == 0


def test_points_near_the_surface_are_as_far_as_is_said(path):
    dataset = SDFDataset(path, **SMALL)
    surface, near, far, slopes = (evaluation.source for evaluation in dataset.evaluations)
    assert ball(surface.queries).abs().max() < 2e-3
    assert not surface.targets.any()
    assert ball(near.queries).std() == pytest.approx(0.005, rel=0.1)
    assert ball(far.queries).abs().mean() > 0.05
    assert torch.equal(slopes.queries, near.queries)


def test_level_lines_lie_at_multiples_of_their_spacing():
    x = np.tile(np.linspace(-0.2, 0.2, 401), (5, 1))
    image = level_lines(x, 0.05)
    assert (image[:, 200] < 0.1).all()  # the surface
    dark = image[2].sum(-1) < image[2, 225].sum() * 0.7
    assert [int(i) for i in np.flatnonzero(dark)] == [0, 50, 100, 150, 199, 200, 201, 250, 300, 350, 400]
    assert image[2, 180, 2] > image[2, 180, 0]  # blue inside
    assert image[2, 220, 0] > image[2, 220, 2]


def test_slices_are_through_the_middle():
    """Of an ellipsoid that is longest along z, which the first plane cuts in a circle."""
    image = level_slices(lambda x: ((x - 0.5) / x.new_tensor([1, 1, 2])).norm(dim=-1, keepdim=True) - 0.2, 100)
    assert image.shape == (100, 300, 3)
    blue = (image[..., 2] > image[..., 0]).reshape(100, 3, 100)
    extents = [(part.any(1).sum(), part.any(0).sum()) for part in blue.swapaxes(0, 1)]
    assert np.array(extents) == pytest.approx(np.array([(40, 40), (80, 40), (40, 80)]), abs=4)


def test_open_meshes_are_fitted_with_a_warning(tmp_path, caplog):
    body = trimesh.creation.icosphere(3)
    trimesh.Trimesh(body.vertices, body.faces[20:], process=False).export(tmp_path / "open.ply")
    SDFDataset(tmp_path / "open.ply", **SMALL)
    assert "edges have a single face; across the holes the distance jumps" in caplog.text


def test_what_encloses_nothing_is_refused(tmp_path):
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False).export(tmp_path / "a.ply")
    with pytest.raises(ValueError, match=r"a\.ply: encloses nothing \(no point of 2000 is inside\)"):
        SDFDataset(tmp_path / "a.ply", **SMALL)


def test_fits_and_meshes_the_zero_level(command, path, tmp_path, monkeypatch):
    for module in ("shape", "distance"):
        monkeypatch.setattr(f"ffnet.signals.{module}.VIEW_SIDE", 64)
    small = ["dataset=sdf", "dataset.path=ball.ply", "dataset.batch_size=256", "dataset.pool=4096", "logger=none"]
    small += ["dataset.scored_points=500", "dataset.resolution=24", "model.hidden_features=16", "model.hidden_layers=2"]
    small += ["regularizers.eikonal.points=64", "regularizers.normals.points=64", "trainer.max_steps=120"]
    small += ["model.first_omega=5", "optimizer.lr=5e-3", "hydra.run.dir=whole"]
    assert command("fit", *small)[0] == 0
    metrics = json.loads((tmp_path / "whole" / "metrics.json").read_text())
    higher = {"surface/mae": False, "near/mae": False, "far/mae": False, "near/unit_gradient": True}
    assert {name: metrics["higher_is_better"][name] for name in higher} == higher
    assert metrics["surface/mae"] < 0.01
    assert metrics["chamfer"] < 2
    assert (tmp_path / "whole" / "views.png").exists()
    assert command("mesh", "checkpoint=whole", "resolution=24", "output=a.ply")[0] == 0
    mesh = trimesh.load_mesh(tmp_path / "a.ply")
    assert mesh.center_mass == pytest.approx([300, -40, 7], abs=0.3)
    assert mesh.volume == pytest.approx(4 / 3 * np.pi * 20**3, rel=0.05)  # positive: the normals look outwards
    assert command("evaluate", "checkpoint=whole")[0] == 0


def test_bad_input_is_one_line(command, tmp_path):
    (tmp_path / "a.obj").write_text("v 0 0 nan\nv 1 0 0\nv 0 1 0\nv 0 0 1\nf 1 2 3\nf 1 2 4\n")
    trimesh.Trimesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], process=False).export(tmp_path / "b.ply")
    for name, message in (("a.obj", "not finite"), ("b.ply", "encloses nothing")):
        code, _, err = command("fit", "dataset=sdf", f"dataset.path={name}", "hydra.run.dir=run")
        assert code == 2
        assert message in err
        assert err.count("\n") == 1
    assert not (tmp_path / "run").exists()
