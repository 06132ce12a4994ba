"""Models: coordinates to values, networks around an encoder."""

from ffnet.models.base import Field
from ffnet.models.mlp import CoordinateMLP

__all__ = ["CoordinateMLP", "Field"]
