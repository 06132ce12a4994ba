"""Random Fourier features (Rahimi & Recht 2007; Tancik et al. 2020, arXiv 2006.10739, section 6)."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import positive, positive_integer
from ffnet.encoders.fourier import FourierEncoder


def gaussian_frequencies(count: int, sigmas: Sequence[float], seed: int) -> Float[Tensor, "count d"]:
    """B with ``B_ij ~ N(0, sigmas[j]^2)``, in float64, from a generator of its own on the CPU."""
    generator = torch.Generator().manual_seed(seed)
    normal = torch.randn(count, len(sigmas), generator=generator, dtype=torch.float64, device="cpu")
    return normal * torch.tensor(sigmas, dtype=torch.float64, device="cpu")


class GaussianEncoder(FourierEncoder):
    """``gamma(x) = [sin(2 pi B x), cos(2 pi B x)]`` with ``B_ij ~ N(0, sigma_j^2)`` in cycles per unit.

    B (num_frequencies, in_features) is drawn from a generator of its own, seeded with ``seed``, so it depends neither
    on torch's global generator nor on the device. The expected inner product of the features of x and x' is
    proportional to ``exp(-2 pi^2 sigma^2 |x - x'|^2)``: sigma is the bandwidth.

    Args:
        in_features: number of coordinates d.
        num_frequencies: rows of B; ``out_features`` is twice that.
        sigma: standard deviation of the frequencies in cycles per unit; one number, or one for each axis.
        seed: of the generator that draws B.
        normalize: divide the features by their norm, ``sqrt(num_frequencies)`` (3D shapes in Tancik et al. 2020).
        trainable: B is a parameter and is trained with the network (Li et al. 2021, arXiv 2106.02795).
        dtype: type of B; torch's default type if None.

    Raises:
        ValueError: if a count is not an integer of at least 1, a sigma is not finite and above 0, or the
            number of sigmas is neither 1 nor ``in_features``.
    """

    def __init__(
        self,
        in_features: int,
        num_frequencies: int = 256,
        sigma: float | Sequence[float] = 10.0,
        seed: int = 0,
        normalize: bool = False,
        trainable: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        positive_integer("in_features", in_features)
        positive_integer("num_frequencies", num_frequencies)
        sigmas = [sigma] * in_features if isinstance(sigma, float | int | str) else list(sigma)
        if len(sigmas) != in_features:
            raise ValueError(f"sigma: expected one number or {in_features}, got {len(sigmas)}")
        for value in sigmas:
            positive("sigma", value)
        B = gaussian_frequencies(num_frequencies, sigmas, seed).to(torch.get_default_device())
        super().__init__(in_features, [1.0], B, trainable=trainable, dtype=dtype)
        self.scale = num_frequencies**-0.5 if normalize else 1.0
