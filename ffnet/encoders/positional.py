"""Axis-aligned sines and cosines (Mildenhall et al. 2020, arXiv 2003.08934, eq. 4)."""

import math
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import positive, positive_integer
from ffnet.encoders.fourier import FourierEncoder

Spacing = Literal["log", "linear", "shifted_log"]


def log_frequencies(count: int, lowest: float, highest: float) -> Float[Tensor, "count"]:
    """``count`` frequencies in float64, evenly spaced in their logarithm, both ends included."""
    return torch.exp2(torch.linspace(math.log2(lowest), math.log2(highest), count, dtype=torch.float64))


class PositionalEncoder(FourierEncoder):
    """``gamma(x) = [sin(2 pi f_k x_i), cos(2 pi f_k x_i)]``, k outermost within each block: ``f_0 x_0, f_0 x_1,
    ..., f_1 x_0, ...``.

    The defaults are octaves: ``f_k = 2^k`` cycles per unit, k = 0 ... num_frequencies - 1. The NeRF paper's
    ``sin(2^k pi p)`` is ``min_frequency=0.5``; nerf-pytorch's ``sin(2^k p)`` is ``min_frequency=1/(2*pi)``.

    Args:
        in_features: number of coordinates d.
        num_frequencies: frequencies along each axis.
        min_frequency: the lowest, in cycles per unit; ignored by ``shifted_log``, whose lowest is 0.
        max_frequency: the highest, in cycles per unit; by default ``min_frequency * 2^(num_frequencies - 1)``.
        spacing: ``log``, ``linear``, or ``shifted_log``: ``2^linspace(0, s, num_frequencies) - 1`` with
            ``s = log2(max_frequency + 1)``, the variant in the code of Tancik et al. 2020.
        include_input: prepend the coordinates to the features.
        normalize: divide the features by their norm, the root of the number of sines (3D shapes in Tancik et al.
            2020); the coordinates are not scaled.
        dtype: type of B; torch's default type if None.

    Raises:
        ValueError: if a count is not an integer of at least 1, a frequency is not finite and above 0,
            ``max_frequency < min_frequency``, or the spacing is unknown.
    """

    def __init__(
        self,
        in_features: int,
        num_frequencies: int = 10,
        min_frequency: float = 1.0,
        max_frequency: float | None = None,
        spacing: Spacing = "log",
        include_input: bool = False,
        normalize: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        positive_integer("in_features", in_features)
        positive_integer("num_frequencies", num_frequencies)
        positive("min_frequency", min_frequency)
        if max_frequency is None:
            max_frequency = min_frequency * 2.0 ** min(num_frequencies - 1, 1023)
        positive("max_frequency", max_frequency)
        if spacing not in get_args(Spacing):
            raise ValueError(f"spacing: expected one of {', '.join(get_args(Spacing))}, got {spacing!r}")
        if spacing != "shifted_log" and max_frequency < min_frequency:
            raise ValueError(
                f"max_frequency: expected at least min_frequency, which is {min_frequency}, got {max_frequency}"
            )
        if spacing == "shifted_log":
            frequencies = log_frequencies(num_frequencies, 1, max_frequency + 1) - 1
        elif spacing == "log":
            frequencies = log_frequencies(num_frequencies, min_frequency, max_frequency)
        else:
            frequencies = torch.linspace(min_frequency, max_frequency, num_frequencies, dtype=torch.float64)
        frequencies = frequencies.to(dtype or torch.get_default_dtype())
        if not frequencies.isfinite().all():
            raise ValueError(f"num_frequencies: the highest of {num_frequencies} overflows {frequencies.dtype}")
        super().__init__(in_features, frequencies, include="first" if include_input else "none", dtype=dtype)
        self.scale = (in_features * num_frequencies) ** -0.5 if normalize else 1.0
