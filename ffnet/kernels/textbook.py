"""The two-layer network of the textbooks, and the two parts of its tangent kernel (Du et al. 2019, arXiv 1810.02054;
Arora et al. 2019, arXiv 1901.08584).
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class TextbookNetwork(nn.Module):
    """``f(x) = scale sum_r b_r s(a_r . x)`` with the entries of a and b from N(0, 1); no biases.

    With ``scale = 1 / sqrt(width)``, the tangent kernel converges to ``K_a + K_b`` as the width grows:
    ``K_a = E[s'(a . x) s'(a . x')] x . x'`` of the first layer and ``K_b = E[s(a . x) s(a . x')]`` of the last.
    These are ``InfiniteMLP(1, s, "unit_variance").ntk_by_layer`` divided by its ``c = 1 / E[s(z)^2]``. With
    ``scale = 1 / width`` and a learning rate ``width`` times as high, the limit is the mean field: the weights move by
    an amount that does not depend on the width, and so does the kernel (Mei, Montanari & Nguyen 2018, arXiv
    1804.06561).

    Args:
        in_features: number of inputs d.
        width: number of units.
        seed: of the generator that draws a, then b.
        activation: s, elementwise.
        scale: ``width^(-1/2)`` if None.
        dtype: of the weights.
    """

    def __init__(
        self,
        in_features: int,
        width: int,
        seed: int,
        activation: Callable[[Tensor], Tensor] = torch.relu,
        scale: float | None = None,
        dtype: torch.dtype = torch.float64,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.activation = activation
        self.scale = width**-0.5 if scale is None else scale
        self.a = nn.Parameter(torch.randn(width, in_features, generator=generator, dtype=dtype))
        self.b = nn.Parameter(torch.randn(width, generator=generator, dtype=dtype))

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n 1"]:
        return self.scale * (self.activation(x @ self.a.T) @ self.b).unsqueeze(-1)
