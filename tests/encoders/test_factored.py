"""Planes and lines against torch's own interpolation, and against loops."""

import itertools

import pytest
import torch
from torch.nn.functional import grid_sample

from ffnet.encoders import FactoredGridEncoder, nerfstudio


def points(count, d, seed=0):
    return torch.rand(count, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plane(grid, x):
    """Bilinear values (c, n) of a grid (c, height, width) at points (n, 2), x first."""
    return grid_sample(grid[None], (2 * x - 1)[None, None], align_corners=True, padding_mode="border")[0, :, 0]


def line(grid, x):
    """Linear values (c, n) of a grid (c, length) at points (n)."""
    return plane(grid[..., None], torch.stack([torch.full_like(x, 0.5), x], dim=-1))


def build(*arguments, **more):
    return FactoredGridEncoder(*arguments, **more, dtype=torch.float64)


@pytest.mark.parametrize("reduction", ["product", "sum"])
@pytest.mark.parametrize("cells", [[7, 5], [4, 5, 6], [3, 4, 5, 2]], ids=str)
def test_planes_are_the_product_or_sum_over_pairs_of_axes(cells, reduction):
    d = len(cells)
    encoder, x = build(d, "planes", 3, cells, reduction), 1.4 * points(30, d) - 0.2
    pairs = list(itertools.combinations(range(d), 2))
    assert [grid.shape[1:] for grid in encoder.grids()] == [(cells[j] + 1, cells[i] + 1) for i, j in pairs]
    values = torch.stack([plane(g, x[:, list(pair)]) for g, pair in zip(encoder.grids(), pairs, strict=True)])
    wanted = values.prod(0) if reduction == "product" else values.sum(0)
    torch.testing.assert_close(encoder(x), wanted.T)


def test_lines_are_the_product_over_axes():
    encoder, x = build(3, "lines", 4, [4, 5, 6]), points(30, 3)
    z, y, first = encoder.grids()
    torch.testing.assert_close(encoder(x), (line(z, x[:, 2]) * line(y, x[:, 1]) * line(first, x[:, 0])).T)


def test_planes_and_lines_are_a_product_for_each_axis():
    encoder, x = build(3, "planes and lines", 2, [4, 5, 6]), points(30, 3)
    grids, parts = encoder.grids(), []
    for number, axis in enumerate((2, 1, 0)):
        others = [other for other in range(3) if other != axis]
        parts.append(plane(grids[2 * number], x[:, others]) * line(grids[2 * number + 1], x[:, axis]))
    torch.testing.assert_close(encoder(x), torch.cat(parts).T)
    assert encoder.out_features == 6


@pytest.mark.parametrize("factorization", ["planes", "lines", "planes and lines"])
def test_finer_grids_have_the_values_of_the_coarser_ones(factorization):
    encoder, x = build(3, factorization, 2, 4), points(50, 3)
    finer = encoder.resampled([8, 12, 4])
    torch.testing.assert_close(finer(x), encoder(x))
    assert sum(finer.entries) > sum(encoder.entries)


def test_the_start_follows_the_seed_and_the_kind():
    planes, lines = build(3, "planes", 8, 20), build(3, "lines", 8, 500)
    assert 0.1 <= planes.table.min() < 0.11 < 0.49 < planes.table.max() <= 0.5
    assert lines.table.std().item() == pytest.approx(0.1, rel=0.03)
    assert not torch.equal(planes.table, build(3, "planes", 8, 20, seed=1).table)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"factorization": "tree"}, "factorization: expected one of planes, lines, planes and lines, got 'tree'"),
        ({"in_features": 5}, "in_features: expected one of"),
        ({"in_features": 2, "factorization": "planes and lines"}, "in_features: expected one of"),
        ({"components": 0}, "components: expected an integer"),
        ({"resolution": [4, 4]}, "resolution: expected one number or 3"),
        ({"resolution": 0}, "resolution: expected an integer"),
        ({"reduction": "max"}, "reduction: expected product or sum, got 'max'"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        FactoredGridEncoder(**({"in_features": 3} | arguments))


# nerfstudio's classes around them: coordinates in [-1, 1], grids as its checkpoints store them.


def sampled(grids, x):
    """As nerfstudio's layout is read: grids (k, c, height, width) at points (k, n, 2) in [-1, 1]."""
    return grid_sample(grids, x[:, :, None], align_corners=True)[..., 0]


def test_checkpoints_of_nerfstudios_grids_go_in_and_mean_the_same():
    x = 2 * points(20, 3) - 1
    planes = torch.stack([x[:, [0, 1]], x[:, [0, 2]], x[:, [1, 2]]])
    lines = torch.stack([0 * x, x], dim=-1)[:, [2, 1, 0]].movedim(1, 0)
    draw = lambda *shape: torch.randn(shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)  # noqa: E731
    state = {"plane_coef": draw(3, 4, 6, 6), "line_coef": draw(3, 4, 6, 1)}
    plane_values, line_values = sampled(state["plane_coef"], planes), sampled(state["line_coef"], lines)
    for encoding, names, wanted in (
        (nerfstudio.TensorCPEncoding(6, 4), ["line_coef"], line_values.prod(0)),
        (nerfstudio.TensorVMEncoding(6, 4), ["plane_coef", "line_coef"], (plane_values * line_values).flatten(0, 1)),
        (nerfstudio.TriplaneEncoding(6, 4), ["plane_coef"], plane_values.sum(0)),
        (nerfstudio.TriplaneEncoding(6, 4, reduce="product"), ["plane_coef"], plane_values.prod(0)),
    ):
        encoding = torch.nn.ModuleDict({"encoding": encoding.double()})
        given = {f"encoding.{name}": state[name] for name in names}
        encoding.load_state_dict(given)
        torch.testing.assert_close(encoding["encoding"](x), wanted.T)
        published = encoding.state_dict()
        assert list(published) == list(given)
        assert all(torch.equal(published[name], given[name]) for name in given)
        with pytest.raises(RuntimeError, match="Missing key"):
            encoding.load_state_dict({})


def test_k_planes_have_nerfstudios_planes_and_start():
    encoding = nerfstudio.KPlanesEncoding((5, 6, 7, 3), 4).double()
    pairs = encoding.coo_combs
    state = encoding.state_dict()
    assert list(state) == [f"plane_coefs.{i}" for i in range(6)]
    assert [tuple(g.shape) for g in state.values()] == [(4, (5, 6, 7, 3)[j], (5, 6, 7, 3)[i]) for i, j in pairs]
    for grid, pair in zip(state.values(), pairs, strict=True):
        assert torch.equal(grid, torch.ones_like(grid)) == (3 in pair)
        assert grid.min() >= 0.1
    other = {name: torch.randn_like(grid) for name, grid in state.items()}
    encoding.load_state_dict(other)
    x = 2 * points(20, 4) - 1
    values = [sampled(grid[None], x[None, :, list(pair)])[0] for grid, pair in zip(other.values(), pairs, strict=True)]
    torch.testing.assert_close(encoding(x), torch.stack(values).prod(0).T)


def test_a_grid_is_refined_in_place():
    encoding, x = nerfstudio.TensorVMEncoding(5, 3).double(), 2 * points(20, 3) - 1
    before = encoding(x)
    encoding.upsample_grid(resolution=9)
    torch.testing.assert_close(encoding(x), before)
    assert encoding.resolution == 9
    assert encoding.state_dict()["plane_coef"].shape == (3, 3, 9, 9)


def test_a_hash_encoding_is_a_grid_with_nerfstudios_start():
    encoding = nerfstudio.HashEncoding(num_levels=3, log2_hashmap_size=8, features_per_level=4, hash_init_scale=0.01)
    assert encoding.get_out_dim() == 12
    assert 0.009 < encoding.encoder.table.abs().max() <= 0.01
    assert encoding(points(5, 3).float()).shape == (5, 12)
    assert (encoding.hash_table_size, encoding.encoder.resolutions[-1]) == (256, 1024)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: nerfstudio.ScalingAndOffset(-1), "in_dim: expected at least 1, got -1"),
        (lambda: nerfstudio.Identity(0), "in_dim: expected at least 1"),
        (lambda: nerfstudio.NeRFEncoding(0, 3, 0.0, 2.0), "in_dim: expected at least 1"),
        (lambda: nerfstudio.RFFEncoding(2, 3, 0.0), "scale: expected a number above 0"),
        (lambda: nerfstudio.SHEncoding(6), "levels: expected 1 to 5, got 6"),
        (lambda: nerfstudio.HashEncoding(interpolation="Smoothstep"), "interpolation: expected Linear"),
        (lambda: nerfstudio.HashEncoding(implementation="jax"), "implementation: expected tcnn or torch"),
        (lambda: nerfstudio.KPlanesEncoding((4, 4)), "resolution: expected 3 or 4 numbers"),
    ],
)
def test_nerfstudios_arguments_are_checked(build, message):
    with pytest.raises(ValueError, match=message):
        build()


def test_scaling_and_offset():
    encoding = nerfstudio.ScalingAndOffset(3, scaling=2.0, offset=4.5)
    assert (encoding.get_out_dim(), encoding.in_dim) == (3, 3)
    torch.testing.assert_close(encoding(torch.full((2, 3), 0.5)), torch.full((2, 3), 5.5))
    assert torch.equal(nerfstudio.Identity(2)(points(4, 2)), points(4, 2))
