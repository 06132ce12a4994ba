"""The table of models. A new model adds a line here and inherits every law in test_laws.py."""

from torch import nn

from ffnet.encoders import GaussianEncoder, IdentityEncoder, PositionalEncoder
from ffnet.models import CoordinateMLP

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
}
