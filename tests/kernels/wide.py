"""Wide networks in the ``ntk`` parameterisation, whose kernel converges to that of ``InfiniteMLP(..., "ntk")``."""

import torch
from torch import nn


class Gained(nn.Module):
    """A linear layer of N(0, 1) weights behind a constant factor, so that the layer itself stays ``nn.Linear``."""

    def __init__(self, fan_in, fan_out, w_std, generator):
        super().__init__()
        self.gain = w_std / fan_in**0.5
        self.linear = nn.Linear(fan_in, fan_out, bias=False, dtype=torch.float64, device="meta").to_empty(device="cpu")
        with torch.no_grad():
            self.linear.weight.normal_(generator=generator)

    def forward(self, x):
        return self.linear(self.gain * x)


def wide_mlp(fan_in, width, hidden_layers, seed, w_std=2**0.5):
    """ReLU network with one output, in float64."""
    generator = torch.Generator().manual_seed(seed)
    modules = []
    for _ in range(hidden_layers):
        modules += [Gained(fan_in, width, w_std, generator), nn.ReLU()]
        fan_in = width
    return nn.Sequential(*modules, Gained(fan_in, 1, w_std, generator))
