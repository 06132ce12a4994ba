"""Encoders under nerfstudio's names, arguments, attributes and methods, without nerfstudio or CUDA.

Of ``nerfstudio.field_components.encodings`` it has everything except ``PolyhedronFFEncoding``, with
``implementation="torch"``. Checkpoints load in both directions, except ``HashEncoding``'s: nerfstudio hashes all
levels, ``GridEncoder`` (as tiny-cuda-nn) only those that do not fit in the table. Gradients with respect to the
coordinates, which nerfstudio stops in some classes, are there in all. What nerfstudio delegates to tiny-cuda-nn is in
``ffnet.encoders.tinycudann``.
"""

from ffnet.encoders.nerfstudio.encoding import Encoding
from ffnet.encoders.nerfstudio.fixed import (
    Affine,
    FFEncoding,
    Identity,
    NeRFEncoding,
    RFFEncoding,
    ScalingAndOffset,
    SHEncoding,
)
from ffnet.encoders.nerfstudio.grids import (
    Factored,
    HashEncoding,
    KPlanesEncoding,
    TensorCPEncoding,
    TensorVMEncoding,
    TriplaneEncoding,
)

__all__ = [
    "Affine",
    "Encoding",
    "FFEncoding",
    "Factored",
    "HashEncoding",
    "Identity",
    "KPlanesEncoding",
    "NeRFEncoding",
    "RFFEncoding",
    "SHEncoding",
    "ScalingAndOffset",
    "TensorCPEncoding",
    "TensorVMEncoding",
    "TriplaneEncoding",
]
