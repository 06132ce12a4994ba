"""Volume rendering: what a camera sees of a field of colour and density (Mildenhall et al. 2020, NeRF)."""

from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import max_pool3d, normalize, softplus

from ffnet.operators.base import Field, Operator

# What the first pass of hierarchical sampling adds to the weight of every part that is not empty (mip-NeRF, eq. 18).
PADDING = 0.01


def ray_weights(density: Float[Tensor, "n s"], length: Float[Tensor, "n #s"]) -> Float[Tensor, "n s"]:
    """Weights of a ray's samples, ``T_i (1 - exp(-density_i length_i))`` with T the light that is left (eq. 3); every
    sample stands for a part of the ray of its ``length``. They add up to the ray's opacity."""
    opacity = 1 - torch.exp(-density * length)
    left = torch.cumprod(torch.cat([torch.ones_like(opacity[:, :1]), 1 - opacity[:, :-1]], dim=1), dim=1)
    return left * opacity


def composite(
    colour: Float[Tensor, "n s 3"],
    density: Float[Tensor, "n s"],
    length: Float[Tensor, "n #s"],
    background: float = 0.0,
) -> Float[Tensor, "n 3"]:
    """Colour of rays in front of a grey ``background``: 0 is black, 1 is white."""
    weights = ray_weights(density, length)
    return (weights.unsqueeze(-1) * colour).sum(1) + background * (1 - weights.sum(1, keepdim=True))


def inverse_cdf(weights: Float[Tensor, "n c"], at: Float[Tensor, "n k"]) -> Float[Tensor, "n k"]:
    """Where in [0, 1] the share ``at`` of the total weight is reached, if ``weights`` are those of equal parts of
    [0, 1], each spread evenly over its part (Mildenhall et al. 2020, section 5.2)."""
    mass = weights / weights.sum(1, keepdim=True)
    below = torch.cat([torch.zeros_like(mass[:, :1]), mass.cumsum(1)], dim=1)
    part = (torch.searchsorted(below, at.contiguous(), right=True) - 1).clamp(0, weights.shape[1] - 1)
    within = (at - below.gather(1, part)) / mass.gather(1, part).clamp(min=torch.finfo(mass.dtype).tiny)
    return (part + within.clamp(0, 1)) / weights.shape[1]


def colour_and_density(values: Float[Tensor, "n 4"]) -> tuple[Float[Tensor, "n 3"], Float[Tensor, "n"]]:
    """From a field's values to colour in [0, 1] and density per unit of the scene, which begins near 1."""
    return values[:, :3].sigmoid(), 10 * softplus(values[:, 3] - 2)


class Opacity(nn.Module):
    """Opacity of a ray's part of length ``length`` at points with the given values (n, 4). On a black background black
    fog looks like nothing; with ``ffnet.fitting.Sparsity`` it is cleared."""

    def __init__(self, length: float = 0.04) -> None:
        super().__init__()
        self.length = length

    def forward(self, values: Float[Tensor, "n 4"]) -> Float[Tensor, "n"]:
        return 1 - torch.exp(-colour_and_density(values)[1] * self.length)


class Traced(NamedTuple):
    """What rays meet.

    Attributes:
        colour: in front of the background, in [0, 1].
        opacity: how much of the background is hidden, in [0, 1].
        distance: from the ray's origin, in the scene's unit: the mean over the ray's opacity, 0 where there is none.
    """

    colour: Float[Tensor, "n 3"]
    opacity: Float[Tensor, "n"]
    distance: Float[Tensor, "n"]


class VolumeRendering(Operator):
    """Colours (n, 3) of rays (n, 6) of a field with four values: three of colour and one of density, as logits.

    A query is a ray's origin and its direction of length 1, in the scene's unit. The scene lies in a cube about the
    origin, which the field sees as [0, 1]^3. In training the samples are stratified: one at a random place of each of
    ``samples`` parts of the ray's way through the cube. The parts have equal lengths; with ``coarse``, they have equal
    shares of what the ray meets, as the field itself says at so many points of a first pass (Mildenhall et al. 2020,
    section 5.2, with one field for both passes). Points in cells that the field itself finds empty are left out
    (Mueller et al. 2022, arXiv 2201.05989, appendix E).

    Args:
        half_side: half the side of the cube, in the scene's unit.
        samples: along a ray.
        coarse: points along a ray in the first pass, which has no gradient; 0 for none.
        near, far: distances from the camera between which the samples lie, in the scene's unit; None for no bound other
            than the cube.
        background: grey level of the background in [0, 1]: 0 is black, 1 is white.
        directions: the field has three more coordinates, the ray's direction as a unit vector.
        cells: along an axis of the grid that remembers where the field is empty; 0 keeps none.
        every_n_steps: between two looks at where it is empty.
        warmup_steps: before the first.
        threshold: density, per unit of the scene, up to which a cell is empty.

    Raises:
        ValueError: if a number is out of range.
    """

    occupied: Tensor

    def __init__(
        self,
        half_side: float = 1.25,
        samples: int = 64,
        coarse: int = 0,
        near: float | None = None,
        far: float | None = None,
        background: float = 0.0,
        directions: bool = False,
        cells: int = 32,
        every_n_steps: int = 50,
        warmup_steps: int = 150,
        threshold: float = 0.2,
    ) -> None:
        super().__init__()
        for name, value, least in (
            ("samples", samples, 1),
            ("coarse", coarse, 0),
            ("cells", cells, 0),
            ("every_n_steps", every_n_steps, 1),
        ):
            if type(value) is not int or value < least:
                raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
        if not _number(half_side) or half_side <= 0:
            raise ValueError(f"half_side: expected a finite number above 0, got {half_side!r}")
        for name, bound, start in (("near", near, 0.0), ("far", far, near or 0.0)):
            if bound is not None and not (_number(bound) and bound >= start):
                raise ValueError(f"{name}: expected a finite number of at least {start}, or null, got {bound!r}")
        if not _number(background) or not 0 <= background <= 1:
            raise ValueError(f"background: expected a number in [0, 1], got {background!r}")
        self.half_side, self.near, self.far = float(half_side), float(near or 0.0), None if far is None else float(far)
        self.samples, self.coarse, self.points_per_query = samples, coarse, samples + coarse
        self.background, self.directions, self.cells = float(background), directions is True, cells
        self.every_n_steps, self.warmup_steps, self.threshold = every_n_steps, warmup_steps, threshold
        self.register_buffer("occupied", torch.ones([max(1, cells)] * 3, dtype=torch.bool))

    def noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "n s"]:
        return torch.rand(count, self.samples, generator=generator, device=generator.device)

    def prepare(self, field: Field, step: int, generator: torch.Generator) -> None:
        if step >= self.warmup_steps and step % self.every_n_steps == 0:
            self.look(field, generator)

    @torch.no_grad()
    def look(self, field: Field, generator: torch.Generator) -> None:
        """Looks where ``field`` is empty: a cell is if the density at a random point of it and of its neighbours is
        next to none."""
        if self.cells == 0:
            return
        device = self.occupied.device
        index = torch.cartesian_prod(*[torch.arange(self.cells, device=device)] * 3)
        x = (index + torch.rand(index.shape, generator=generator, device=device)) / self.cells
        if self.directions:
            random = torch.randn(x.shape, generator=generator, device=device)
            x = torch.cat([x, normalize(random, dim=-1)], dim=-1)
        density = torch.cat([colour_and_density(field(part).float())[1] for part in x.split(2**14)])
        largest = max_pool3d(density.view(1, 1, *self.occupied.shape), 3, stride=1, padding=1)[0, 0]
        self.occupied.copy_(largest > self.threshold)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        _, length, colours, densities = self._sampled(field, queries, noise)
        return composite(colours, densities, length, self.background)

    def trace(self, field: Field, queries: Float[Tensor, "n q"]) -> Traced:
        """Colours, opacities and distances of rays, at the midpoints of their parts."""
        t, length, colours, densities = self._sampled(field, queries, None)
        weights = ray_weights(densities, length)
        opacity = weights.sum(1)
        distance = (weights * t).sum(1) / opacity.clamp(min=torch.finfo(opacity.dtype).tiny)
        return Traced(composite(colours, densities, length, self.background), opacity, distance)

    def _sampled(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None
    ) -> tuple[Float[Tensor, "n s"], Float[Tensor, "n s"], Float[Tensor, "n s 3"], Float[Tensor, "n s"]]:
        """Distances of the samples, lengths of their parts, colours and densities."""
        origins, directions = queries.split(3, dim=-1)
        near, length = self._way(origins, directions)
        edges = torch.linspace(0, 1, self.samples + 1, dtype=queries.dtype, device=queries.device)
        edges = edges.expand(len(queries), -1)
        if self.coarse:
            edges = inverse_cdf(self._first_pass(field, origins, directions, near, length), edges)
        parts = edges.diff(dim=1)
        t = near + length * (edges[:, :-1] + parts * (0.5 if noise is None else noise))
        colours, densities, _ = self._values(field, origins, directions, t, length)
        return t, length * parts, colours, densities

    @torch.no_grad()
    def _first_pass(
        self,
        field: Field,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        near: Float[Tensor, "n 1"],
        length: Float[Tensor, "n 1"],
    ) -> Float[Tensor, "n c"]:
        """Weights of equal parts of the ray; equal ones where there is nothing."""
        middle = (torch.arange(self.coarse, dtype=near.dtype, device=near.device) + 0.5) / self.coarse
        _, densities, there = self._values(field, origins, directions, near + length * middle, length)
        weights = ray_weights(densities, length / self.coarse) + PADDING * there
        return torch.where(there.any(1, keepdim=True), weights, 1.0)

    def _way(
        self, origins: Float[Tensor, "n 3"], directions: Float[Tensor, "n 3"]
    ) -> tuple[Float[Tensor, "n 1"], Float[Tensor, "n 1"]]:
        """Where a ray's way through the cube begins, and how long it is: 0 if it passes the cube."""
        walls = torch.stack([(-self.half_side - origins) / directions, (self.half_side - origins) / directions])
        near = walls.amin(0).amax(-1, keepdim=True).clamp(min=self.near)
        far = walls.amax(0).amin(-1, keepdim=True)
        far = far if self.far is None else far.clamp(max=self.far)
        return near, (far - near).clamp(min=0)

    def _values(
        self,
        field: Field,
        origins: Float[Tensor, "n 3"],
        directions: Float[Tensor, "n 3"],
        t: Float[Tensor, "n s"],
        length: Float[Tensor, "n 1"],
    ) -> tuple[Float[Tensor, "n s 3"], Float[Tensor, "n s"], Bool[Tensor, "n s"]]:
        """Colours and densities at distances ``t``, and which of these places are not known to be empty."""
        x = ((origins[:, None] + t[..., None] * directions[:, None]) / self.half_side + 1) / 2
        there = self._occupied(x) & (length > 0)
        points = x[there]
        if self.directions:
            points = torch.cat([points, directions[:, None].expand_as(x)[there]], dim=-1)
        values = field(points)
        colour, density = colour_and_density(values.to(torch.promote_types(values.dtype, torch.float32)))
        densities, colours = density.new_zeros(t.shape), colour.new_zeros(x.shape)
        densities[there], colours[there] = density, colour
        return colours, densities, there

    def _occupied(self, x: Float[Tensor, "n s 3"]) -> Bool[Tensor, "n s"]:
        i, j, k = (x * len(self.occupied)).long().clamp(0, len(self.occupied) - 1).unbind(-1)
        return self.occupied[i, j, k]


def _number(value: Any) -> bool:
    return type(value) in (int, float) and abs(value) < float("inf")
