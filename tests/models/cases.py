"""The table of models. A new model adds a line here and inherits every law in test_laws.py."""

from torch import nn

from ffnet.encoders import AnnealedEncoder, GaussianEncoder, IdentityEncoder, PositionalEncoder
from ffnet.models import CoordinateMLP, FilterNetwork, Finer, Gabor, Gaussian, RadianceMLP, Siren, Wire


def small(**more):
    """Arguments of a small network on two centred coordinates."""
    return lambda: {"encoder": IdentityEncoder(2, centred=True), "out_features": 2, "hidden_features": 8} | more


# name: (constructor, a function that makes its arguments, seed aside)
MODELS = {
    "mlp after gaussian": (
        CoordinateMLP,
        lambda: {"encoder": GaussianEncoder(2, 16), "out_features": 3, "hidden_features": 8},
    ),
    "mlp after identity, sigmoid, glorot": (
        CoordinateMLP,
        lambda: {
            "encoder": IdentityEncoder(3),
            "out_features": 1,
            "hidden_features": 8,
            "output_activation": nn.Sigmoid(),
            "initialization": "glorot",
        },
    ),
    "mlp after positional, tanh, one layer": (
        CoordinateMLP,
        lambda: {
            "encoder": PositionalEncoder(2, 4, include_input=True),
            "out_features": 2,
            "hidden_features": 8,
            "hidden_layers": 1,
            "activation": nn.Tanh(),
        },
    ),
    "mlp with skips, annealed": (
        CoordinateMLP,
        lambda: {
            "encoder": AnnealedEncoder(PositionalEncoder(2, 3)),
            "out_features": 1,
            "hidden_features": 8,
            "hidden_layers": 4,
            "activation": nn.Softplus(),
            "skips": [1, 3],
        },
    ),
    "mlp with an initial output": (CoordinateMLP, small(output_activation=nn.Sigmoid(), output_init=[0.9, 0.2])),
    "mlp of Gaussians": (CoordinateMLP, small(activation=Gaussian(0.5))),
    "mlp of real wavelets": (CoordinateMLP, small(activation=Gabor(5.0, 2.0))),
    "siren": (Siren, small()),
    "radiance": (
        lambda seed: RadianceMLP(PositionalEncoder(2, 3), IdentityEncoder(1), 8, 3, [2], seed=seed),
        dict,
    ),
    "siren after positional, sigmoid": (
        Siren,
        small(encoder=PositionalEncoder(2, 3), hidden_layers=1, output_activation=nn.Sigmoid()),
    ),
    "siren, scaled, with an initial output": (Siren, small(weight_scale=2.0, output_init=[0.9, 0.2])),
    "finer": (Finer, small(hidden_layers=2)),
    "wire": (Wire, small(hidden_layers=2, output_activation=nn.Sigmoid())),
    "fourier filters": (FilterNetwork, small(hidden_layers=3, input_scale=16.0)),
    "gabor filters": (FilterNetwork, small(hidden_layers=3, filters="gabor", input_scale=16.0)),
}
