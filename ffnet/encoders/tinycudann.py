"""``Encoding`` of tiny-cuda-nn's PyTorch bindings, in plain PyTorch and on any device.

Replace ``import tinycudann as tcnn`` by ``from ffnet.encoders import tinycudann as tcnn``. The features have the dtype
of the input, where tiny-cuda-nn returns half precision, and are not padded.
"""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders import conventions
from ffnet.encoders.base import Encoder
from ffnet.encoders.composite import CompositeEncoder
from ffnet.encoders.identity import IdentityEncoder

OTYPES: dict[str, Callable[..., Encoder]] = {
    "identity": IdentityEncoder,
    "frequency": conventions.tiny_cuda_nn_frequency,
    "trianglewave": conventions.tiny_cuda_nn_triangle,
    "oneblob": conventions.tiny_cuda_nn_one_blob,
}


def encoder(in_features: int, config: Mapping[str, Any]) -> Encoder:
    """The encoder that a tiny-cuda-nn configuration describes.

    Raises:
        ValueError: if its ``otype`` is not supported, or the parts of a composite do not add up to ``in_features``.
    """
    settings = {key: value for key, value in config.items() if key not in ("otype", "n_dims_to_encode")}
    otype = str(config.get("otype", "")).lower()
    if otype == "composite":
        return CompositeEncoder(_parts(in_features, config["nested"]))
    if otype == "sphericalharmonics":
        if in_features != 3:
            raise ValueError(f"SphericalHarmonics: expected 3 dimensions, got {in_features}")
        return conventions.tiny_cuda_nn_harmonics(**settings)
    if otype not in OTYPES:
        known = "Composite, Frequency, Identity, OneBlob, SphericalHarmonics, TriangleWave"
        raise ValueError(f"otype: expected one of {known}, got {config.get('otype')!r}")
    return OTYPES[otype](in_features, **settings)


def _parts(in_features: int, nested: list[Mapping[str, Any]]) -> list[Encoder]:
    """The nested encoders; the one without ``n_dims_to_encode`` gets the dimensions that are left."""
    given = [part.get("n_dims_to_encode") for part in nested]
    rest = in_features - sum(count for count in given if count is not None)
    if given.count(None) > 1 or rest < 0 or (None not in given and rest):
        raise ValueError(f"nested: expected parts that take {in_features} dimensions, got n_dims_to_encode {given}")
    return [encoder(rest if count is None else count, part) for count, part in zip(given, nested, strict=True)]


class Encoding(nn.Module):
    """``tcnn.Encoding``: (points, n_input_dims) to (points, n_output_dims)."""

    def __init__(
        self,
        n_input_dims: int,
        encoding_config: Mapping[str, Any],
        seed: int = 1337,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.encoder = encoder(n_input_dims, encoding_config)
        self.n_input_dims, self.n_output_dims = n_input_dims, self.encoder.out_features
        self.encoding_config, self.seed, self.dtype = encoding_config, seed, dtype

    def forward(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        features = self.encoder(x)
        return features if self.dtype is None else features.to(self.dtype)
