"""Sines and cosines of ``B x`` as other projects order them. B is given as the project's checkpoint stores it."""

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.conventions.axes import bands
from ffnet.encoders.fourier import FourierEncoder

Rows = Float[Tensor, "m d"]
Columns = Float[Tensor, "d m"]


def shifted_octaves(in_features: int, embedding_size: int, scale: float) -> Rows:
    """The "positional" matrix of fourier-feature-networks (``posenc_new``) and BACON, axis outermost.

    Each axis has ``embedding_size // 2`` frequencies ``2^linspace(0, scale) - 1``. The first is 0.
    """
    frequencies = bands(embedding_size // 2, 0, scale, True) - 1
    return torch.kron(torch.eye(in_features, dtype=torch.float64), frequencies[:, None]).reshape(-1, in_features)


def fourier_feature_networks(
    B: Rows, amplitudes: Sequence[float] | Tensor | None = None, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """fourier-feature-networks, ``input_mapping`` and ``input_encoder``: ``a sin(2 pi B x)``, then ``a cos``.

    "Basic" is the unit matrix, ``posenc_new`` is ``shifted_octaves``. The paper has the cosine first, its
    code the sine.
    """
    return FourierEncoder(B.shape[1], [1.0], B, amplitudes=amplitudes, dtype=dtype)


def bacon_fourier(bvals: Rows, avals: Tensor | None = None, dtype: torch.dtype | None = None) -> FourierEncoder:
    """BACON, ``FFPositionalEncoding``: ``a sin(2 pi B x)``, then ``a cos``; not Gaussian, ``shifted_octaves``."""
    return fourier_feature_networks(bvals, avals, dtype)


def bacon_gaussian(
    gaussian_weights: Rows, include_input: bool = True, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """BACON, ``PositionalEncoding(gaussian_pe=True)``: ``x``, ``sin(B x)``, ``cos(B x)``, without 2 pi."""
    return FourierEncoder(
        gaussian_weights.shape[1],
        [1.0],
        gaussian_weights,
        unit="radians",
        include="first" if include_input else "none",
        dtype=dtype,
    )


def physicsnemo_frequencies(
    in_features: int, kinds: Sequence[Literal["full", "axis", "diagonal"]], values: Sequence[float]
) -> Columns:
    """The matrix of physicsnemo's ``FourierLayer`` for some of full, axis, diagonal, always in this order.

    ``axis`` is frequency outermost, ``full`` the grid with the first axis slowest, and each column of ``diagonal`` is
    repeated ``in_features`` times.
    """
    numbers = torch.as_tensor(values, dtype=torch.float64)
    blocks = {
        "full": torch.cartesian_prod(*[numbers] * in_features).view(-1, in_features),
        "axis": torch.kron(numbers[:, None], torch.eye(in_features, dtype=torch.float64)),
        "diagonal": numbers.repeat_interleave(in_features)[:, None].expand(-1, in_features),
    }
    return torch.cat([block for kind, block in blocks.items() if kind in kinds]).T


def physicsnemo(frequencies: Columns, dtype: torch.dtype | None = None) -> FourierEncoder:
    """physicsnemo, ``FourierLayer``: ``sin(2 pi x B)``, then the cosines; ``physicsnemo_frequencies`` makes B."""
    return FourierEncoder(frequencies.shape[0], [1.0], frequencies.T, dtype=dtype)


def nerfstudio_random(
    b_matrix: Columns, include_input: bool = False, dtype: torch.dtype | None = None
) -> FourierEncoder:
    """nerfstudio, ``RFFEncoding``: ``sin(2 pi x B)``, the cosines, then x."""
    return nerfstudio_fourier(b_matrix, 1, 0.0, 0.0, include_input, dtype)


def nerfstudio_fourier(
    b_matrix: Columns,
    num_frequencies: int,
    min_freq_exp: float,
    max_freq_exp: float,
    include_input: bool = False,
    dtype: torch.dtype | None = None,
) -> FourierEncoder:
    """nerfstudio, ``FFEncoding``: ``sin(2 pi f (x B))``, the cosines, direction outermost, then x."""
    return FourierEncoder(
        b_matrix.shape[0],
        bands(num_frequencies, min_freq_exp, max_freq_exp, True),
        b_matrix.T,
        layout="trig row freq",
        include="last" if include_input else "none",
        dtype=dtype,
    )


def pytorch_fourier_feature_networks(B: Columns, dtype: torch.dtype | None = None) -> FourierEncoder:
    """pytorch-fourier-feature-networks, ``GaussianFourierFeatureTransform``: ``sin(2 pi x B)``, then the cosines.

    Features come last here, where the project has (batch, channels, width, height). Its matrix ``_B`` is a plain
    attribute, which its checkpoints lose.
    """
    return physicsnemo(B, dtype)


def random_fourier_gaussian(b: Rows, dtype: torch.dtype | None = None) -> FourierEncoder:
    """random-fourier-features-pytorch, ``GaussianEncoding``: ``cos(2 pi B x)``, then the sines."""
    return FourierEncoder(b.shape[1], [1.0], b, trig="cos sin", dtype=dtype)


def neural_implicit_lab(b: Columns, dtype: torch.dtype | None = None) -> FourierEncoder:
    """neural_implicit_lab, ``RandomFourierEncoding``: ``cos(2 pi x B)``, then the sines. Its B is float32."""
    return random_fourier_gaussian(b.T, dtype)


def fourier_feature_nets(b_values: Columns, a_values: Tensor, dtype: torch.dtype | None = None) -> FourierEncoder:
    """fourier_feature_nets, ``FourierFeatureMLP`` and subclasses: ``a cos(pi x B)``, then the sines. pi, not 2 pi."""
    return FourierEncoder(
        b_values.shape[0], [1.0], b_values.T, unit="half_cycles", trig="cos sin", amplitudes=a_values, dtype=dtype
    )


def deepxde(b: Columns, dtype: torch.dtype | None = None) -> FourierEncoder:
    """DeepXDE, ``MsFFN``: ``cos(x b)``, then the sines, for one of its sigmas. No 2 pi."""
    return FourierEncoder(b.shape[0], [1.0], b.T, unit="radians", trig="cos sin", dtype=dtype)
