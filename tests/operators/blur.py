"""An operator with several points a query, with noise and with a state."""

import torch

from ffnet.operators import Operator


class Blur(Operator):
    """Means of a field's values at ``points_per_query`` points around each query, which noise moves.

    It counts in a buffer how often it was prepared.
    """

    def __init__(self, points=3, radius=0.05):
        super().__init__()
        self.points_per_query, self.radius = points, radius
        self.register_buffer("prepared", torch.zeros((), dtype=torch.int64))

    def forward(self, field, queries, noise=None):
        count, width = queries.shape
        ring = torch.linspace(-1, 1, self.points_per_query, dtype=queries.dtype, device=queries.device)
        offsets = ring[None, :, None].expand(count, -1, width)
        if noise is not None:
            offsets = offsets + noise.view(count, self.points_per_query, width)
        points = queries[:, None] + self.radius * offsets
        return field(points.flatten(0, 1)).unflatten(0, (count, self.points_per_query)).mean(1)

    def noise(self, count, generator):
        return torch.randn(count, 2 * self.points_per_query, generator=generator, device=generator.device)

    def prepare(self, field, step, generator):
        assert step == self.prepared
        self.prepared += 1
