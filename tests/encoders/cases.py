"""The table of encoders. A new encoder adds a line here and inherits every law in test_laws.py."""

import math

from ffnet.encoders import GaussianEncoder, GridEncoder, IdentityEncoder, PositionalEncoder

# name: (constructor, arguments)
ENCODERS = {
    "identity": (IdentityEncoder, {"in_features": 2}),
    "identity in 3D": (IdentityEncoder, {"in_features": 3}),
    "identity, centred": (IdentityEncoder, {"in_features": 3, "centred": True}),
    "positional": (PositionalEncoder, {"in_features": 2}),
    "positional, normalised": (PositionalEncoder, {"in_features": 3, "num_frequencies": 4, "normalize": True}),
    "positional in 3D, with input": (
        PositionalEncoder,
        {"in_features": 3, "num_frequencies": 5, "include_input": True},
    ),
    "positional, linear": (
        PositionalEncoder,
        {"in_features": 2, "num_frequencies": 6, "max_frequency": 11.0, "spacing": "linear"},
    ),
    "positional, shifted logarithm": (
        PositionalEncoder,
        {"in_features": 2, "num_frequencies": 128, "max_frequency": 63.0, "spacing": "shifted_log"},
    ),
    "positional, one frequency": (PositionalEncoder, {"in_features": 1, "num_frequencies": 1}),
    "positional, nerf-pytorch": (PositionalEncoder, {"in_features": 3, "min_frequency": 0.5 / math.pi}),
    "gaussian": (GaussianEncoder, {"in_features": 2}),
    "gaussian in 3D": (GaussianEncoder, {"in_features": 3, "num_frequencies": 16, "sigma": 3.0, "seed": 7}),
    "gaussian, normalised": (GaussianEncoder, {"in_features": 3, "num_frequencies": 16, "normalize": True}),
    "grid": (GridEncoder, {"in_features": 2}),
    "grid in 1D, hashed": (GridEncoder, {"in_features": 1, "table_size": 64}),
    "grid in 2D, hashed": (GridEncoder, {"in_features": 2, "levels": 4, "table_size": 1024, "features_per_level": 3}),
    "grid in 3D": (GridEncoder, {"in_features": 3, "levels": 3, "max_resolution": 20, "table_size": 2**14}),
    "grid in 4D": (GridEncoder, {"in_features": 4, "levels": 3, "min_resolution": 3, "max_resolution": 8}),
    "gaussian, sigma by axis": (
        GaussianEncoder,
        {"in_features": 2, "num_frequencies": 8, "sigma": [1.0, 20.0]},
    ),
}
