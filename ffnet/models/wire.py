"""WIRE: wavelet implicit representations (Saragadam et al. 2023, arXiv 2301.05187)."""

import copy
import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import linear

from ffnet.encoders import Encoder
from ffnet.encoders.base import positive
from ffnet.models.activations import complex_gabor
from ffnet.models.base import NetworkField
from ffnet.models.layers import PhaseLinear, check_widths, output_init_, seeded, uniform_, unrounded


class ComplexLinear(nn.Module):
    """A complex linear map of real parts followed by imaginary parts, as one real product without complex dtypes.

    ``weight`` (2, o, i) and ``bias`` (2, o) hold real and imaginary parts, both initialised with
    U(+-1 / sqrt(i)), as torch does for complex layers.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(2, out_features, in_features))
        self.bias = nn.Parameter(torch.empty(2, out_features))
        for parameter in (self.weight, self.bias):
            uniform_(parameter, 1 / math.sqrt(in_features))

    def forward(self, parts: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        real, imaginary = self.weight
        weight = torch.cat([torch.cat([real, -imaginary], dim=1), torch.cat([imaginary, real], dim=1)])
        if not torch.is_autocast_enabled(parts.device.type):
            parts = parts.to(weight.dtype)
        return linear(parts, weight, self.bias.flatten())


class ComplexGabor(nn.Module):
    """``exp(i omega z - |scale z|^2)`` on real parts followed by imaginary parts; real z if ``real``."""

    def __init__(self, omega: float, scale: float, real: bool = False) -> None:
        super().__init__()
        self.omega, self.scale, self.real = positive("omega", omega), positive("scale", scale), real

    def forward(self, z: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        real, imaginary = (z, torch.zeros_like(z)) if self.real else z.chunk(2, dim=-1)
        return torch.cat(complex_gabor(real, imaginary, self.omega, self.scale), dim=-1)


class RealPart(nn.Module):
    """The first half of the features."""

    def forward(self, z: Float[Tensor, "*batch i"]) -> Float[Tensor, "*batch o"]:
        return unrounded(z.chunk(2, dim=-1)[0])


class Wire(NetworkField):
    """Complex Gabor wavelets ``exp(i omega z - |scale z|^2)``, z = W h + b complex; the values are the real part.

    A wavelet is local in space and in frequency: with ``scale`` towards 0 it is SIREN's wave, with ``omega`` towards 0
    a Gaussian. Weights are initialised as in torch. A hidden unit is complex and has twice the parameters, so the paper
    compares at ``hidden_features / sqrt(2)``. The envelope is largest off the real axis, ``exp(omega^2 / 4 scale^2)``:
    keep omega below a few times scale.

    Args:
        encoder: maps coordinates (..., d) to features; the paper's lie in [-1, 1]^d.
        out_features: number of values at a point.
        hidden_features: complex units of a hidden layer.
        hidden_layers: their number, the first one included.
        omega: frequency of the wavelet.
        first_omega: that of the first layer; ``omega`` if None.
        scale: one over its width.
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
        hidden_features: int = 181,
        hidden_layers: int = 3,
        omega: float = 10.0,
        scale: float = 10.0,
        first_omega: float | None = None,
        output_activation: nn.Module | None = None,
        output_init: Sequence[float] | None = None,
        seed: int | None = None,
    ) -> None:
        check_widths(out_features, hidden_features, hidden_layers)
        with seeded(seed):
            layers: list[nn.Module] = [
                PhaseLinear(encoder.out_features, hidden_features),
                ComplexGabor(omega if first_omega is None else first_omega, scale, real=True),
            ]
            for _ in range(hidden_layers - 1):
                layers += [ComplexLinear(hidden_features, hidden_features), ComplexGabor(omega, scale)]
            last = ComplexLinear(hidden_features, out_features)
            layers += [last, RealPart()]
        if output_init is not None:
            output_init_(last.bias[0], output_init, output_activation)
        if output_activation is not None:
            layers.append(copy.deepcopy(output_activation))
        super().__init__(encoder, out_features, nn.Sequential(*layers))
