"""Sines and cosines along the axes, as other projects order them. Names and defaults are the projects' own."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder, positive_integer
from ffnet.encoders.fourier import FourierEncoder
from ffnet.encoders.identity import IdentityEncoder


def octaves(count: int, lowest: int = 0) -> Float[Tensor, "count"]:
    """``2^lowest, 2^(lowest + 1), ...``"""
    return torch.exp2(torch.arange(lowest, lowest + max(count, 0), dtype=torch.float64))


def bands(count: int, lowest: float, highest: float, log: bool) -> Float[Tensor, "count"]:
    """``count`` frequencies from 2^lowest to 2^highest, evenly spaced in their logarithm, or as they are."""
    if log:
        return torch.exp2(torch.linspace(lowest, highest, count, dtype=torch.float64))
    return torch.linspace(2.0**lowest, 2.0**highest, count, dtype=torch.float64)


def nerf_pytorch(
    in_features: int = 3,
    num_freqs: int = 10,
    include_input: bool = True,
    max_freq_log2: float | None = None,
    log_sampling: bool = True,
    dtype: torch.dtype | None = None,
) -> FourierEncoder:
    """nerf-pytorch, ``Embedder``: ``x``, then by frequency ``sin(f x), cos(f x)``, each of all axes.

    ``get_embedder(multires)`` is ``num_freqs=multires``.
    """
    highest = num_freqs - 1 if max_freq_log2 is None else max_freq_log2
    return FourierEncoder(
        in_features,
        bands(num_freqs, 0, highest, log_sampling),
        unit="radians",
        layout="freq trig row",
        include="first" if include_input else "none",
        dtype=dtype,
    )


def finer(
    in_features: int = 3, num_freqs: int = 10, log_sampling: bool = True, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """FINER, ``PositionalEncoding(in_channels, N_freqs, logscale)``: nerf-pytorch's, always with x in front."""
    return nerf_pytorch(in_features, num_freqs, log_sampling=log_sampling, dtype=dtype)


def bacon_positional(
    in_features: int = 3,
    num_encoding_functions: int = 6,
    include_input: bool = True,
    log_sampling: bool = True,
    normalize: bool = False,
    dtype: torch.dtype | None = None,
) -> FourierEncoder:
    """BACON, ``PositionalEncoding``: nerf-pytorch's order; ``normalize`` divides by the frequency."""
    frequencies = bands(num_encoding_functions, 0, num_encoding_functions - 1, log_sampling)
    return FourierEncoder(
        in_features,
        frequencies,
        unit="radians",
        layout="freq trig row",
        include="first" if include_input else "none",
        amplitudes=1 / frequencies[:, None] if normalize else None,
        dtype=dtype,
    )


def siren(
    in_features: int = 3, sidelength: int | Sequence[int] | None = None, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """SIREN, ``PosEncodingNeRF``: ``x``, then by frequency and axis ``sin(pi f x), cos(pi f x)``.

    10 octaves in 3D. Elsewhere ``floor(log2(min(sidelength) / 4))``, or 4 without a ``sidelength``
    (``use_nyquist=False`` there).
    """
    count = 10 if in_features == 3 else 4
    if in_features < 3 and sidelength is not None:
        side = sidelength if isinstance(sidelength, int) else min(sidelength)
        count = math.floor(math.log2(positive_integer("sidelength", side) / 4))
    return FourierEncoder(
        in_features, octaves(count), unit="half_cycles", layout="freq row trig", include="first", dtype=dtype
    )


def wire(
    in_features: int = 3, sidelength: int | Sequence[int] | None = None, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """WIRE, ``PosEncoding``: SIREN's."""
    return siren(in_features, sidelength, dtype)


def tiny_cuda_nn_frequency(
    in_features: int = 3, n_frequencies: int = 12, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """tiny-cuda-nn, ``Frequency``: by axis and frequency ``sin(pi f x), cos(pi f x)``; without padding."""
    return FourierEncoder(in_features, octaves(n_frequencies), unit="half_cycles", layout="row freq trig", dtype=dtype)


def kaolin_wisp(
    in_features: int = 3,
    num_freq: int = 10,
    max_freq_log2: float = 9,
    log_sampling: bool = True,
    include_input: bool = True,
    dtype: torch.dtype | None = None,
) -> FourierEncoder:
    """kaolin-wisp, ``PositionalEmbedder``: ``x``, all ``sin(f x)``, all ``cos(f x)``, frequency outermost."""
    return FourierEncoder(
        in_features,
        bands(num_freq, 0, max_freq_log2, log_sampling),
        unit="radians",
        include="first" if include_input else "none",
        dtype=dtype,
    )


def nerfacc(
    in_features: int = 3,
    min_deg: int = 0,
    max_deg: int = 10,
    use_identity: bool = True,
    dtype: torch.dtype | None = None,
) -> Encoder:
    """nerfacc, ``SinusoidalEncoder``: ``x``, all ``sin(2^k x)``, all ``cos(2^k x)``, k in [min_deg, max_deg).

    With ``max_deg == min_deg`` it is ``x``, whatever ``use_identity`` says.
    """
    if max_deg == min_deg:
        return IdentityEncoder(in_features)
    return FourierEncoder(
        in_features,
        octaves(max_deg - min_deg, min_deg),
        unit="radians",
        include="first" if use_identity else "none",
        dtype=dtype,
    )


def multinerf(
    in_features: int = 3,
    min_deg: int = 0,
    max_deg: int = 10,
    append_identity: bool = True,
    dtype: torch.dtype | None = None,
) -> Encoder:
    """multinerf, ``pos_enc``: nerfacc's order; ``append_identity`` puts x in front there too."""
    return nerfacc(in_features, min_deg, max_deg, append_identity, dtype)


def physicsnemo_encode(in_features: int = 3, num_freqs: int = 10, dtype: torch.dtype | None = None) -> FourierEncoder:
    """physicsnemo, ``fourier_encode`` with FourierMLP's ``freqs = exp(linspace(0, pi, n))``: all sines, all cosines."""
    frequencies = torch.linspace(0, math.pi, num_freqs, dtype=torch.float64).exp()
    return FourierEncoder(in_features, frequencies, unit="radians", dtype=dtype)


def nerfstudio_nerf(
    in_features: int = 3,
    num_frequencies: int = 10,
    min_freq_exp: float = 0.0,
    max_freq_exp: float = 8.0,
    include_input: bool = False,
    dtype: torch.dtype | None = None,
) -> FourierEncoder:
    """nerfstudio, ``NeRFEncoding`` (torch): all ``sin(2 pi f x)``, all cosines, axis outermost, then x."""
    return FourierEncoder(
        in_features,
        bands(num_frequencies, min_freq_exp, max_freq_exp, True),
        layout="trig row freq",
        include="last" if include_input else "none",
        dtype=dtype,
    )


def pytorch3d(
    in_features: int = 3,
    n_harmonic_functions: int = 6,
    omega_0: float = 1.0,
    logspace: bool = True,
    append_input: bool = True,
    dtype: torch.dtype | None = None,
) -> FourierEncoder:
    """pytorch3d, ``HarmonicEmbedding``: all ``sin(omega_0 f x)``, all cosines, axis outermost, then x.

    The project fixes its frequencies in float32, and so does this.
    """
    if logspace:
        frequencies = torch.exp2(torch.arange(n_harmonic_functions, dtype=torch.float32))
    else:
        highest = 2.0 ** (n_harmonic_functions - 1)
        frequencies = torch.linspace(1.0, highest, n_harmonic_functions, dtype=torch.float32)
    return FourierEncoder(
        in_features,
        frequencies * omega_0,
        unit="radians",
        layout="trig row freq",
        include="last" if append_input else "none",
        dtype=dtype,
    )


def random_fourier_basic(in_features: int = 2, dtype: torch.dtype | None = None) -> FourierEncoder:
    """random-fourier-features-pytorch, ``BasicEncoding``: ``cos(2 pi x)``, then ``sin(2 pi x)``."""
    return FourierEncoder(in_features, [1.0], trig="cos sin", dtype=dtype)


def random_fourier_positional(
    in_features: int = 2, sigma: float = 10.0, m: int = 10, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """random-fourier-features-pytorch, ``PositionalEncoding``: by axis all ``cos(2 pi f x)``, then all sines.

    ``f = sigma^(j / m)``, j = 0 ... m - 1: sigma itself is never reached.
    """
    frequencies = sigma ** (torch.arange(m, dtype=torch.float64) / m)
    return FourierEncoder(in_features, frequencies, layout="row trig freq", trig="cos sin", dtype=dtype)
