"""One-blob encoding (Müller et al. 2019, "Neural Importance Sampling", arXiv 1808.03856, section 4.3)."""

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders.base import Encoder, positive_integer


def quartic_cdf(u: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """Integral from -1 to u of the quartic kernel ``15/16 (1 - u^2)^2`` on [-1, 1]."""
    u = u.clamp(-1, 1)
    square = u * u
    return 0.5 + 15 / 16 * u * (1 - square * (2 / 3 - square / 5))


def one_blob(x: Float[Tensor, "*batch"], bins: int) -> Float[Tensor, "*batch bins"]:
    """Mass of a blob around x in each of ``bins`` equal bins of [0, 1], with periodic boundaries.

    The blob is the quartic kernel of radius ``1 / bins``, as in tiny-cuda-nn; the paper's is a Gaussian of about
    that width.
    """
    edges = torch.arange(bins + 1, dtype=x.dtype, device=x.device)
    u = edges - bins * x.unsqueeze(-1)  # in radii
    below = quartic_cdf(u) + quartic_cdf(u - bins) + quartic_cdf(u + bins)
    return below.diff(dim=-1)


class OneBlobEncoder(Encoder):
    """A soft one-hot vector of each coordinate: ``num_bins`` values that sum to 1, all of x_0 first, then x_1, ...

    The coordinates lie in [0, 1]; 0 and 1 are the same point.

    Args:
        in_features: number of coordinates d.
        num_bins: bins along each axis; ``out_features`` is ``in_features * num_bins``.

    Raises:
        ValueError: if a count is not an integer of at least 1, or there is a single bin.
    """

    def __init__(self, in_features: int, num_bins: int = 16) -> None:
        positive_integer("in_features", in_features)
        if positive_integer("num_bins", num_bins) < 2:
            raise ValueError("num_bins: expected at least 2, got 1")
        super().__init__(in_features, in_features * num_bins)
        self.num_bins = num_bins

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        return one_blob(coordinates, self.num_bins).flatten(-2)
