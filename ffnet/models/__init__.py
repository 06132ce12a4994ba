"""Models: coordinates to values, networks around an encoder."""

from ffnet.models import migration
from ffnet.models.activations import Gabor, Gaussian, Sine, VariableSine
from ffnet.models.base import Field, NetworkField
from ffnet.models.filters import FilterNetwork
from ffnet.models.mlp import CoordinateMLP
from ffnet.models.module import ModuleField
from ffnet.models.radiance import RadianceMLP
from ffnet.models.siren import Finer, Siren
from ffnet.models.wire import Wire

__all__ = [
    "CoordinateMLP",
    "Field",
    "FilterNetwork",
    "Finer",
    "Gabor",
    "Gaussian",
    "ModuleField",
    "NetworkField",
    "RadianceMLP",
    "Sine",
    "Siren",
    "VariableSine",
    "Wire",
    "migration",
]
