"""The tangent kernel of networks whose parameters all belong to linear layers, without a Jacobian.

The gradient of a weight at one point is the outer product of the layer's input a and the backpropagated signal b at
its output, so the inner product of two gradients is ``(a . a') (b . b')``. Hence
``Theta = sum_h (A_h A_h'^T + 1) * (B_h B_h'^T)``, the 1 for a bias.

A grid of features is such a layer too: its input is the sparse vector of the interpolation's weights, its weight the
table.
"""

import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Layer(NamedTuple):
    """Inputs and backpropagated signals of one linear layer at n points.

    Attributes:
        inputs: (n, fan_in), which may be sparse; (n, 0) if the weight is not trained.
        signals: (n, c, fan_out), the gradient of each of the network's c outputs with respect to the layer's output.
        bias: 1.0 if there is a bias that is trained, else 0.0.
        parameters: names in the model of the weight or table and of the bias, those that are trained.
    """

    inputs: Tensor
    signals: Tensor
    bias: float
    parameters: list[str]


class Call(NamedTuple):
    """What one module did in a forward pass."""

    prefix: str  # of the names of its parameters
    module: nn.Module
    inputs: list[Tensor]  # of one linear layer, or of each level of a grid
    result: Tensor  # (n, fan_out), of all levels


@torch.enable_grad()
def layers(model: nn.Module, x: Float[Tensor, "n d"]) -> list[Layer] | None:
    """Inputs and signals of every linear layer of ``model`` at ``x``; None if it has other trainable parameters.

    The model may be any module, with skip connections or not, that maps each point independently and whose trainable
    parameters all belong to ``nn.Linear`` layers or subclasses, or are the ``table`` of a module that has an
    ``interpolation``, such as ``GridEncoder``, each applied once. This is verified by comparing a gradient that all
    points contribute to: a model may use a weight elsewhere at some points only.
    """
    probe = _record(model, x[:1])  # most other models are told from one point
    found = None if probe is None else _record(model, x)
    return None if found is None or not _complete(*found) else list(_signals(*found))


def _record(model: nn.Module, x: Tensor) -> tuple[Tensor, list[Call]] | None:
    """The model's outputs (n, c), and each trainable layer with its inputs and its output."""
    known = {
        module: f"{name}." if name else ""
        for name, module in model.named_modules()
        if _trained(module) and (isinstance(module, nn.Linear) or hasattr(module, "interpolation"))
    }
    calls: list[Call] = []

    def note(module: Any, arguments: tuple[Tensor, ...], result: Tensor) -> None:
        a = arguments[0].detach()
        flat = a.ndim == 2 and len(a) == len(x)
        inputs = [] if not flat else [a] if isinstance(module, nn.Linear) else module.interpolation(a)
        calls.append(Call(known[module], module, inputs, result))

    handles = [module.register_forward_hook(note) for module in known]
    try:
        outputs = model(x)
    finally:
        for handle in handles:
            handle.remove()
    once = len({id(call.module) for call in calls}) == len(calls) == len(known)
    held = {id(p) for module in known for p in _trained(module).values()}
    every = {id(p) for p in model.parameters() if p.requires_grad}
    return (outputs, calls) if once and all(call.inputs for call in calls) and held == every and calls else None


def _trained(module: nn.Module) -> dict[str, nn.Parameter]:
    """A linear layer's ``weight`` and ``bias``, in this order, or a grid's ``table``, if present and trainable."""
    return {name: p for name, p in module.named_parameters(recurse=False) if p.requires_grad}


def _signals(outputs: Tensor, calls: list[Call]) -> Iterator[Layer]:
    results = [call.result for call in calls]
    rows = [
        torch.autograd.grad(output.sum(), results, retain_graph=True, materialize_grads=True)
        for output in outputs.unbind(-1)
    ]
    for h, call in enumerate(calls):
        kinds = _trained(call.module)
        signals = torch.stack([row[h] for row in rows], dim=1)
        for a, part in zip(call.inputs, signals.chunk(len(call.inputs), dim=-1), strict=True):
            names = [call.prefix + kind for kind in kinds]
            yield Layer(a[:, :0] if list(kinds) == ["bias"] else a, part, float("bias" in kinds), names)


def _complete(outputs: Tensor, calls: list[Call]) -> bool:
    """Whether the layers account for the whole gradient; they do not if a weight is also used elsewhere."""
    parameters = [p for call in calls for p in _trained(call.module).values()]
    generator = torch.Generator().manual_seed(0)
    mixture = torch.randn(outputs.shape, generator=generator, dtype=torch.float64, device="cpu").to(outputs)
    mixed = (outputs * mixture).sum()
    wanted = torch.autograd.grad(mixed, parameters, retain_graph=True, materialize_grads=True)
    results = [call.result for call in calls]
    signals = torch.autograd.grad(mixed, results, retain_graph=True, materialize_grads=True)
    found: list[Tensor] = []
    for call, signal in zip(calls, signals, strict=True):
        parts = zip(call.inputs, signal.chunk(len(call.inputs), dim=-1), strict=True)
        weight = torch.cat([a.T @ part for a, part in parts]).T
        gradient = {"weight": weight, "table": weight, "bias": signal.sum(0)}
        found += [gradient[name] for name in _trained(call.module)]
    difference = torch.stack([(a - b).norm() for a, b in zip(found, wanted, strict=True)]).norm()
    # Rounding is below 1e-5 of the gradient; one point of n that is treated otherwise is about 1 / sqrt(n) of it.
    return bool(difference <= 1e-4 * torch.stack([g.norm() for g in wanted]).norm())


def inner_products(a: Float[Tensor, "n k"], b: Float[Tensor, "m k"]) -> Float[Tensor, "n m"]:
    """``a b^T``, dense, of dense or sparse rows."""
    if not a.is_sparse:
        return a @ b.T
    with warnings.catch_warnings():
        # The first product of a process passes through a layout that torch calls beta.
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta state", UserWarning)
        return torch.sparse.mm(a, b.T).to_dense()


def layerwise_ntk(left: list[Layer], right: list[Layer], outputs: str) -> Float[Tensor, "n m *c"]:
    """The empirical NTK between two sets of points, from their inputs and signals.

    Args:
        left, right: ``layers`` of the same model.
        outputs: how the outputs are contracted, as an equation of ``torch.einsum`` for two tensors (n, c, p).
    """
    total: Tensor | None = None
    for one, other in zip(left, right, strict=True):
        gram = inner_products(one.inputs, other.inputs) + one.bias
        signals = torch.einsum(outputs, one.signals, other.signals)
        signals *= gram.reshape(gram.shape + (1,) * (signals.ndim - 2))
        total = signals if total is None else total.add_(signals)
    assert total is not None
    return total


def parameterwise_ntk(left: list[Layer], right: list[Layer], outputs: str) -> dict[str, Float[Tensor, "n m *c"]]:
    """The kernel of each parameter apart, by its name in the model; arguments as above."""
    kernels: dict[str, Tensor] = {}
    for one, other in zip(left, right, strict=True):
        signals = torch.einsum(outputs, one.signals, other.signals)
        if one.inputs.shape[1]:
            gram = inner_products(one.inputs, other.inputs)
            weight = gram.reshape(gram.shape + (1,) * (signals.ndim - 2)) * signals
            # The levels of a grid share a table.
            kernels[one.parameters[0]] = kernels.get(one.parameters[0], 0) + weight
        if one.bias:
            kernels[one.parameters[-1]] = signals
    return kernels
