"""The empirical NTK as a product with vectors, for more points than a matrix can hold."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vjp

from ffnet.kernels.jacobians import function_of, pushforward, trainable
from ffnet.kernels.layers import layers


class JacobianOperator:
    """``v -> J J^T v`` by one vjp and one jvp of a chunk of points at a time; any module.

    Args:
        model: takes points (n, d) to values (n, c), each point alone.
        x: the points.
        chunk: how many are worked off at a time.

    Attributes:
        size: n * c, the length of a vector, in the order of ``values.flatten()``.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "n d"], chunk: int = 4096) -> None:
        self.function = function_of(model)
        self.parameters = trainable(model)
        self.chunks = x.split(chunk)
        with torch.no_grad():
            self.values = model(x[:1]).shape[-1]
        self.size = len(x) * self.values

    def __call__(self, vectors: Float[Tensor, "nc k"]) -> Float[Tensor, "nc k"]:
        return torch.stack([self._product(v) for v in vectors.T], dim=-1)

    def _product(self, vector: Tensor) -> Tensor:
        parts = vector.view(-1, self.values).split(len(self.chunks[0]))
        weights = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        for x, part in zip(self.chunks, parts, strict=True):
            pull = vjp(lambda p, x=x: self.function(p, x), self.parameters)[1]
            for name, gradient in pull(part)[0].items():
                weights[name] += gradient
        pushed = []
        for x in self.chunks:
            pushed.append(pushforward(lambda p, x=x: self.function(p, x), self.parameters, weights)[1])  # type: ignore[misc]
        return torch.cat(pushed).flatten()


class LayerwiseOperator:
    """The same from the layers' inputs and signals, computed once: two matrix products a layer and vector, about a
    third of the arithmetic of a vjp and a jvp. Holds ``fan_in + c * fan_out`` numbers for each point and layer.

    Args:
        model, x, chunk: as above; every trainable parameter sits in a linear layer that is applied once.

    Raises:
        ValueError: if the model is not made like that.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "n d"], chunk: int = 4096) -> None:
        self.chunks = []
        for part in x.split(chunk):
            found = layers(model, part)
            if found is None:
                raise ValueError("model: expected trainable parameters in linear layers only; use JacobianOperator")
            self.chunks.append(found)
        self.values = self.chunks[0][0].signals.shape[1]
        self.size = len(x) * self.values
        self.points = chunk

    def __call__(self, vectors: Float[Tensor, "nc k"]) -> Float[Tensor, "nc k"]:
        # All vectors go through a layer's numbers together: reading those from memory is what a product waits for.
        count = vectors.shape[1]
        parts = vectors.view(-1, self.values, count).split(self.points)
        weights: list[Tensor] = [torch.zeros((), device=vectors.device)] * len(self.chunks[0])
        biases = list(weights)
        for found, part in zip(self.chunks, parts, strict=True):
            for h, layer in enumerate(found):
                signal = torch.einsum("nck,nco->nko", part, layer.signals).flatten(1)
                weights[h] = weights[h] + layer.inputs.T @ signal
                biases[h] = biases[h] + layer.bias * signal.sum(0)
        pushed = []
        for found in self.chunks:
            rows = []
            for layer, weight, bias in zip(found, weights, biases, strict=True):
                change = torch.addmm(bias, layer.inputs, weight).unflatten(1, (count, -1))
                rows.append(torch.einsum("nko,nco->nck", change, layer.signals))
            pushed.append(torch.stack(rows).sum(0))
        return torch.cat(pushed).flatten(0, 1)


def ntk_operator(model: nn.Module, x: Float[Tensor, "n d"], chunk: int = 4096) -> JacobianOperator | LayerwiseOperator:
    """The product with the empirical NTK of ``model`` at ``x``, layer by layer where that is possible."""
    if layers(model, x[:8]) is None:
        return JacobianOperator(model, x, chunk)
    return LayerwiseOperator(model, x, chunk)
