"""Surfaces of fields: against formulas, and against evaluating every point."""

import igl
import numpy as np
import pytest
import torch
import trimesh

from ffnet.geometry import edges, extract
from tests.geometry.shapes import sphere_field


def ripples(x):
    """A gyroid within a ball: one connected sheet with many holes."""
    p = 8 * torch.pi * x
    gyroid = (p.sin() * p.cos().roll(1, -1)).sum(-1, keepdim=True)
    return torch.minimum(0.6 - gyroid.abs(), 20 * sphere_field(x, radius=0.45))


def two_balls(x):
    return torch.maximum(sphere_field(x, (0.3, 0.3, 0.3), 0.2), sphere_field(x, (0.75, 0.7, 0.6), 0.15))


def network(x):
    """A random field like one in training: Gaussian features and a small network, in a ball."""
    generator = torch.Generator().manual_seed(4)
    phase = x @ torch.randn(3, 48, generator=generator) * 3 * 2 * torch.pi
    waves = torch.cat([phase.sin(), phase.cos()], -1) @ torch.randn(96, 1, generator=generator) / 7
    return torch.minimum(waves, 5 * sphere_field(x, radius=0.45))


FIELDS = [sphere_field, ripples, two_balls, network]


def body(mesh):
    return trimesh.Trimesh(*mesh, process=False)


def dense(field, resolution):
    """Marching cubes over every cell: the library's own function for whole grids."""
    axis = np.arange(resolution + 1) / resolution
    grid = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).transpose(2, 1, 0, 3).reshape(-1, 3)  # x fastest
    values = field(torch.tensor(grid, dtype=torch.float32)).numpy()[:, 0].astype(np.float64)
    vertices, faces, _ = igl.marching_cubes(-values, grid, *[resolution + 1] * 3, 0.0)
    return vertices, faces


def rows(array):
    return array[np.lexsort(array.T)]


@pytest.mark.parametrize(
    ("field", "resolution"),
    [*[(field, 33) for field in FIELDS], (network, 64), (sphere_field, 128), (ripples, 128), (two_balls, 128)],
)
def test_coarse_to_fine_is_dense_evaluation(field, resolution):
    mesh = extract(field, resolution)
    vertices, faces = dense(field, resolution)
    assert (len(mesh.vertices), len(mesh.faces)) == (len(vertices), len(faces))
    centres = rows(mesh.vertices[mesh.faces].mean(1).round(6)), rows(vertices[faces].mean(1).round(6))
    np.testing.assert_allclose(*centres, atol=3e-6)


def test_only_points_near_the_surface_are_evaluated():
    points = []
    extract(sphere_field, 256, progress=points.append)
    assert sum(points) < 257**3 / 5


@pytest.mark.parametrize("block", [1, 2, 3, 4, 5, 8])
@pytest.mark.parametrize("field", FIELDS)
def test_a_surface_within_the_cube_is_closed_whatever_the_blocks(field, block):
    mesh = extract(field, 50, block=block)
    assert edges(mesh) == (0, 0)
    assert body(mesh).is_winding_consistent
    assert body(mesh).volume > 0  # the normals look outwards


def test_a_sphere_has_its_place_volume_and_normals():
    mesh = extract(lambda x: sphere_field(x, (0.4, 0.5, 0.6), 0.25), 128)
    assert body(mesh).volume == pytest.approx(4 / 3 * np.pi * 0.25**3, rel=1e-3)
    assert body(mesh).center_mass == pytest.approx([0.4, 0.5, 0.6], abs=1e-4)
    assert np.linalg.norm(mesh.vertices - [0.4, 0.5, 0.6], axis=-1) == pytest.approx(0.25, abs=1e-4)
    outwards = (body(mesh).face_normals * (body(mesh).triangles_center - [0.4, 0.5, 0.6])).sum(-1)
    assert (outwards > 0).all()


def test_the_error_falls_with_the_square_of_the_cells():
    errors = [abs(body(extract(sphere_field, n)).volume - 4 / 3 * np.pi * 0.3**3) for n in (16, 32, 64)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(4, rel=0.3)


def test_a_long_thin_piece_is_followed_to_its_end():
    """A rod of one and a half cells: coarse corners meet it in places only."""

    def rod(x):
        return (
            0.012 - (x - 0.5)[..., :2].norm(dim=-1, keepdim=True) - 10 * ((x[..., 2:] - 0.5).abs() - 0.4).clamp(min=0)
        )

    mesh = extract(rod, 64, block=4)
    assert np.ptp(mesh.vertices[:, 2]) == pytest.approx(0.8, abs=0.02)
    assert edges(mesh) == (0, 0)


def test_values_of_exactly_zero_leave_no_hole():
    mesh = extract(lambda x: 0.25 - (x - 0.5).abs().amax(-1, keepdim=True), 16)
    assert edges(mesh) == (0, 0)
    assert 0.1 < body(mesh).volume < 0.125  # marching cubes cuts the cube's edges off


def test_a_surface_that_leaves_the_cube_is_open_there():
    mesh = extract(lambda x: sphere_field(x, radius=0.6), 32)
    assert edges(mesh).open > 0
    assert (mesh.vertices.min(), mesh.vertices.max()) == (0, 1)


@pytest.mark.parametrize("value", [-1.0, 1.0])
def test_a_field_without_a_surface_gives_no_faces(value):
    mesh = extract(lambda x: torch.full_like(x[:, :1], value), 20)
    assert (len(mesh.vertices), len(mesh.faces)) == (0, 0)


@pytest.mark.usefixtures("without_shape_checks")
def test_resolutions_are_checked():
    with pytest.raises(ValueError, match="resolution: expected at least 1 cell, got 0"):
        extract(sphere_field, 0)
