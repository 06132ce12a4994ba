"""Models: coordinates to values, networks around an encoder."""

from ffnet.models.mlp import CoordinateMLP

__all__ = ["CoordinateMLP"]
