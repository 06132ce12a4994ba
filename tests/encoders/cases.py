"""The table of encoders. A new encoder adds a line here and inherits every law in test_laws.py."""

import math

from ffnet.encoders import (
    AnnealedEncoder,
    CompositeEncoder,
    FactoredGridEncoder,
    FourierEncoder,
    GaussianEncoder,
    GridEncoder,
    IdentityEncoder,
    IntegratedEncoder,
    OneBlobEncoder,
    PositionalEncoder,
    SphericalHarmonicsEncoder,
    TriangleWaveEncoder,
    WaveletEncoder,
    conventions,
    nerfstudio,
)

OCTAVES = [1.0, 2.0, 4.0]

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
    # A compiler unrolls the levels: a dense one and one or two that are hashed show all that there is.
    "grid": (GridEncoder, {"in_features": 2, "levels": 3}),
    "grid in 1D, hashed": (GridEncoder, {"in_features": 1, "levels": 3, "table_size": 64}),
    "grid in 2D, hashed": (GridEncoder, {"in_features": 2, "levels": 2, "table_size": 1024, "features_per_level": 3}),
    "grid in 3D": (GridEncoder, {"in_features": 3, "levels": 3, "max_resolution": 20, "table_size": 2**14}),
    "grid in 4D": (GridEncoder, {"in_features": 4, "levels": 2, "min_resolution": 3, "max_resolution": 8}),
    "scaling and offset": (lambda: nerfstudio.Affine(3, 2.0, -1.0), {}),
    "planes in 2D": (FactoredGridEncoder, {"in_features": 2, "components": 3}),
    "planes in 4D": (FactoredGridEncoder, {"in_features": 4, "components": 3, "resolution": [9, 8, 7, 6]}),
    "lines": (FactoredGridEncoder, {"in_features": 3, "factorization": "lines", "resolution": 20}),
    "planes and lines": (
        FactoredGridEncoder,
        {"in_features": 3, "factorization": "planes and lines", "components": 4, "resolution": [10, 20, 30]},
    ),
    "gaussian, sigma by axis": (
        GaussianEncoder,
        {"in_features": 2, "num_frequencies": 8, "sigma": [1.0, 20.0]},
    ),
    "gaussian, trainable": (GaussianEncoder, {"in_features": 2, "num_frequencies": 8, "trainable": True}),
    "annealed gaussian": (
        lambda **arguments: AnnealedEncoder(GaussianEncoder(**arguments)),
        {"in_features": 2, "num_frequencies": 8},
    ),
    "annealed grid": (lambda: AnnealedEncoder(GridEncoder(2, 3, table_size=1024, max_resolution=30), 1.0), {}),
    "composite": (lambda: CompositeEncoder([PositionalEncoder(1, 4), SphericalHarmonicsEncoder(levels=3)]), {}),
    "integrated": (lambda: IntegratedEncoder(FourierEncoder(2, OCTAVES), 1e-3), {}),
    "integrated, variance after the mean": (lambda: IntegratedEncoder(FourierEncoder(2, OCTAVES)), {}),
    "integrated, covariance after the mean": (
        lambda: conventions.nerfstudio_nerf_integrated(2, num_frequencies=3, max_freq_exp=2.0, include_input=True),
        {},
    ),
    "integrated rows, covariance": (
        lambda: IntegratedEncoder(FourierEncoder(2, [1.0], [[1.0, 2.0], [0.5, -1.0]]), covariance="full"),
        {},
    ),
    "fourier in radians": (conventions.nerf_pytorch, {"in_features": 3, "num_freqs": 6}),
    "fourier in half cycles": (conventions.siren, {"in_features": 2, "sidelength": 256}),
    "fourier with rows and amplitudes": (
        FourierEncoder,
        {
            "in_features": 2,
            "frequencies": OCTAVES,
            "B": [[1.0, 2.0], [0.5, -1.0]],
            "layout": "row freq trig",
            "trig": "cos sin",
            "include": "last",
            "amplitudes": [[1.0, 0.5]],
        },
    ),
    "fourier, trainable": (FourierEncoder, {"in_features": 2, "frequencies": OCTAVES, "trainable": True}),
    "spherical harmonics": (SphericalHarmonicsEncoder, {"levels": 5}),
    "spherical harmonics, tiny-cuda-nn": (conventions.tiny_cuda_nn_harmonics, {}),
    "one-blob": (OneBlobEncoder, {"in_features": 2, "num_bins": 8}),
    "wavelet": (WaveletEncoder, {"in_features": 2, "shape": [14, 21], "entries": 300, "levels": 2}),
    "wavelet in 1D": (WaveletEncoder, {"in_features": 1, "shape": [50], "features": 1, "entries": 30, "levels": 3}),
    "wavelet in 3D": (
        WaveletEncoder,
        {"in_features": 3, "shape": [6, 7, 8], "features": 2, "levels": 1, "entries": 90},
    ),
    "triangle": (TriangleWaveEncoder, {"in_features": 3, "num_frequencies": 6}),
}
