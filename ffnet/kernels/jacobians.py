"""Jacobians with respect to the parameters, of any module, by ``torch.func``."""

import warnings
from collections.abc import Callable, Iterator, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vmap

# A chunk's Jacobian takes so much memory at most, unless one row takes more.
CHUNK_BYTES = 2**27


def trainable(model: nn.Module) -> dict[str, Tensor]:
    """The parameters that training would move, detached: what the tangent kernel is taken with respect to."""
    return {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}


def function_of(model: nn.Module) -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    """The model as a function of its trainable parameters and the points."""

    def function(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(model, parameters, (x,))

    return function


def pushforward(
    function: Callable[[dict[str, Tensor]], Tensor], parameters: Mapping[str, Tensor], change: Mapping[str, Tensor]
) -> tuple[Float[Tensor, "n c"], Float[Tensor, "n c"]]:
    """The function's value at ``parameters``, and its derivative along ``change``."""
    with warnings.catch_warnings():
        # The first jvp of a process makes torch 2.15 call its own deprecated torch.jit.script.
        warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", FutureWarning)
        value, slope = jvp(function, (parameters,), (change,))  # type: ignore[misc]
    return value, slope


def jacobian(model: nn.Module, x: Float[Tensor, "n d"]) -> list[Float[Tensor, "n c p"]]:
    """``d f_i(x_n) / d theta_p``, one tensor for each parameter, its entries flattened."""
    function = function_of(model)
    rows = vmap(jacrev(lambda p, point: function(p, point.unsqueeze(0)).squeeze(0)), (None, 0))(trainable(model), x)
    return [block.reshape(*block.shape[:2], -1) for block in rows.values()]


def jacobian_ntk(
    model: nn.Module, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], outputs: str, chunk_bytes: int = CHUNK_BYTES
) -> Float[Tensor, "n m *c"]:
    """The empirical NTK as a product of Jacobians, some rows at a time.

    Args:
        model: acts on each point alone.
        x, y: the points; half of the work if they are the same tensor.
        outputs: what becomes of the outputs, as an equation of ``torch.einsum`` for two Jacobians (n, c, p).
        chunk_bytes: most memory of each of the two Jacobians held at a time.
    """
    bands: list[list[Tensor]] = []
    for i, left in enumerate(_chunks(model, x, chunk_bytes)):
        rows = jacobian(model, left)
        known: list[Tensor] = []
        if x is y:  # symmetric: what lies left of the diagonal is there already
            known = [*(_mirrored(band[i]) for band in bands), _contract(outputs, rows, rows)]
        rest = list(_chunks(model, y, chunk_bytes))[len(known) :]
        bands.append(known + [_contract(outputs, rows, jacobian(model, right)) for right in rest])
    return torch.cat([torch.cat(band, dim=1) for band in bands])


def _mirrored(block: Tensor) -> Tensor:
    """The kernel with its two sets of points exchanged, and with them the outputs, where there are two of each."""
    swapped = block.transpose(0, 1)
    return swapped.transpose(2, 3) if block.ndim == 4 else swapped


def _contract(outputs: str, left: list[Tensor], right: list[Tensor]) -> Tensor:
    first, *others = zip(left, right, strict=True)
    total = torch.einsum(outputs, *first)
    for pair in others:
        total += torch.einsum(outputs, *pair)
    return total


def _chunks(model: nn.Module, x: Tensor, chunk_bytes: int) -> Iterator[Tensor]:
    with torch.no_grad():
        values = model(x[:1])[0].numel()
    row = sum(p.numel() * p.itemsize for p in trainable(model).values()) * values
    yield from x.split(max(1, chunk_bytes // row))
