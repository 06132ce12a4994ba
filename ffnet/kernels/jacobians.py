"""Jacobians with respect to the parameters, of any module, by ``torch.func``."""

import warnings
from collections.abc import Callable, Collection, Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev, jvp, vmap

from ffnet.kernels.memory import chunk_points


def trainable(model: nn.Module, names: Collection[str] | None = None) -> dict[str, Tensor]:
    """The trainable parameters, detached: the tangent kernel is defined with respect to them. Those in ``names`` only,
    if given.
    """
    found = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    return found if names is None else {name: found[name] for name in names}


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
        # In torch 2.15 the first jvp of a process calls torch.jit.script, which is deprecated.
        warnings.filterwarnings("ignore", r"`torch\.jit\.script` is deprecated", FutureWarning)
        value, slope = jvp(function, (parameters,), (change,))  # type: ignore[misc]
    return value, slope


@torch.no_grad()  # parameters that are not among ``names`` are constants
def jacobian(
    model: nn.Module, x: Float[Tensor, "n d"], names: Collection[str] | None = None
) -> list[Float[Tensor, "n c p"]]:
    """``d f_i(x_n) / d theta_p``, one tensor for each trainable parameter, or each of ``names``; entries flattened."""
    function, parameters = function_of(model), trainable(model, names)
    rows = vmap(jacrev(lambda p, point: function(p, point.unsqueeze(0)).squeeze(0)), (None, 0))(parameters, x)
    return [block.reshape(*block.shape[:2], -1) for block in rows.values()]


def jacobian_ntk(
    model: nn.Module,
    x: Float[Tensor, "n d"],
    y: Float[Tensor, "m d"],
    outputs: str,
    chunk: int | None = None,
    names: Collection[str] | None = None,
) -> Float[Tensor, "n m *c"]:
    """The empirical NTK as a product of Jacobians, in chunks of points.

    Args:
        model: maps each point independently.
        x, y: the points; if they are the same tensor, symmetry halves the work.
        outputs: how the outputs are contracted, as an equation of ``torch.einsum`` for two Jacobians (n, c, p).
        chunk: points per Jacobian, of which two are held at a time; if None, as many as the memory budget allows.
        names: the parameters that the kernel is of; all that are trainable if None.
    """
    bands: list[list[Tensor]] = []
    chunk = chunk or chunk_points(outputs_of(model, x) * sum(p.numel() for p in trainable(model, names).values()))
    for i, left in enumerate(x.split(chunk)):
        rows = jacobian(model, left, names)
        known: list[Tensor] = []
        if x is y:  # symmetric: blocks left of the diagonal are known
            known = [*(_mirrored(band[i]) for band in bands), _contract(outputs, rows, rows)]
        rest = y.split(chunk)[len(known) :]
        bands.append(known + [_contract(outputs, rows, jacobian(model, right, names)) for right in rest])
    return torch.cat([torch.cat(band, dim=1) for band in bands])


def _mirrored(block: Tensor) -> Tensor:
    """The kernel with the two sets of points exchanged, and the two outputs of the full kernel with them."""
    swapped = block.transpose(0, 1)
    return swapped.transpose(2, 3) if block.ndim == 4 else swapped


def _contract(outputs: str, left: list[Tensor], right: list[Tensor]) -> Tensor:
    first, *others = zip(left, right, strict=True)
    total = torch.einsum(outputs, *first)
    for pair in others:
        total += torch.einsum(outputs, *pair)
    return total


def outputs_of(model: nn.Module, x: Float[Tensor, "n d"]) -> int:
    """Number of values at a point."""
    with torch.no_grad():
        return model(x[:1]).shape[-1]
