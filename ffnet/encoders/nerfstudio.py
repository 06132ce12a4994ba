"""Encoders under nerfstudio's names, arguments and methods, without nerfstudio.

Of ``nerfstudio.field_components.encodings`` it has ``Encoding`` around any encoder, and ``NeRFEncoding``,
``FFEncoding``, ``RFFEncoding`` and ``SHEncoding`` with ``implementation="torch"``; not ``Identity``,
``ScalingAndOffset``, ``HashEncoding``, ``PolyhedronFFEncoding``, ``TensorCPEncoding``, ``TensorVMEncoding``,
``TriplaneEncoding`` or ``KPlanesEncoding``. Checkpoints load in both directions: the matrix is the entry ``b_matrix``.
What nerfstudio delegates to tiny-cuda-nn is in ``ffnet.encoders.tinycudann``.
"""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.encoders import conventions
from ffnet.encoders.base import Encoder
from ffnet.encoders.conventions.integrated import WITHOUT_TURN
from ffnet.encoders.fourier import FourierEncoder
from ffnet.encoders.integrated import IntegratedEncoder


class Encoding(nn.Module):
    """Any encoder with nerfstudio's interface: ``in_dim``, ``get_out_dim()``, ``covs`` if it has sines."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.in_dim = encoder.in_features
        self.register_state_dict_post_hook(_publish)
        self.register_load_state_dict_pre_hook(_adopt)

    def get_out_dim(self) -> int:
        """Number of features."""
        return self.encoder.out_features

    def forward(
        self, in_tensor: Float[Tensor, "*batch d"], covs: Float[Tensor, "*batch d d"] | None = None
    ) -> Float[Tensor, "*batch k"]:
        """Features; of Gaussians with covariance ``covs`` if it is given.

        Raises:
            ValueError: if ``covs`` is given and the encoder is not made of sines and cosines.
        """
        if covs is None:
            return self.encoder(in_tensor)
        if not isinstance(self.encoder, FourierEncoder):
            raise ValueError(f"covs: expected none, since {type(self.encoder).__name__} has no sines")
        integrated = IntegratedEncoder(self.encoder, covariance="full", variance_scale=WITHOUT_TURN)
        return integrated(torch.cat([in_tensor, covs.flatten(-2)], dim=-1))


def _publish(module: nn.Module, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    """Of a FourierEncoder's state, nerfstudio's checkpoints have the matrix only, transposed."""
    if isinstance(module.encoder, FourierEncoder):
        for name in [name for name in state if name.startswith(f"{prefix}encoder.")]:
            tensor = state.pop(name)
            if name.endswith(".B") and not module.encoder.axes:
                state[f"{prefix}b_matrix"] = tensor.T


def _adopt(module: nn.Module, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    if isinstance(module.encoder, FourierEncoder):
        own = module.encoder.state_dict(prefix=f"{prefix}encoder.")
        own.pop(f"{prefix}encoder.B", None)
        state.update(own)
        if f"{prefix}b_matrix" in state:
            state[f"{prefix}encoder.B"] = state.pop(f"{prefix}b_matrix").T


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
        _torch_only(implementation)
        super().__init__(
            conventions.nerfstudio_nerf(in_dim, num_frequencies, min_freq_exp, max_freq_exp, include_input)
        )


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


class RFFEncoding(Encoding):
    """``sin(2 pi x B)``, cosines, then x if ``include_input``; ``B ~ N(0, scale^2)`` from torch's global generator."""

    def __init__(self, in_dim: int, num_frequencies: int, scale: float, include_input: bool = False) -> None:
        matrix = torch.normal(mean=0.0, std=scale, size=(in_dim, num_frequencies))
        super().__init__(conventions.nerfstudio_random(matrix, include_input))


class SHEncoding(Encoding):
    """Real spherical harmonics of directions, ``levels`` degrees. Unlike nerfstudio's it has a gradient."""

    def __init__(self, levels: int = 4, implementation: str = "torch") -> None:
        _torch_only(implementation)
        super().__init__(conventions.nerfstudio_harmonics(levels))
        self.levels = levels


def _torch_only(implementation: str) -> None:
    if implementation != "torch":
        raise ValueError(f"implementation: expected torch, got {implementation!r}; see ffnet.encoders.tinycudann")
