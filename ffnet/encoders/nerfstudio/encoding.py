"""What nerfstudio's encodings have in common."""

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

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

    def published(self, own: dict[str, Tensor]) -> dict[str, Tensor]:
        """The entries of nerfstudio's ``state_dict`` from those of the encoder."""
        if not isinstance(self.encoder, FourierEncoder):
            return own
        return {} if self.encoder.axes else {"b_matrix": own["encoder.B"].T}

    def adopted(self, theirs: dict[str, Tensor]) -> dict[str, Tensor]:
        """The encoder's entries from those of nerfstudio's ``state_dict``."""
        if not isinstance(self.encoder, FourierEncoder):
            return theirs
        own = self.encoder.state_dict(prefix="encoder.")
        if not self.encoder.axes:  # a matrix along the axes is not in nerfstudio's checkpoints
            own.pop("encoder.B")
        matrix = theirs.pop("b_matrix", None)
        return own | theirs | ({} if matrix is None else {"encoder.B": matrix.T})


def _taken(state: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The entries that begin with ``prefix``, without it; they leave ``state``."""
    return {name[len(prefix) :]: state.pop(name) for name in list(state) if name.startswith(prefix)}


def _publish(module: Any, state: dict[str, Tensor], prefix: str, _: Any) -> None:
    own = {f"encoder.{name}": tensor for name, tensor in _taken(state, f"{prefix}encoder.").items()}
    state.update({prefix + name: tensor for name, tensor in module.published(own).items()})


def _adopt(module: Any, state: dict[str, Tensor], prefix: str, *_: Any) -> None:
    state.update({prefix + name: tensor for name, tensor in module.adopted(_taken(state, prefix)).items()})


def positive_dimension(in_dim: int) -> int:
    if in_dim <= 0:
        raise ValueError(f"in_dim: expected at least 1, got {in_dim}")
    return in_dim


def torch_only(implementation: str) -> None:
    if implementation != "torch":
        raise ValueError(f"implementation: expected torch, got {implementation!r}; see ffnet.encoders.tinycudann")
