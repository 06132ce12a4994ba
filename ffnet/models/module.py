"""Any module as a field."""

from jaxtyping import Float
from torch import Tensor, nn


class ModuleField(nn.Module):
    """A field that is a module of yours, without an encoder of ffnet.

    Args:
        module: coordinates (n, in_features) in [0, 1] to values (n, out_features).
        in_features: number of coordinates.
        out_features: number of values.
    """

    def __init__(self, module: nn.Module, in_features: int, out_features: int) -> None:
        super().__init__()
        if not isinstance(module, nn.Module):
            raise ValueError(f"model: expected a torch.nn.Module, got {type(module).__name__}")
        self.module = module
        self.in_features, self.out_features = in_features, out_features

    def forward(self, coordinates: Float[Tensor, "*n d"]) -> Float[Tensor, "*n c"]:
        """Values (..., out_features) at coordinates (..., in_features)."""
        values = self.module(coordinates.reshape(-1, self.in_features))
        if not isinstance(values, Tensor) or values.ndim != 2 or values.shape[1] != self.out_features:
            found = list(values.shape) if isinstance(values, Tensor) else type(values).__name__
            raise ValueError(f"model: expected values of shape (n, {self.out_features}), got {found}")
        return values.reshape(*coordinates.shape[:-1], self.out_features)
