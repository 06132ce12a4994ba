"""The infinitely wide network of which a field's is a sample."""

import math

from torch import nn

from ffnet.kernels import InfiniteMLP
from ffnet.kernels.infinite import Parameterization
from ffnet.models import CoordinateMLP

PARAMETERIZATIONS: dict[str, tuple[Parameterization, float | None, float | None]] = {
    "torch": ("torch", None, None),
    "he": ("standard", math.sqrt(2), 0.0),
}


def infinite(field: nn.Module) -> InfiniteMLP:
    """The kernels of ``field`` in the limit of infinite width, of its last linear layer's outputs, with the weight that
    each layer has at the field's width.

    An output activation is left out: at the start it multiplies the kernel by the square of its slope.

    Raises:
        ValueError: if the field is no ``CoordinateMLP`` without skips whose initialisation has such a limit.
    """
    if not isinstance(field, CoordinateMLP) or type(field.network) is not nn.Sequential:
        raise ValueError("model: expected mlp without skips, whose limit of infinite width is known")
    if field.initialization not in PARAMETERIZATIONS:
        expected = ", ".join(PARAMETERIZATIONS)
        raise ValueError(f"model.initialization: expected one of {expected}, got {field.initialization}")
    parameterization, w_std, b_std = PARAMETERIZATIONS[field.initialization]
    first, activation, *_ = field.network
    assert isinstance(first, nn.Linear)
    hidden = sum(isinstance(module, nn.Linear) for module in field.network) - 1
    return InfiniteMLP(hidden, activation, parameterization, w_std, b_std, first.out_features, field.encoder)
