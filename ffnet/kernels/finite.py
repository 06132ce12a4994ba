"""Random networks of finite width, whose limits are those of ``InfiniteMLP``."""

import copy
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.kernels.activations import dual

# Those of ``InfiniteMLP`` except ``torch``, which ``torch.nn.Linear`` has by itself.
Parameterization = Literal["unit_variance", "ntk", "standard"]


class GainedLinear(nn.Module):
    """``weight_gain W x + bias_gain b`` with the entries of W and b from N(0, 1).

    The factors multiply the input and the output of an ``nn.Linear`` layer, so that gradients are taken with respect to
    its weight and bias and the kernel needs no Jacobian.

    Args:
        fan_in, fan_out: numbers of inputs and outputs.
        weight_gain: the factor of the weights.
        bias_gain: the factor of the biases; None is a layer without biases.
        generator: draws W, then b.
        dtype: of the weights.
    """

    def __init__(
        self,
        fan_in: int,
        fan_out: int,
        weight_gain: float,
        bias_gain: float | None,
        generator: torch.Generator,
        dtype: torch.dtype,
    ) -> None:
        super().__init__()
        biased = bias_gain is not None
        self.output_gain = 1.0 if bias_gain is None else bias_gain
        self.input_gain = weight_gain / self.output_gain
        # Created without PyTorch's initialisation, which would draw from the global generator.
        self.linear = nn.Linear(fan_in, fan_out, bias=biased, device="meta", dtype=dtype).to_empty(device="cpu")
        for parameter in self.linear.parameters():
            nn.init.normal_(parameter, generator=generator)

    def forward(self, x: Float[Tensor, "*n d"]) -> Float[Tensor, "*n k"]:
        return self.output_gain * self.linear(self.input_gain * x)


def finite_mlp(
    in_features: int,
    width: int,
    hidden_layers: int,
    seed: int,
    activation: nn.Module | None = None,
    w_std: float | None = None,
    dtype: torch.dtype = torch.float64,
    parameterization: Parameterization = "ntk",
    b_std: float | None = None,
) -> nn.Sequential:
    """A random network with one output: ``InfiniteMLP(hidden_layers, activation, parameterization, w_std, b_std)`` is
    its limit, to which its empirical kernel converges as ``width^(-1/2)``.

    Args:
        in_features: number of input features.
        width: of the hidden layers.
        hidden_layers: number of activations.
        seed: of the generator that draws the weights.
        activation: ReLU if None.
        w_std, b_std: the limit's; ``sqrt(2)`` and no biases if None. With ``unit_variance``, neither.
        dtype: of the weights.
        parameterization: the limit's, see ``InfiniteMLP``. In ``standard``, the kernel grows with the width.

    Raises:
        ValueError: if ``parameterization`` is none of the three, ``b_std`` is not above 0, or ``w_std`` or ``b_std`` is
            given with ``unit_variance``.
    """
    if parameterization not in get_args(Parameterization):
        raise ValueError(f"parameterization: expected one of {get_args(Parameterization)}, got {parameterization!r}")
    if parameterization == "unit_variance" and (w_std, b_std) != (None, None):
        raise ValueError("w_std, b_std: expected none with unit_variance, which fixes them; use ntk or standard")
    if b_std is not None and not b_std > 0:
        raise ValueError(f"b_std: expected a number above 0, or None for no biases, got {b_std}")
    square = 1.0
    if parameterization == "unit_variance":
        square = dual(activation or "relu").square(torch.ones((), dtype=torch.float64)).item()  # E[s(z)^2]
    generator = torch.Generator().manual_seed(seed)
    modules: list[nn.Module] = []
    fan_ins = [in_features] + [width] * hidden_layers
    fan_outs = [width] * hidden_layers + [1]
    for number, (fan_in, fan_out) in enumerate(zip(fan_ins, fan_outs, strict=True)):
        if parameterization == "unit_variance":
            gain = (square * fan_in) ** -0.5 if number else 1.0
        else:
            gain = (2**0.5 if w_std is None else w_std) / fan_in**0.5
        layer = GainedLinear(fan_in, fan_out, gain, b_std, generator, dtype)
        modules += [copy.deepcopy(activation or nn.ReLU())] if number else []
        modules.append(_absorbed(layer) if parameterization == "standard" else layer)
    return nn.Sequential(*modules)


def _absorbed(layer: GainedLinear) -> nn.Linear:
    """The same function with the factors in the weights and biases themselves, as PyTorch trains them."""
    with torch.no_grad():
        layer.linear.weight.mul_(layer.output_gain * layer.input_gain)
        if layer.linear.bias is not None:
            layer.linear.bias.mul_(layer.output_gain)
    return layer.linear
