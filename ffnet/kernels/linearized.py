"""First-order expansion of a model in its parameters."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.kernels.jacobians import function_of, pushforward, trainable


class Linearized(nn.Module):
    """``f(x; theta_0) + J(x) delta`` (Lee et al. 2019, eq. 5): its kernel stays constant during training.

    The parameters are ``delta``, initially 0; the tangent kernel is that of ``model`` at initialisation. The model is
    copied.

    Args:
        model: maps points (n, d) to values (n, c).
    """

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        start = trainable(model)
        self.names = list(start)
        self.delta = nn.ParameterList([nn.Parameter(torch.zeros_like(p)) for p in start.values()])
        self.start = copy.deepcopy(model).requires_grad_(False)

    def forward(self, x: Float[Tensor, "n d"]) -> Float[Tensor, "n c"]:
        function = function_of(self.start)
        start = dict(self.start.named_parameters())
        origin = {name: start[name] for name in self.names}
        change = dict(zip(self.names, self.delta, strict=True))
        value, slope = pushforward(lambda p: function(p, x), origin, change)
        return value + slope
