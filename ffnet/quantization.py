"""Weights stored with fewer bits: float16, or int8 in blocks with a scale each (Dettmers et al. 2022, 2110.02861).

Only the storage is smaller: decoded weights are float32, and so is all that is computed from them. Tensors of phases
(``FullPrecision``), such as frequencies, and vectors, such as biases, are stored as they are.
"""

import copy
from collections.abc import Iterator, Mapping

import torch
from jaxtyping import Float, Int8
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ffnet.encoders.base import FullPrecision

PRECISIONS = ("float32", "float16", "int8")
# Weights that share a scale: with a scale of 32 bits, a weight takes 8.5 bits.
BLOCK = 64
# Between the name of a weight and that of its scales, which no name of a module holds.
SCALE = "/scale"


def check_precision(precision: object) -> None:
    """Raises ValueError if ``precision`` is not one of ``PRECISIONS``."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision: expected one of {', '.join(PRECISIONS)}, got {precision!r}")


def quantize(weight: Float[Tensor, "*shape"], bits: int = 8) -> tuple[Int8[Tensor, "*shape"], Float[Tensor, "blocks"]]:
    """``weight`` as integers of ``bits`` bits, from -127 to 127 for 8, and the scale of each block of ``BLOCK``
    consecutive weights."""
    flat, largest = weight.detach().float().flatten(), 2 ** (bits - 1) - 1
    blocks = nn.functional.pad(flat, (0, -len(flat) % BLOCK)).view(-1, BLOCK)
    scale = blocks.abs().amax(1) / largest
    codes = (blocks / scale.clamp(min=torch.finfo(torch.float32).tiny)[:, None]).round().clamp(-largest, largest)
    return codes.to(torch.int8).flatten()[: len(flat)].view(weight.shape), scale


def dequantize(codes: Int8[Tensor, "*shape"], scale: Float[Tensor, "blocks"]) -> Float[Tensor, "*shape"]:
    """The weights: each code times the scale of its block."""
    every = scale[:, None].expand(-1, BLOCK).reshape(-1)[: codes.numel()]
    return codes.float() * every.view(codes.shape)


def encode(name: str, weight: Tensor, precision: str) -> dict[str, Tensor]:
    """What is stored of a weight, by name.

    Raises:
        ValueError: if it is too large for float16.
    """
    if precision == "int8":
        return dict(zip((name, name + SCALE), quantize(weight), strict=True))
    stored = weight.detach().half()
    if not stored.isfinite().all():
        raise ValueError(f"precision: expected weights of at most 65504 for float16, {name} has larger ones")
    return {name: stored}


def decode(name: str, stored: Mapping[str, Tensor]) -> Tensor:
    """The weight ``name`` in float32, from what ``encode`` stores.

    Raises:
        ValueError: if its scales are not those of its integers.
    """
    value, scale = stored[name], stored.get(name + SCALE)
    if value.dtype != torch.int8:
        return value.float() if value.dtype == torch.float16 else value
    if scale is None or scale.dtype != torch.float32 or scale.shape != (-(-value.numel() // BLOCK),):
        raise ValueError(f"{name}: expected a scale for each {BLOCK} of its weights")
    return dequantize(value, scale)


def roundable(field: nn.Module) -> Iterator[tuple[str, nn.Module, str]]:
    """The weights that are stored with fewer bits: the full name of each, its module, and its name there."""
    for path, module in field.named_modules():
        for name, weight in module.named_parameters(path, recurse=False):
            own = name.rpartition(".")[2]
            allowed = not isinstance(module, FullPrecision) or own in module.roundable
            if allowed and weight.ndim > 1 and weight.dtype == torch.float32:
                yield name, module, own


def encoded(field: nn.Module, precision: str) -> dict[str, Tensor]:
    """The ``state_dict`` of ``field`` as it is stored in ``precision``."""
    stored = {name: tensor.detach().contiguous() for name, tensor in field.state_dict().items()}
    if precision != "float32":
        for name, _, _ in roundable(field):
            stored |= encode(name, stored[name], precision)
    return stored


def decoded(stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The ``state_dict`` that was stored by ``encoded``.

    Raises:
        ValueError: if scales and integers do not belong together.
    """
    if strays := sorted(name for name in stored if name.endswith(SCALE) and name.removesuffix(SCALE) not in stored):
        raise ValueError(f"{strays[0]}: expected integers of this name without {SCALE}")
    return {name: decode(name, stored) for name in stored if not name.endswith(SCALE)}


def rounded(field: nn.Module, precision: str) -> nn.Module:
    """A copy of ``field`` with its weights as ``precision`` stores them, in float32."""
    made = copy.deepcopy(field)
    made.load_state_dict(decoded(encoded(field, precision)))
    return made


class Stored(nn.Module):
    """A parametrization of a weight: holds what is stored of it and decodes that at each use."""

    value: Tensor
    scale: Tensor | None

    def __init__(self, value: Tensor, scale: Tensor | None = None) -> None:
        super().__init__()
        self.register_buffer("value", value)
        self.register_buffer("scale", scale)

    def forward(self, original: Tensor) -> Tensor:
        return self.value.float() if self.scale is None else dequantize(self.value, self.scale)

    def right_inverse(self, weight: Tensor) -> Tensor:
        return weight.new_empty(0)  # of float32 as before, since fields take their precision from their parameters


def compact(field: nn.Module, precision: str) -> nn.Module:
    """A copy of ``field`` that stores its weights in ``precision`` and decodes them where it uses them."""
    made = copy.deepcopy(field).requires_grad_(False)
    if precision != "float32":
        for name, module, own in list(roundable(made)):
            stored = Stored(*encode(name, getattr(module, own), precision).values())
            parametrize.register_parametrization(module, own, stored, unsafe=True)
    return made
