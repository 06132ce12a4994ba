"""The grid encoder against loops over corners, and against what interpolation must reproduce."""

import itertools

import numpy as np
import pytest
import torch

from ffnet.encoders import GridEncoder
from ffnet.encoders import grid as grid_file

PRIMES = (1, 2654435761, 805459861, 3674653429)


def by_hand(encoder: GridEncoder, point: np.ndarray) -> np.ndarray:
    """Features of one point, corner by corner, in Python's integers."""
    table, start, features = encoder.table.detach().double().numpy(), 0, []
    for resolution, entries in zip(encoder.resolutions, encoder.entries, strict=True):
        position = np.clip(point, 0, 1) * resolution
        cell = np.minimum(np.floor(position).astype(int), resolution - 1)
        value = np.zeros(len(table))
        for corner in itertools.product((0, 1), repeat=len(point)):
            vertex = [int(c) + s for c, s in zip(cell, corner, strict=True)]
            weight = np.prod([f if s else 1 - f for f, s in zip(position - cell, corner, strict=True)])
            if entries == (resolution + 1) ** len(point):
                entry = sum(v * (resolution + 1) ** axis for axis, v in enumerate(vertex))
            else:
                entry = 0
                for v, prime in zip(vertex, PRIMES, strict=False):
                    entry ^= v * prime
                entry %= entries
            value += weight * table[:, start + entry]
        features.extend(value)
        start += entries
    return np.array(features)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("table_size", [16, 2**12], ids=["hashed", "dense"])
def test_features_are_those_of_a_loop_over_corners(dimensions, table_size):
    encoder = GridEncoder(dimensions, 3, 2, table_size, min_resolution=2, max_resolution=6, dtype=torch.float64)
    points = np.random.default_rng(0).uniform(-0.1, 1.1, (50, dimensions))
    points[:3] = [[0] * dimensions, [1] * dimensions, [0.5] * dimensions]
    features = encoder(torch.tensor(points)).detach().numpy()
    np.testing.assert_allclose(features, [by_hand(encoder, p) for p in points], atol=1e-17)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
def test_linear_functions_are_reproduced(dimensions):
    encoder = GridEncoder(dimensions, 1, 1, 2**12, min_resolution=5, max_resolution=5, dtype=torch.float64)
    slope = torch.arange(1.0, dimensions + 1, dtype=torch.float64)
    axes = [torch.arange(6, dtype=torch.float64) / 5] * dimensions
    vertices = torch.stack(torch.meshgrid(*axes, indexing="ij"), -1).flip(-1).reshape(-1, dimensions)  # x fastest
    encoder.table.data = (vertices @ slope)[None]
    x = torch.rand(100, dimensions, dtype=torch.float64)
    torch.testing.assert_close(encoder(x)[:, 0], x @ slope)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_fast_way_agrees_with_the_gathering_way(dimensions):
    table = torch.rand(2, 8**dimensions, dtype=torch.float64, requires_grad=True)
    x = (torch.rand(200, dimensions, dtype=torch.float64) * 1.2 - 0.1).requires_grad_()
    results = []
    for way in (grid_file.sample, grid_file.gather):
        features = way(x, table, 7)
        results.append((features, *torch.autograd.grad((features**2).sum(), (table, x))))
    for one, other in zip(*results, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("table_size", [16, 2**12], ids=["hashed", "dense"])
def test_gradients_of_the_table_agree_with_finite_differences(dimensions, table_size):
    encoder = GridEncoder(dimensions, 2, 1, table_size, min_resolution=2, max_resolution=3, dtype=torch.float64)
    x = torch.rand(6, dimensions, dtype=torch.float64)

    def function(table: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(encoder, {"table": table}, (x,))

    assert torch.autograd.gradcheck(function, (encoder.table,))


# The first forward derivative of a process calls torch.jit.script.
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated:FutureWarning")
@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("table_size", [16, 2**12], ids=["hashed", "dense"])
def test_derivatives_forward_are_those_backward(dimensions, table_size):
    encoder = GridEncoder(dimensions, 2, table_size=table_size, min_resolution=3, max_resolution=5).double()
    x = torch.rand(7, dimensions, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    forward, backward = (
        torch.func.vmap(derivative(encoder))(x) for derivative in (torch.func.jacfwd, torch.func.jacrev)
    )
    torch.testing.assert_close(forward, backward)
    assert backward.abs().max() > 1e-4


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("table_size", [16, 2**12], ids=["hashed", "dense"])
def test_the_features_are_the_interpolation_of_the_table(dimensions, table_size):
    encoder = GridEncoder(dimensions, 2, table_size=table_size, min_resolution=3, max_resolution=5).double()
    x = torch.rand(7, dimensions, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    tables = encoder.table.split(encoder.entries, dim=-1)
    parts = [A @ table.T for A, table in zip(encoder.interpolation(x), tables, strict=True)]
    torch.testing.assert_close(torch.cat(parts, dim=-1), encoder(x), atol=1e-12, rtol=0)


@pytest.mark.parametrize("dimensions", [1, 2, 3, 4])
@pytest.mark.parametrize("table_size", [16, 2**12], ids=["hashed", "dense"])
def test_a_coordinate_that_is_no_number_has_no_features(dimensions, table_size):
    encoder = GridEncoder(dimensions, 2, table_size=table_size, min_resolution=3, max_resolution=5)
    x = torch.full((3, dimensions), 0.4)
    x[1, -1] = float("nan")
    x[2, 0] = float("inf")  # clamped
    features = encoder(x)
    assert features[1].isnan().all()
    assert features[[0, 2]].isfinite().all()


def test_resolutions_are_a_geometric_progression_with_both_ends():
    assert grid_file.resolutions(5, 16, 256) == [16, 32, 64, 128, 256]
    assert grid_file.resolutions(1, 7, 100) == [7]
    for highest in range(20, 200):
        assert grid_file.resolutions(6, 16, highest)[-1] == highest


def test_levels_are_dense_while_the_table_has_room():
    encoder = GridEncoder(2, levels=4, table_size=2**12, min_resolution=16, max_resolution=128)
    assert encoder.resolutions == [16, 32, 64, 128]
    assert encoder.entries == [17**2, 33**2, 2**12, 2**12]
    assert encoder.table.shape == (2, sum(encoder.entries))


def test_the_start_is_small_and_its_own():
    one, two = GridEncoder(2, seed=0), GridEncoder(2, seed=1)
    assert one.table.abs().max() <= 1e-4
    assert one.table.std().item() == pytest.approx(1e-4 / 3**0.5, rel=0.02)
    assert not torch.equal(one.table, two.table)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 5}, "in_features: expected at most 4, got 5"),
        ({"levels": 0}, "levels: expected an integer"),
        ({"table_size": 1000}, "table_size: expected a power of two, got 1000"),
        ({"min_resolution": 20, "max_resolution": 10}, "max_resolution: expected at least min_resolution, 20, got 10"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        GridEncoder(**({"in_features": 2} | arguments))
