"""Integrals along lines: what parallel-beam tomography measures."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.operators.base import Field, Operator


def line_points(lines: Float[Tensor, "n 2"], along: Float[Tensor, "n s"]) -> Float[Tensor, "n s 2"]:
    """Points of lines in the plane, at signed distances ``along`` them.

    A line is (angle, offset): the points x with ``(x - c) . (cos angle, sin angle) = offset``, c = (1/2, 1/2) being
    the centre of the unit square, in the parametrization of the Radon transform (Radon 1917).
    """
    angle, offset = lines[:, 0, None], lines[:, 1, None]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([0.5 + offset * cos - along * sin, 0.5 + offset * sin + along * cos], dim=-1)


class ParallelBeam(Operator):
    """Integrals of a field over the lines' part in the unit square, by the midpoint rule.

    Queries are lines (n, 2), each an angle in radians and a signed distance from the centre of the square; the unit of
    an integral is (the field's unit) x (sides of the square). Outside of the square the field counts as 0. In training,
    each of the ``samples`` equal parts of a line is evaluated at a random place.

    Args:
        samples: points along the diagonal of the square, and so along every line.

    Raises:
        ValueError: if ``samples`` is not an integer of at least 1.
    """

    def __init__(self, samples: int = 256) -> None:
        super().__init__()
        if type(samples) is not int or samples < 1:
            raise ValueError(f"samples: expected an integer of at least 1, got {samples!r}")
        self.points_per_query = samples

    def noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "n s"]:
        return torch.rand(count, self.points_per_query, generator=generator, device=generator.device)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        part = torch.arange(self.points_per_query, device=queries.device, dtype=queries.dtype)
        place = part + (0.5 if noise is None else noise)
        along = math.sqrt(2) * (place / self.points_per_query - 0.5)
        x = line_points(queries, along.expand(len(queries), -1))
        inside = ((x >= 0) & (x <= 1)).all(-1)
        values = field(x[inside])
        on_lines = values.new_zeros(*inside.shape, values.shape[-1])
        on_lines[inside] = values
        return on_lines.sum(1) * (math.sqrt(2) / self.points_per_query)
