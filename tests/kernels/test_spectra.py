"""Eigenvalues and solves, against dense ones."""

import math

import pytest
import torch

from ffnet.encoders import GaussianEncoder, PositionalEncoder
from ffnet.kernels import (
    Gaussian,
    GridKernel,
    InfiniteMLP,
    JacobianOperator,
    LayerwiseOperator,
    as_matrix,
    axis_steps,
    circulant_eigenvalues,
    conjugate_gradients,
    effective_rank,
    eigenvalues,
    empirical_ntk,
    grid_points,
    leading_eigenpairs,
    ntk_operator,
    stationary_row,
    stationary_steps,
    wave_steps,
)
from tests.kernels.models import LAYERED, OTHERS, built, points


@pytest.mark.parametrize("block", [1, 4])
def test_lanczos_finds_the_leading_eigenvalues_of_a_network_s_kernel(block):
    for make in (LAYERED["gaussian encoder, sigmoid"], OTHERS["layer used twice"]):
        model, x = built(make), points(60)
        matrix = as_matrix(empirical_ntk(model, x))
        operator = ntk_operator(model, x, chunk=25)
        found = leading_eigenpairs(operator, operator.size, 10, block=block, tolerance=1e-6)
        torch.testing.assert_close(found.values, eigenvalues(matrix)[:10], rtol=1e-9, atol=1e-12)
        errors = (matrix @ found.vectors - found.vectors * found.values).norm(dim=0)
        assert (errors <= 1e-6 * found.values + 1e-12).all()
        assert found.products < operator.size


def test_repeated_eigenvalues_need_a_block():
    row = stationary_row(InfiniteMLP(2, "relu", "ntk", encoder=PositionalEncoder(1, 3)).ntk, [64])
    spectrum = torch.fft.rfft(row).real
    operator = lambda v: torch.fft.irfft(torch.fft.rfft(v, dim=0) * spectrum[:, None], 64, dim=0)  # noqa: E731
    wanted = circulant_eigenvalues(row).sort(descending=True).values[:9]
    assert (wanted[1:3].diff().abs() < 1e-12).all()
    found = leading_eigenpairs(operator, 64, 9, block=2, tolerance=1e-9).values
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=0)


def test_lanczos_survives_a_kernel_of_low_rank():
    features = torch.randn(40, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = leading_eigenpairs(lambda v: features @ (features.T @ v), 40, 5)
    torch.testing.assert_close(found.values[:3], eigenvalues(features.T @ features))
    assert found.values[3:].abs().max() < 1e-10
    torch.testing.assert_close(found.vectors.T @ found.vectors, torch.eye(5, dtype=torch.float64))


def test_lanczos_says_what_it_could_not_do():
    matrix = torch.diag(torch.linspace(1, 2, 200, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="max_products"):
        leading_eigenpairs(lambda v: matrix @ v, 200, 5, tolerance=1e-12, max_products=20)
    with pytest.raises(ValueError, match="count"):
        leading_eigenpairs(lambda v: matrix @ v, 200, 201)


def test_effective_rank_of_known_spectra():
    assert effective_rank(torch.ones(7)) == pytest.approx(7)
    assert effective_rank(torch.tensor([5.0, 0.0, -1e-9])) == pytest.approx(1)


GRIDS = {"1D": [24], "2D": [9, 14], "3D": [4, 5, 6]}


@pytest.mark.parametrize("size", GRIDS.values(), ids=GRIDS)
@pytest.mark.parametrize("name", ["gaussian", "ntk"])
def test_products_and_solves_on_grids_agree_with_dense_ones(name, size):
    d, count = len(size), math.prod(size)
    encoder = GaussianEncoder(d, 32, 3.0)
    kernel = Gaussian(0.2) if name == "gaussian" else InfiniteMLP(2, "relu", "ntk", encoder=encoder).ntk
    matrix = kernel(grid_points(size), grid_points(size)) + 0.1 * torch.eye(count, dtype=torch.float64)
    steps = stationary_steps(kernel, size, chunk=50)
    assert steps.shape == tuple(2 * s for s in size)
    grid = GridKernel(steps, ridge=0.1)
    assert grid.size == count
    values = torch.randn(count, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(grid(values), matrix @ values)
    found = grid.solve(values, tolerance=1e-10)
    assert (found.residuals <= 2e-10).all()
    torch.testing.assert_close(found.x, torch.linalg.solve(matrix, values), atol=1e-7, rtol=1e-7)


@pytest.mark.parametrize("size", [(9,), (4, 7), (3, 4, 5)])
def test_products_of_waves_are_sums_of_cosines(size):
    B = torch.randn(6, len(size), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    weights = torch.rand(6, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    axes = [axis_steps(count) for count in size]
    waves = [torch.exp(2j * torch.pi * steps[:, None] * B[:, i]) for i, steps in enumerate(axes)]
    steps = torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1)
    torch.testing.assert_close(wave_steps(waves, weights), (2 * torch.pi * steps @ B.T).cos() @ weights)
    kernel = lambda x, y: ((2 * torch.pi * (x[:, None] - y).flip(-1) @ B.T).cos()) @ weights  # noqa: E731
    inner = wave_steps(waves, weights) - stationary_steps(kernel, size)
    for axis, count in enumerate(size):
        inner.select(axis, count).zero_()  # steps that do not occur
    assert inner.abs().max() < 1e-12


def test_a_periodic_kernel_is_its_own_preconditioner():
    kernel = InfiniteMLP(2, "relu", "ntk", encoder=PositionalEncoder(2, 3)).ntk
    grid = GridKernel(stationary_steps(kernel, [16, 16]), ridge=1e-3)
    values = torch.randn(256, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.testing.assert_close(grid.precondition(grid(values)), values, atol=1e-9, rtol=0)
    assert grid.solve(values).iterations <= 2


def test_the_preconditioner_saves_iterations():
    kernel = InfiniteMLP(3, "relu", "ntk", encoder=GaussianEncoder(1, 128, 5.0)).ntk
    grid = GridKernel(stationary_steps(kernel, [512]))
    values = torch.randn(512, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert 3 * grid.solve(values).iterations < conjugate_gradients(grid, values).iterations


def test_conjugate_gradients_tell_the_residual_they_reached():
    matrix = torch.diag(torch.logspace(0, 6, 50, dtype=torch.float64))
    b = torch.ones(50, 1, dtype=torch.float64)
    found = conjugate_gradients(lambda v: matrix @ v, b, max_iterations=5)
    assert found.iterations == 5
    assert found.residuals.item() == pytest.approx(((b - matrix @ found.x).norm() / b.norm()).item())
    assert found.residuals.item() > 1e-6


def test_a_right_hand_side_of_zero_is_solved_with_others():
    matrix = torch.diag(torch.linspace(1, 9, 20, dtype=torch.float64))
    b = torch.tensor([0.0, 1.0], dtype=torch.float64).expand(20, 2)
    found = conjugate_gradients(lambda v: matrix @ v, b, tolerance=1e-12)
    torch.testing.assert_close(found.x, b / matrix.diagonal()[:, None])


@pytest.mark.parametrize("make", [LAYERED["siren"], OTHERS["layer used twice"]], ids=["layerwise", "jacobian"])
def test_conjugate_gradients_take_the_operator_of_a_network(make):
    model, x = built(make), points(4)
    operator, matrix = ntk_operator(model, x, chunk=3), as_matrix(empirical_ntk(model, x))
    b = torch.randn(operator.size, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = conjugate_gradients(operator, b, tolerance=1e-12)
    assert (found.residuals < 1e-9).all()
    wanted = torch.linalg.solve(matrix, b)
    # The solution is known to the residual times the condition number.
    assert (found.x - wanted).norm() <= 1e-9 * torch.linalg.cond(matrix) * wanted.norm()


def test_every_operator_takes_columns_of_any_stride_and_every_solver_takes_every_operator():
    kernel = InfiniteMLP(2, "relu", "ntk", encoder=GaussianEncoder(1, 64, 3.0)).ntk
    x = grid_points([30])
    operators = {
        "grid": (GridKernel(stationary_steps(kernel, [30])), kernel(x, x)),
        **{
            kind.__name__: (kind(model, points(10), chunk=4), as_matrix(empirical_ntk(model, points(10))))
            for model in [built(LAYERED["relu"])]
            for kind in (LayerwiseOperator, JacobianOperator)
        },
    }
    for name, (operator, matrix) in operators.items():
        rows = torch.randn(2, operator.size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
        torch.testing.assert_close(operator(rows.T), matrix @ rows.T, msg=name)
        found = leading_eigenpairs(operator, operator.size, 3, tolerance=1e-6)
        torch.testing.assert_close(found.values, eigenvalues(matrix)[:3], rtol=1e-8, atol=0)
