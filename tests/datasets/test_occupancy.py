"""The shape dataset: where its points are, how they are labelled, and how it scores."""

import pickle

import numpy as np
import pytest
import torch
import trimesh

from ffnet.datasets import OccupancyDataset
from ffnet.datasets.base import IN_MEMORY
from ffnet.datasets.pool import cache_directory
from ffnet.fitting import evaluate

SMALL = {"scored_points": 1000, "batch_size": 200}
# A ball fills its box; the box lies 0.05 from the walls.
RADIUS = 0.45


@pytest.fixture
def path(tmp_path):
    """A ball far from the origin, in a unit of its own."""
    trimesh.creation.icosphere(5, 20.0).apply_translation([300, -40, 7]).export(tmp_path / "ball.ply")
    return tmp_path / "ball.ply"


def depth(x):
    """How far inside the ball a point is."""
    return RADIUS - (x - 0.5).norm(dim=-1, keepdim=True)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("pool", [None, 5000])
def test_batches_are_labelled_by_their_place(path, pool):
    batch = OccupancyDataset(path, **SMALL | {"batch_size": 20_000}, pool=pool).sample(generator())
    assert batch.queries.dtype == batch.targets.dtype == torch.float32
    clear = depth(batch.queries).abs() > 1e-3  # the faces lie within the sphere
    assert torch.equal((depth(batch.queries) > 0)[clear], (batch.targets > 0.5)[clear])
    assert set(batch.targets.unique().tolist()) == {0.0, 1.0}


@pytest.mark.parametrize("pool", [None, 2000])
def test_batches_repeat_with_the_seed(path, pool):
    dataset = OccupancyDataset(path, **SMALL, pool=pool)
    assert torch.equal(dataset.sample(generator(3)).queries, dataset.sample(generator(3)).queries)
    assert not torch.equal(dataset.sample(generator(3)).queries, dataset.sample(generator(4)).queries)


def test_a_share_of_the_points_lies_near_the_surface_with_normal_offset(path):
    shape = OccupancyDataset(path, **SMALL).source
    points = shape.points(50_000, 0.4, 0.01, generator())
    assert len(points) == 50_000
    distance = depth(points[30_000:])[:, 0]
    assert distance.std() == pytest.approx(0.01, rel=0.03)
    # The offset's part along the surface moves a point outwards, by sigma^2 / radius on average.
    assert distance.mean() == pytest.approx(-(0.01**2) / RADIUS, abs=2e-4)
    uniform = points[:30_000].numpy()
    for axis in range(3):
        counts = np.histogram(uniform[:, axis], 20, (0, 1))[0]
        assert np.square(counts - 1500).sum() / 1500 < 60  # chi-square, 19 degrees
    assert (depth(shape.points(30_000, 0.0, 0.01, generator(1))) > 0).float().mean() == pytest.approx(
        4 / 3 * np.pi * RADIUS**3, abs=0.01
    )


def test_the_papers_placement_draws_from_the_bounding_box(tmp_path):
    trimesh.creation.box([2, 1, 0.5]).export(tmp_path / "a.ply")
    dataset = OccupancyDataset(
        tmp_path / "a.ply", placement="paper", surface_fraction=0.0, **SMALL | {"batch_size": 5000}
    )
    expected = [[0, 0.25, 0.375], [1, 0.75, 0.625]]
    torch.testing.assert_close(dataset.source.bounds, torch.tensor(expected))
    points = dataset.sample(generator()).queries
    torch.testing.assert_close(torch.stack([points.amin(0), points.amax(0)]), dataset.source.bounds, atol=1e-3, rtol=0)


def test_evaluation_visits_fixed_points_of_both_kinds_once(path):
    one, two = (
        OccupancyDataset(path, **SMALL),
        OccupancyDataset(path, surface_fraction=0.1, sigma=0.1, pool=50, **SMALL),
    )
    assert [evaluation.name for evaluation in one.evaluations] == ["surface", "uniform"]
    assert [evaluation.source.size for evaluation in one.evaluations] == [1000, 1000]
    surface, uniform = (evaluation.source.queries for evaluation in one.evaluations)
    assert torch.equal(torch.cat([surface, uniform]), torch.cat([e.source.queries for e in two.evaluations]))
    assert depth(surface).std() == pytest.approx(0.005, rel=0.1)  # 0.01 of the box's half
    assert depth(uniform).std() > 0.1


def test_the_iou_of_a_smaller_ball_is_the_ratio_of_volumes(path):
    dataset = OccupancyDataset(path, scored_points=100_000)
    for chunk in (1000, 65_536):
        scores = evaluate(lambda x: depth(x) - 0.05, dataset, chunk)
        assert scores["uniform/iou"] == pytest.approx((0.4 / 0.45) ** 3, abs=0.01)
        assert scores["surface/iou"] < 0.01
    assert list(scores) == ["surface/iou", "uniform/iou"]


def test_a_field_that_knows_the_shape_scores_1_and_one_that_is_empty_0(path):
    dataset = OccupancyDataset(path, **SMALL)
    assert evaluate(lambda x: dataset.source.label(x).float() - 0.5, dataset) == {
        "surface/iou": 1.0,
        "uniform/iou": 1.0,
    }
    assert evaluate(lambda x: torch.full_like(x[:, :1], -1), dataset) == {"surface/iou": 0.0, "uniform/iou": 0.0}


def test_a_pool_is_labelled_once_and_kept_by_content(path, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = OccupancyDataset(path, pool=3000, **SMALL)
    (kept,) = cache_directory().iterdir()
    twin = tmp_path / "other-name.ply"
    twin.write_bytes(path.read_bytes())
    monkeypatch.setattr("ffnet.datasets.pool._chunks", None)  # nothing is labelled any more
    again = OccupancyDataset(twin, pool=3000, **SMALL)
    assert torch.equal(first.source.queries, again.source.queries)
    assert torch.equal(first.source.targets, again.source.targets)
    label = OccupancyDataset(path, **SMALL).source.label
    assert torch.equal(label(first.source.queries), first.source.targets)
    with pytest.raises(TypeError):  # another sigma is another pool
        OccupancyDataset(path, pool=3000, sigma=0.1, **SMALL)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kept.write_bytes(kept.read_bytes()[:100])
    assert torch.equal(OccupancyDataset(path, pool=3000, **SMALL).source.queries, first.source.queries)


@pytest.mark.parametrize(
    "damage",
    [
        lambda kept: kept | {"labels": ~kept["labels"]},
        lambda kept: kept | {"points": np.roll(kept["points"], 1, axis=0)},
        lambda kept: {name: value[:200] if name != "digest" else value for name, value in kept.items()},
        lambda kept: kept | {"labels": kept["labels"].astype(np.float32)},
        lambda kept: {name: value for name, value in kept.items() if name != "digest"},
    ],
    ids=["labels", "order", "count", "type", "digest"],
)
def test_a_pool_with_other_contents_is_labelled_again(path, tmp_path, monkeypatch, damage):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    first = OccupancyDataset(path, pool=300, **SMALL)
    (kept,) = cache_directory().iterdir()
    with np.load(kept) as held:
        contents = dict(held)
    np.savez(kept, **damage(contents))
    again = OccupancyDataset(path, pool=300, **SMALL)
    assert torch.equal(first.source.queries, again.source.queries)
    assert torch.equal(first.source.targets, again.source.targets)
    with np.load(kept) as held:
        assert str(held["digest"]) == str(contents["digest"])


def test_a_cache_that_cannot_be_written_is_done_without(path, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert OccupancyDataset(path, pool=300, **SMALL).source.queries.shape == (300, 3)


@pytest.mark.parametrize(
    ("vertices", "faces"),
    [
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]]),
        ([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 1]]),
        ([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]]),
    ],
    ids=["one triangle", "two sides of one", "a square"],
)
def test_what_encloses_nothing_is_refused(tmp_path, vertices, faces):
    trimesh.Trimesh(vertices, faces, process=False).export(tmp_path / "a.ply")
    with pytest.raises(ValueError, match=r"a\.ply: encloses nothing \(no point of 2000 is inside\)"):
        OccupancyDataset(tmp_path / "a.ply", scored_points=1000)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"placement": "middle"}, "placement: expected one of box, paper, got 'middle'"),
        ({"margin": 0.5}, r"margin: expected a number in \[0, 0.45\], got 0.5"),
        ({"surface_fraction": 2}, r"surface_fraction: expected a number in \[0, 1\], got 2"),
        ({"sigma": -1}, r"sigma: expected a number in \[0, 1\], got -1"),
        ({"sigma": float("nan")}, "sigma: expected a number"),
        ({"batch_size": 0}, "batch_size: expected at least 1 point, got 0"),
        ({"batch_size": None}, "batch_size: expected at least 1 point, got None"),
        ({"pool": 0}, "pool: expected at least 1 point, got 0"),
        ({"scored_points": "many"}, "scored_points: expected at least 1 point"),
    ],
)
def test_arguments_are_checked(path, arguments, message):
    with pytest.raises(ValueError, match=message):
        OccupancyDataset(path, **arguments)


def test_says_how_far_from_watertight_the_mesh_is(path, tmp_path):
    assert "20480 faces, watertight" in repr(OccupancyDataset(path, **SMALL))
    body = trimesh.creation.icosphere(2)
    faces = np.concatenate([body.faces[3:], [[0, 0, 1]]])
    trimesh.Trimesh(body.vertices, faces, process=False).export(tmp_path / "open.off")
    text = repr(OccupancyDataset(tmp_path / "open.off", **SMALL))
    assert "not watertight, 1 degenerate faces dropped, " in text
    assert "open edges" in text


def test_the_record_leads_back_to_the_files_coordinates(path):
    dataset = OccupancyDataset(path, **SMALL)
    record = dataset.record
    assert record.spec()["_target_"] == "ffnet.signals.ShapeRecord"
    assert record.scale == pytest.approx(0.9 / 40, rel=1e-3)
    assert record.centre == pytest.approx([300, -40, 7], abs=1e-3)
    low, high = record.bounds
    assert low == pytest.approx([0.025] * 3, abs=2e-3)  # half of the margin around a ball
    assert high == pytest.approx([0.975] * 3, abs=2e-3)


def test_compares_a_file_with_the_input(path, tmp_path):
    trimesh.creation.icosphere(5, 21.0).apply_translation([300, -40, 7]).export(tmp_path / "larger.ply")
    figures = OccupancyDataset(path, **SMALL).compare(tmp_path / "larger.ply")
    assert figures["chamfer"] == pytest.approx(1.0, abs=0.01)


def test_views_show_the_surface(path):
    view = OccupancyDataset(path, **SMALL).views(depth, 64)["reconstruction"]
    assert view.shape == (32, 96, 3)
    assert (view.mean(-1) < 0.99).float().mean() == pytest.approx(np.pi * (RADIUS / 1.3) ** 2, rel=0.1)


def test_nothing_of_the_mesh_is_in_checkpoints_and_types_stay(path):
    dataset = OccupancyDataset(path, **SMALL, pool=100)
    assert dataset.state_dict() == {}
    types = [buffer.dtype for buffer in dataset.buffers()]
    assert [buffer.dtype for buffer in dataset.to(torch.bfloat16).buffers()] == types


@pytest.mark.parametrize("pool", [None, 300])
def test_a_mesh_in_memory_is_the_one_in_the_file(path, pool):
    filed, held = (
        OccupancyDataset(path, pool=pool, **SMALL),
        OccupancyDataset(trimesh.load_mesh(path), pool=pool, **SMALL),
    )
    assert held.record == filed.record
    for one, other in zip(filed.sample(generator())[:2], held.sample(generator())[:2], strict=True):
        assert torch.equal(one, other)
    assert evaluate(depth, held) == evaluate(depth, filed)
    assert held.compare(path)["chamfer"] == pytest.approx(0, abs=1e-3)
    assert "20480 faces, watertight" in repr(held)


def test_where_a_mesh_came_from_is_recorded(path):
    assert OccupancyDataset(path, **SMALL).resolved() == {"path": str(path)}
    assert OccupancyDataset(trimesh.load_mesh(path), **SMALL).resolved() == {"path": IN_MEMORY}
    with pytest.raises(ValueError, match=r"path: the run was fitted to a signal in memory; give dataset\.path"):
        OccupancyDataset(IN_MEMORY)


def test_can_be_pickled(path):
    dataset = pickle.loads(pickle.dumps(OccupancyDataset(path, **SMALL)))
    assert dataset.sample(generator()).targets.shape == (200, 1)


def test_the_bundled_mesh_is_found_closed_and_small():
    dataset = OccupancyDataset(**SMALL)
    assert ", watertight" in repr(dataset)
    assert dataset.path.stat().st_size < 300_000
    assert trimesh.Trimesh(*dataset.mesh, process=False).euler_number == 0  # a torus, knotted
