"""Random networks of finite width in the ``ntk`` parameterisation, whose limit is ``InfiniteMLP(..., "ntk")``."""

import copy

import torch
from jaxtyping import Float
from torch import Tensor, nn


class GainedLinear(nn.Module):
    """``W x w_std / sqrt(fan_in)`` with the entries of W from N(0, 1); no bias.

    The factor multiplies the input of an ``nn.Linear`` layer, so that gradients are taken with respect to its weight
    and the kernel needs no Jacobian.
    """

    def __init__(self, fan_in: int, fan_out: int, w_std: float, generator: torch.Generator, dtype: torch.dtype) -> None:
        super().__init__()
        self.gain = w_std / fan_in**0.5
        # Created without PyTorch's initialisation, which would draw from the global generator.
        self.linear = nn.Linear(fan_in, fan_out, bias=False, device="meta", dtype=dtype).to_empty(device="cpu")
        nn.init.normal_(self.linear.weight, generator=generator)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        return self.linear(self.gain * x)


def finite_mlp(
    in_features: int,
    width: int,
    hidden_layers: int,
    seed: int,
    activation: nn.Module | None = None,
    w_std: float = 2**0.5,
    dtype: torch.dtype = torch.float64,
) -> nn.Sequential:
    """A random network with one output and no biases: ``InfiniteMLP(hidden_layers, activation, "ntk", w_std)`` is its
    limit, to which its empirical kernel converges as ``width^(-1/2)``.

    Args:
        in_features: number of input features.
        width: of the hidden layers.
        hidden_layers: number of activations.
        seed: of the generator that draws the weights.
        activation: ReLU if None.
        w_std: the limit's.
        dtype: of the weights.
    """
    generator = torch.Generator().manual_seed(seed)
    modules: list[nn.Module] = []
    for _ in range(hidden_layers):
        modules += [GainedLinear(in_features, width, w_std, generator, dtype), copy.deepcopy(activation or nn.ReLU())]
        in_features = width
    return nn.Sequential(*modules, GainedLinear(in_features, 1, w_std, generator, dtype))
