"""Integrals along lines: what X-ray tomography measures."""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.operators.base import Field, Operator


def parallel_lines(angles: Float[Tensor, "a"], offsets: Float[Tensor, "m"]) -> Float[Tensor, "n 2"]:
    """Lines (angle, offset) of a parallel beam, all offsets of the first angle first. Angles in radians; offsets are
    signed distances from the centre of the unit square."""
    return torch.cartesian_prod(angles, offsets)


def fan_lines(angles: Float[Tensor, "a"], fan: Float[Tensor, "m"], source: float) -> Float[Tensor, "n 2"]:
    """Lines (angle, offset) of a fan beam, all of the first source position first (Kak & Slaney 1988, section 3.4).

    At the angle b the source is at the distance ``source``, in sides of the square, from the square's centre, in the
    direction ``(-sin b, cos b)``. Seen from there, the line at the ``fan`` angle 0 passes through the centre, and that
    at g is the line of the parallel beam with angle ``b + g`` and offset ``source sin g``.
    """
    b, g = torch.cartesian_prod(angles, fan).unbind(-1)
    return torch.stack([b + g, source * g.sin()], dim=-1)


def even_offsets(count: int) -> Float[Tensor, "m"]:
    """Centres of ``count`` detectors over the width of the unit square."""
    return (torch.arange(count, dtype=torch.float64) + 0.5) / count - 0.5


def line_points(lines: Float[Tensor, "n 2"], along: Float[Tensor, "n s"]) -> Float[Tensor, "n s 2"]:
    """Points of lines in the plane, at signed distances ``along`` them.

    A line is (angle, offset): the points x with ``(x - c) . (cos angle, sin angle) = offset``, c = (1/2, 1/2) being
    the centre of the unit square, in the parametrization of the Radon transform (Radon 1917).
    """
    angle, offset = lines[:, 0, None], lines[:, 1, None]
    cos, sin = angle.cos(), angle.sin()
    return torch.stack([0.5 + offset * cos - along * sin, 0.5 + offset * sin + along * cos], dim=-1)


def chord(lines: Float[Tensor, "n 2"]) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n 1"]]:
    """Where a line enters the unit square, as a signed distance along it, and how long it stays there; 0 if it passes
    by."""
    angle, offset = lines[:, 0, None], lines[:, 1, None]
    foot = torch.cat([offset * angle.cos(), offset * angle.sin()], dim=1)  # from the centre
    direction = torch.cat([-angle.sin(), angle.cos()], dim=1)
    tiny = torch.finfo(lines.dtype).tiny ** 0.5  # a line along an axis has no distance to a parallel wall
    direction = torch.where(direction.abs() < tiny, tiny, direction)
    walls = torch.stack([(-0.5 - foot) / direction, (0.5 - foot) / direction])
    enters = walls.amin(0).amax(1, keepdim=True)
    leaves = walls.amax(0).amin(1, keepdim=True)
    longest = math.sqrt(2)
    return enters.clamp(-longest, longest), (leaves - enters).clamp(0, longest)


class LineIntegrals(Operator):
    """Integrals of a field over the lines' part in the unit square, by the midpoint rule.

    Queries are lines (n, 2), each an angle in radians and a signed distance from the centre of the square; the unit of
    an integral is (the field's unit) x (sides of the square). Outside of the square the field counts as 0. In training,
    each of the ``samples`` equal parts of a line is evaluated at a random place.

    Args:
        samples: points along every line's part in the square.

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
        enters, length = chord(queries)
        part = torch.arange(self.points_per_query, device=queries.device, dtype=queries.dtype)
        place = (part + (0.5 if noise is None else noise)) / self.points_per_query
        x = line_points(queries, enters + length * place)
        values = field(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        return values.sum(1, dtype=torch.promote_types(values.dtype, torch.float32)) * (length / self.points_per_query)
