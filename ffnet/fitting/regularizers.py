"""Regularizers for all fields."""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.budget import check
from ffnet.datasets import Batch
from ffnet.fitting.losses import Regularizer
from ffnet.operators.derivatives import gradient


class Sparsity(Regularizer):
    """Mean absolute value of the field at points drawn uniformly from the unit cube.

    Args:
        weight: weight of the term.
        points: number of points drawn per step.
        transform: maps the field's values (n, c) to the penalized quantity; the values themselves if None.
    """

    def __init__(self, weight: float, points: int = 1024, transform: nn.Module | None = None) -> None:
        super().__init__(weight)
        self.points, self.transform = _counted(points), transform or nn.Identity()

    def forward(self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        return self.transform(field(uniform_points(field, self.points, generator))).abs().mean()


class Differences(Regularizer):
    """A term of the field's slopes, by forward differences at points drawn uniformly from the unit cube.

    Args:
        weight: weight of the term.
        points: number of points drawn per step.
        step: the step of the differences in unit coordinates, such as the width of a pixel.
    """

    def __init__(self, weight: float, points: int = 1024, step: float = 1 / 256) -> None:
        super().__init__(weight)
        self.points, self.step = _counted(points), _positive(step)

    def squares(self, field: Callable[[Tensor], Tensor], generator: torch.Generator) -> Float[Tensor, "n c"]:
        """Squared norm of the gradient of every value."""
        x = uniform_points(field, self.points, generator)
        here = field(x)
        moved = [field(x + self.step * axis) for axis in torch.eye(x.shape[1], device=x.device)]
        return torch.stack([((there - here) / self.step).square() for there in moved]).sum(0)


class TotalVariation(Differences):
    """Isotropic total variation (Rudin, Osher & Fatemi 1992): mean norm of the gradient, by forward differences."""

    def forward(self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        return (self.squares(field, generator) + 1e-12).sqrt().mean()  # the gradient of a norm is finite at 0


class Smoothness(Differences):
    """Mean square of the gradient (Tikhonov & Arsenin 1977), by forward differences."""

    def forward(self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        return self.squares(field, generator).mean()


class Eikonal(Regularizer):
    """Mean ``(|grad f| - 1)^2`` at points drawn uniformly from the unit cube: a signed distance has a gradient of
    length 1 (Gropp et al. 2020, arXiv 2002.10099, eq. 3).

    Args:
        weight: weight of the term.
        points: number of points drawn per step.
    """

    def __init__(self, weight: float, points: int = 1024) -> None:
        super().__init__(weight)
        self.points = _counted(points)

    def forward(self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        slopes = gradient(field, uniform_points(field, self.points, generator))
        length = (slopes.square().sum(-1) + 1e-12).sqrt()  # the gradient of a norm is finite at 0
        return (length - 1).square().mean()


class Normals(Regularizer):
    """Mean ``|grad f - n|^2`` at points of the batch with unit normals n, for fields with one value (after Gropp et al.
    2020, eq. 2). Queries are (n, 2 d), coordinates and normals, as for ``ffnet.operators.OrientedPoints``.

    Args:
        weight: weight of the term.
        points: number of points per step, drawn from the batch.
    """

    def __init__(self, weight: float, points: int = 1024) -> None:
        super().__init__(weight)
        self.points = _counted(points)

    def forward(self, field: Callable[[Tensor], Tensor], batch: Batch, generator: torch.Generator) -> Float[Tensor, ""]:
        dimensions: int = field.in_features  # type: ignore[attr-defined]
        if batch.queries.shape[-1] != 2 * dimensions:
            got = batch.queries.shape[-1]
            raise ValueError(f"Normals: expected queries of {dimensions} coordinates with normals, got {got} numbers")
        drawn = torch.randint(len(batch.queries), (self.points,), generator=generator, device=generator.device)
        points, normals = batch.queries[drawn].chunk(2, dim=-1)
        return (gradient(field, points)[:, 0] - normals).square().sum(-1).mean()


def uniform_points(field: Callable[[Tensor], Tensor], count: int, generator: torch.Generator) -> Float[Tensor, "n d"]:
    """``count`` points drawn uniformly from the unit cube, with ``field.in_features`` coordinates."""
    check("points", count, "points of a regularizer")
    dimensions: int = field.in_features  # type: ignore[attr-defined]
    return torch.rand(count, dimensions, generator=generator, device=generator.device)


def _counted(points: int) -> int:
    if type(points) is not int or points < 1:
        raise ValueError(f"points: expected an integer of at least 1, got {points!r}")
    return points


def _positive(step: float) -> float:
    if type(step) not in (int, float) or not 0 < step < float("inf"):
        raise ValueError(f"step: expected a number above 0, got {step!r}")
    return step
