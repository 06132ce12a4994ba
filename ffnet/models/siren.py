"""Networks of sines: SIREN (Sitzmann et al. 2020) and FINER (Liu et al. 2024)."""

import math
from collections.abc import Sequence
from itertools import pairwise

from torch import nn

from ffnet.encoders import Encoder
from ffnet.encoders.base import positive
from ffnet.models.activations import Sine, VariableSine
from ffnet.models.base import NetworkField
from ffnet.models.layers import Linear, PhaseLinear, ValueLinear, check_widths, seeded, uniform_, with_output


def sines(widths: list[int], activations: list[nn.Module], hidden_omega: float, weight_scale: float) -> list[nn.Module]:
    """Linear maps between ``widths``, ``activations`` between them, SIREN's initialisation (Sitzmann et al. 2020,
    section 3.2).

    The first weights are U(+-1 / fan_in), the others U(+-sqrt(6 / fan_in) / omega): the arguments of the second sines
    have variance 1, which tends to 0.8 with depth. Biases are initialised as in torch, U(+-1 / sqrt(fan_in)). Weights
    of every layer but the last are multiplied by ``weight_scale`` (Yeom et al. 2025, arXiv 2410.04779).
    """
    layers: list[nn.Module] = []
    kinds = [PhaseLinear, *[Linear] * (len(widths) - 3), ValueLinear]
    for number, (kind, (wide, next_)) in enumerate(zip(kinds, pairwise(widths), strict=True)):
        layer = kind(wide, next_)
        bound = math.sqrt(6 / wide) / hidden_omega if number else 1 / wide
        uniform_(layer.weight, bound if kind is ValueLinear else weight_scale * bound)
        layers += [layer, *activations[number : number + 1]]
    return layers


class Siren(NetworkField):
    """``sin(omega (W h + b))`` in every hidden layer, initialised as in the paper.

    The paper's coordinates lie in [-1, 1]^d: ``IdentityEncoder(d, centred=True)``.

    Args:
        encoder: maps coordinates (..., d) to features.
        out_features: number of values at a point.
        hidden_features: width of the hidden layers.
        hidden_layers: their number, the first one included.
        first_omega: of the first layer: the higher, the finer the detail.
        hidden_omega: of the others.
        weight_scale: factor of the initial weights of every layer but the last, as in scaled SIRENs (Yeom et al. 2025).
        output_activation: module applied to the values; none if None.
        output_init: initial output, one number for each value, as in ``CoordinateMLP``; None leaves the last bias.
        seed: of the initial weights; None takes torch's global generator.

    Raises:
        ValueError: if a size is not an integer of at least 1, or an omega is not finite and above 0.
    """

    def __init__(
        self,
        encoder: Encoder,
        out_features: int,
        hidden_features: int = 256,
        hidden_layers: int = 3,
        first_omega: float = 30.0,
        hidden_omega: float = 30.0,
        weight_scale: float = 1.0,
        output_activation: nn.Module | None = None,
        output_init: Sequence[float] | None = None,
        seed: int | None = None,
    ) -> None:
        check_widths(out_features, hidden_features, hidden_layers)
        widths = [encoder.out_features, *[hidden_features] * hidden_layers, out_features]
        activations: list[nn.Module] = [Sine(first_omega), *(Sine(hidden_omega) for _ in range(hidden_layers - 1))]
        with seeded(seed):
            layers = sines(
                widths, activations, positive("hidden_omega", hidden_omega), positive("weight_scale", weight_scale)
            )
        super().__init__(encoder, out_features, with_output(layers, output_init, output_activation))


class Finer(NetworkField):
    """``sin(omega (|z| + 1) z)``, z = W h + b, in every hidden layer; the first biases are U(-first_bias, first_bias).

    The larger the initial bias, the higher the frequencies that a unit supports: ``first_bias`` sets which part of the
    spectrum is learned. Gradients include ``|z|``; the paper's code detaches it, as ``detach_scale`` does.

    Args:
        encoder: maps coordinates (..., d) to features; the paper's lie in [-1, 1]^d.
        out_features: number of values at a point.
        hidden_features: width of the hidden layers.
        hidden_layers: their number, the first one included.
        first_omega: of the first layer.
        hidden_omega: of the others.
        weight_scale: factor of the initial weights of every layer but the last, as in scaled SIRENs (Yeom et al. 2025).
        first_bias: k in the paper, 1 / sqrt(2) for its images.
        detach_scale: take ``|z| + 1`` as a constant in gradients, as the paper's code does.
        output_activation: module applied to the values; none if None.
        output_init: initial output, one number for each value, as in ``CoordinateMLP``; None leaves the last bias.
        seed: of the initial weights; None takes torch's global generator.

    Raises:
        ValueError: if a size is not an integer of at least 1, or a number is not finite and above 0.
    """

    def __init__(
        self,
        encoder: Encoder,
        out_features: int,
        hidden_features: int = 256,
        hidden_layers: int = 3,
        first_omega: float = 30.0,
        hidden_omega: float = 30.0,
        weight_scale: float = 1.0,
        first_bias: float = 0.5**0.5,
        detach_scale: bool = False,
        output_activation: nn.Module | None = None,
        output_init: Sequence[float] | None = None,
        seed: int | None = None,
    ) -> None:
        check_widths(out_features, hidden_features, hidden_layers)
        widths = [encoder.out_features, *[hidden_features] * hidden_layers, out_features]
        activations: list[nn.Module] = [
            VariableSine(first_omega, detach_scale),
            *(VariableSine(hidden_omega, detach_scale) for _ in range(hidden_layers - 1)),
        ]
        with seeded(seed):
            layers = sines(
                widths, activations, positive("hidden_omega", hidden_omega), positive("weight_scale", weight_scale)
            )
            uniform_(layers[0].bias, positive("first_bias", first_bias))  # type: ignore[arg-type]
        super().__init__(encoder, out_features, with_output(layers, output_init, output_activation))
