"""Volume rendering: what a camera sees of a field of colour and density (Mildenhall et al. 2020, NeRF)."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.functional import max_pool3d, softplus

from ffnet.operators.base import Field, Operator


def composite(
    colour: Float[Tensor, "n s 3"], density: Float[Tensor, "n s"], length: Float[Tensor, "n 1"]
) -> Float[Tensor, "n 3"]:
    """Colour of rays on black: ``sum_i T_i (1 - exp(-density_i length)) colour_i``, T being the light that is left
    (eq. 3); every sample stands for a part of the ray of the same ``length``."""
    opacity = 1 - torch.exp(-density * length)
    left = torch.cumprod(torch.cat([torch.ones_like(opacity[:, :1]), 1 - opacity[:, :-1]], dim=1), dim=1)
    return ((left * opacity).unsqueeze(-1) * colour).sum(1)


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


class VolumeRendering(Operator):
    """Colours (n, 3) of rays (n, 6) of a field with four values: three of colour and one of density, as logits.

    A query is a ray's origin and its direction of length 1, in the scene's unit. The scene lies in a cube about the
    origin, which the field sees as [0, 1]^3; the background is black. In training the samples are stratified: one at a
    random place of each of ``samples`` equal parts of the ray's way through the cube. Points in cells that the field
    itself finds empty are left out (Mueller et al. 2022, arXiv 2201.05989, appendix E).

    Args:
        half_side: half the side of the cube, in the scene's unit.
        samples: along a ray.
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
        cells: int = 32,
        every_n_steps: int = 50,
        warmup_steps: int = 150,
        threshold: float = 0.2,
    ) -> None:
        super().__init__()
        for name, value, least in (("samples", samples, 1), ("cells", cells, 0), ("every_n_steps", every_n_steps, 1)):
            if type(value) is not int or value < least:
                raise ValueError(f"{name}: expected an integer of at least {least}, got {value!r}")
        if type(half_side) not in (int, float) or not 0 < half_side < float("inf"):
            raise ValueError(f"half_side: expected a finite number above 0, got {half_side!r}")
        self.half_side, self.points_per_query, self.cells = float(half_side), samples, cells
        self.every_n_steps, self.warmup_steps, self.threshold = every_n_steps, warmup_steps, threshold
        self.register_buffer("occupied", torch.ones([max(1, cells)] * 3, dtype=torch.bool))

    def noise(self, count: int, generator: torch.Generator) -> Float[Tensor, "n s"]:
        return torch.rand(count, self.points_per_query, generator=generator, device=generator.device)

    @torch.no_grad()
    def prepare(self, field: Field, step: int, generator: torch.Generator) -> None:
        """A cell is empty if the density at a random point of it and of its neighbours is next to none."""
        if self.cells == 0 or step < self.warmup_steps or step % self.every_n_steps:
            return
        device = self.occupied.device
        index = torch.cartesian_prod(*[torch.arange(self.cells, device=device)] * 3)
        x = (index + torch.rand(index.shape, generator=generator, device=device)) / self.cells
        density = torch.cat([colour_and_density(field(part).float())[1] for part in x.split(2**14)])
        largest = max_pool3d(density.view(1, 1, *self.occupied.shape), 3, stride=1, padding=1)[0, 0]
        self.occupied.copy_(largest > self.threshold)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        origins, directions = queries.split(3, dim=-1)
        walls = torch.stack([(-self.half_side - origins) / directions, (self.half_side - origins) / directions])
        near = walls.amin(0).amax(-1, keepdim=True).clamp(min=0)
        length = (walls.amax(0).amin(-1, keepdim=True) - near).clamp(min=0)
        part = torch.arange(self.points_per_query, device=queries.device) + (0.5 if noise is None else noise)
        t = near + length * part / self.points_per_query
        x = ((origins[:, None] + t[..., None] * directions[:, None]) / self.half_side + 1) / 2
        there = self._occupied(x) & (length > 0)
        values = field(x[there])
        colour, density = colour_and_density(values.to(torch.promote_types(values.dtype, torch.float32)))
        densities, colours = density.new_zeros(t.shape), colour.new_zeros(x.shape)
        densities[there], colours[there] = density, colour
        return composite(colours, densities, length / self.points_per_query)

    def _occupied(self, x: Float[Tensor, "n s 3"]) -> Bool[Tensor, "n s"]:
        i, j, k = (x * len(self.occupied)).long().clamp(0, len(self.occupied) - 1).unbind(-1)
        return self.occupied[i, j, k]
