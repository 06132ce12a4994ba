"""The tangent kernel of networks whose parameters all belong to linear layers, without a Jacobian.

The gradient of a weight at one point is the outer product of the layer's input a and the backpropagated signal b at
its output, so the inner product of two gradients is ``(a . a') (b . b')``. Hence
``Theta = sum_h (A_h A_h'^T + 1) * (B_h B_h'^T)``, the 1 for a bias.
"""

from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn


class Layer(NamedTuple):
    """Inputs and backpropagated signals of one linear layer at n points.

    Attributes:
        inputs: (n, fan_in); (n, 0) if the weight is not trained.
        signals: (n, c, fan_out), the gradient of each of the network's c outputs with respect to the layer's output.
        bias: 1.0 if there is a bias that is trained, else 0.0.
    """

    inputs: Tensor
    signals: Tensor
    bias: float


@torch.enable_grad()
def layers(model: nn.Module, x: Float[Tensor, "n d"]) -> list[Layer] | None:
    """Inputs and signals of every linear layer of ``model`` at ``x``; None if it has other trainable parameters.

    The model may be any module, with skip connections or not, that maps each point independently and whose trainable
    parameters all belong to ``nn.Linear`` layers or subclasses, each applied once. This is verified on the first points
    by comparing a gradient.
    """
    probe = _record(model, x[:8])
    return None if probe is None or not _complete(model, *probe) else _signals(*_recorded(model, x))


_Record = list[tuple[nn.Linear, Tensor, Tensor]]


def _recorded(model: nn.Module, x: Tensor) -> tuple[Tensor, _Record]:
    found = _record(model, x)
    assert found is not None, "the layers of the first points"
    return found


def _record(model: nn.Module, x: Tensor) -> tuple[Tensor, _Record] | None:
    """The model's outputs (n, c), and each trainable linear layer with its input and its output."""
    linear = [m for m in model.modules() if isinstance(m, nn.Linear) and _trained(m)]
    record: _Record = []

    def note(layer: Any, arguments: tuple[Tensor, ...], result: Tensor) -> None:
        record.append((layer, arguments[0].detach(), result))

    handles = [layer.register_forward_hook(note) for layer in linear]
    try:
        outputs = model(x)
    finally:
        for handle in handles:
            handle.remove()
    once = len({id(layer) for layer, _, _ in record}) == len(record) == len(linear)
    points = all(a.ndim == 2 and len(a) == len(x) for _, a, _ in record)
    held = {id(p) for layer in linear for p in _trained(layer).values()}
    every = {id(p) for p in model.parameters() if p.requires_grad}
    return (outputs, record) if once and points and held == every and record else None


def _trained(layer: nn.Module) -> dict[str, nn.Parameter]:
    """``weight`` and ``bias``, in this order, if present and trainable."""
    return {name: p for name, p in layer.named_parameters(recurse=False) if p.requires_grad}


def _signals(outputs: Tensor, record: _Record) -> list[Layer]:
    results = [result for _, _, result in record]
    rows = [
        torch.autograd.grad(output.sum(), results, retain_graph=True, materialize_grads=True)
        for output in outputs.unbind(-1)
    ]
    found = []
    for h, (layer, a, _) in enumerate(record):
        kinds = _trained(layer)
        signals = torch.stack([row[h] for row in rows], dim=1)
        found.append(Layer(a if "weight" in kinds else a[:, :0], signals, float("bias" in kinds)))
    return found


def _complete(model: nn.Module, outputs: Tensor, record: _Record) -> bool:
    """Whether the layers account for the whole gradient; they do not if a weight is also used elsewhere."""
    parameters = [p for layer, _, _ in record for p in _trained(layer).values()]
    mixed = (outputs * torch.linspace(0.5, 1.5, outputs.numel()).to(outputs).view_as(outputs)).sum()
    gradients = torch.autograd.grad(mixed, parameters, retain_graph=True, materialize_grads=True)
    wanted = torch.cat([g.flatten() for g in gradients])
    signals = torch.autograd.grad(mixed, [result for _, _, result in record], materialize_grads=True)
    found = []
    for (layer, a, _), signal in zip(record, signals, strict=True):
        gradient = {"weight": signal.T @ a, "bias": signal.sum(0)}
        found += [gradient[name] for name in _trained(layer)]
    difference = torch.cat([g.flatten() for g in found]) - wanted
    return bool(difference.norm() <= 1e-3 * wanted.norm())


def layerwise_ntk(left: list[Layer], right: list[Layer], outputs: str) -> Float[Tensor, "n m *c"]:
    """The empirical NTK between two sets of points, from their inputs and signals.

    Args:
        left, right: ``layers`` of the same model.
        outputs: how the outputs are contracted, as an equation of ``torch.einsum`` for two tensors (n, c, p).
    """
    total: Tensor | None = None
    for one, other in zip(left, right, strict=True):
        gram = one.inputs @ other.inputs.T + one.bias
        signals = torch.einsum(outputs, one.signals, other.signals)
        signals *= gram.reshape(gram.shape + (1,) * (signals.ndim - 2))
        total = signals if total is None else total.add_(signals)
    assert total is not None
    return total
