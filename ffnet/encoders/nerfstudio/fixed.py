"""Encodings without trained parameters."""

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.encoders import conventions
from ffnet.encoders.base import Encoder
from ffnet.encoders.identity import IdentityEncoder
from ffnet.encoders.nerfstudio.encoding import Encoding, positive_dimension, torch_only


class Identity(Encoding):
    """The coordinates."""

    def __init__(self, in_dim: int) -> None:
        super().__init__(IdentityEncoder(positive_dimension(in_dim)))


class Affine(Encoder):
    """``scaling x + offset``."""

    def __init__(self, in_features: int, scaling: float, offset: float) -> None:
        super().__init__(in_features, in_features)
        self.scaling, self.offset = scaling, offset

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch d"]:
        return self.scaling * coordinates + self.offset


class ScalingAndOffset(Encoding):
    """``scaling x + offset``."""

    def __init__(self, in_dim: int, scaling: float = 1.0, offset: float = 0.0) -> None:
        super().__init__(Affine(positive_dimension(in_dim), scaling, offset))
        self.scaling, self.offset = scaling, offset


class NeRFEncoding(Encoding):
    """``sin(2 pi f x)``, cosines, axis outermost, then x if ``include_input``."""

    def __init__(
        self,
        in_dim: int,
        num_frequencies: int,
        min_freq_exp: float,
        max_freq_exp: float,
        include_input: bool = False,
        implementation: str = "torch",
    ) -> None:
        torch_only(implementation)
        super().__init__(
            conventions.nerfstudio_nerf(
                positive_dimension(in_dim), num_frequencies, min_freq_exp, max_freq_exp, include_input
            )
        )
        self.num_frequencies, self.include_input = num_frequencies, include_input
        self.min_freq, self.max_freq = min_freq_exp, max_freq_exp


class FFEncoding(Encoding):
    """``sin(2 pi f (x B))`` for a given ``basis`` B (in_dim, directions), cosines, then x if ``include_input``."""

    def __init__(
        self,
        in_dim: int,
        basis: Float[Tensor, "d m"],
        num_frequencies: int,
        min_freq_exp: float,
        max_freq_exp: float,
        include_input: bool = False,
    ) -> None:
        if basis.shape[0] != in_dim:
            raise ValueError(f"basis: expected shape ({in_dim}, directions), got {tuple(basis.shape)}")
        super().__init__(
            conventions.nerfstudio_fourier(basis, num_frequencies, min_freq_exp, max_freq_exp, include_input)
        )
        self.num_frequencies, self.include_input = num_frequencies, include_input
        self.min_freq, self.max_freq = min_freq_exp, max_freq_exp


class RFFEncoding(Encoding):
    """``sin(2 pi x B)``, cosines, then x if ``include_input``; ``B ~ N(0, scale^2)`` from torch's global generator."""

    def __init__(self, in_dim: int, num_frequencies: int, scale: float, include_input: bool = False) -> None:
        if not scale > 0:
            raise ValueError(f"scale: expected a number above 0, got {scale}")
        matrix = torch.normal(mean=0.0, std=scale, size=(positive_dimension(in_dim), num_frequencies))
        super().__init__(conventions.nerfstudio_random(matrix, include_input))
        self.num_frequencies, self.scale, self.include_input = num_frequencies, scale, include_input


class SHEncoding(Encoding):
    """Real spherical harmonics of directions, ``levels`` degrees, 1 to 5; ``SphericalHarmonicsEncoder`` has more."""

    def __init__(self, levels: int = 4, implementation: str = "torch") -> None:
        torch_only(implementation)
        if not 1 <= levels <= 5:
            raise ValueError(f"levels: expected 1 to 5, got {levels}; SphericalHarmonicsEncoder has any number")
        super().__init__(conventions.nerfstudio_harmonics(levels))
        self.levels = levels
