"""Networks whose tangent kernels are compared."""

from itertools import pairwise

import torch
from torch import nn

from ffnet.encoders import GaussianEncoder, GridEncoder, IdentityEncoder, PositionalEncoder
from ffnet.models import CoordinateMLP, Siren


class Sine(nn.Module):
    """The activation of SIREN (Sitzmann et al. 2020)."""

    def forward(self, x):
        return torch.sin(30 * x)


class Residual(nn.Module):
    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 2)

    def forward(self, x):
        h = torch.tanh(self.first(x))
        return self.last(h + torch.tanh(self.second(h)))


class Tied(nn.Module):
    """The same layer twice."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.last = nn.Linear(2, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        return self.last(torch.tanh(self.second(torch.tanh(self.second(self.first(x))))))


class Borrowed(Tied):
    """A layer's weight is used outside of the layer."""

    def forward(self, x):
        h = torch.tanh(self.second(self.first(x)))
        return self.last(torch.tanh(h @ self.second.weight))


class BorrowedAtTheRight(Tied):
    """A layer's weight is used outside of the layer, at points with x above 0.8 only."""

    def forward(self, x):
        h = torch.tanh(self.second(self.first(x)))
        return self.last(torch.where(x[:, :1] > 0.8, h @ self.second.weight, h))


class Scaled(nn.Module):
    """A parameter that no linear layer holds."""

    def __init__(self):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.3))
        self.layer = nn.Linear(2, 3)

    def forward(self, x):
        return self.scale * torch.tanh(self.layer(x))


class Halved(nn.Linear):
    """Its result is no longer the weight times the input."""

    def forward(self, input):
        return super().forward(input) / 2


def mlp(*widths, activation=nn.ReLU):
    modules = [m for a, b in pairwise(widths) for m in (nn.Linear(a, b), activation())]
    return nn.Sequential(*modules[:-1])


def without_first_weight():
    model = mlp(2, 8, 8, 2)
    model[0].weight.requires_grad_(False)
    model[4].bias.requires_grad_(False)
    return model


LAYERED = {
    "relu": lambda: mlp(2, 32, 32, 3),
    "one output": lambda: mlp(2, 16, 1),
    "no biases": lambda: nn.Sequential(nn.Linear(2, 16, bias=False), nn.Tanh(), nn.Linear(16, 2, bias=False)),
    "siren": lambda: mlp(2, 24, 24, 3, activation=Sine),
    "skip connection": Residual,
    "frozen parts": without_first_weight,
    "gaussian encoder, sigmoid": lambda: CoordinateMLP(
        GaussianEncoder(2, 32, 5.0), 3, 16, 2, output_activation=nn.Sigmoid()
    ),
    "no encoding": lambda: CoordinateMLP(IdentityEncoder(2), 2, 16, 2),
    "ffnet's siren": lambda: Siren(IdentityEncoder(2, centred=True), 2, 16, 2),
    "hashed grid encoder": lambda: CoordinateMLP(GridEncoder(2, 3, table_size=64, max_resolution=32), 2, 8, 1),
    "dense grid encoder": lambda: CoordinateMLP(GridEncoder(2, 2, min_resolution=4, max_resolution=8), 2, 8, 1),
    "positional encoder": lambda: CoordinateMLP(PositionalEncoder(2, 4, include_input=True), 1, 16, 1),
}
OTHERS = {
    "linear layer of another kind": lambda: nn.Sequential(Halved(2, 8), nn.Tanh(), nn.Linear(8, 2)),
    "layer used twice": Tied,
    "weight used elsewhere": Borrowed,
    "free parameter": Scaled,
    "weight used elsewhere at some points": BorrowedAtTheRight,
}


def built(make) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return make().double()


def points(n: int, seed: int = 0, d: int = 2) -> torch.Tensor:
    return torch.rand(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
