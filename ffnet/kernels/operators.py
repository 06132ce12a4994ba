"""The empirical NTK as a linear operator, for more points than a matrix can hold.

Every operator in this package takes vectors as columns, (size, k) to (size, k), so that ``conjugate_gradients`` and
``leading_eigenpairs`` work with any of them.
"""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import vjp

from ffnet.kernels.jacobians import function_of, outputs_of, pushforward, trainable
from ffnet.kernels.layers import layers
from ffnet.kernels.memory import CHUNK_POINTS


class JacobianOperator:
    """``V -> J J^T V`` by one vjp and one jvp for each chunk of points and column; any module.

    Args:
        model: maps points (n, d) to values (n, c), each point independently.
        x: the points.
        chunk: points per vjp and jvp.

    Attributes:
        size: n * c, the length of a vector, in the order of ``values.flatten()``.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "n d"], chunk: int = CHUNK_POINTS) -> None:
        self.function = function_of(model)
        self.parameters = trainable(model)
        self.chunks = x.split(chunk)
        self.values = outputs_of(model, x)
        self.size = len(x) * self.values

    def __call__(self, vectors: Float[Tensor, "size k"]) -> Float[Tensor, "size k"]:
        return torch.stack([self._product(v) for v in vectors.T], dim=-1)

    def _product(self, vector: Tensor) -> Tensor:
        parts = vector.reshape(-1, self.values).split(len(self.chunks[0]))
        weights = {name: torch.zeros_like(p) for name, p in self.parameters.items()}
        for x, part in zip(self.chunks, parts, strict=True):
            pull = vjp(lambda p, x=x: self.function(p, x), self.parameters)[1]
            for name, gradient in pull(part)[0].items():
                weights[name] += gradient
        pushed = []
        for x in self.chunks:
            pushed.append(pushforward(lambda p, x=x: self.function(p, x), self.parameters, weights)[1])  # type: ignore[misc]
        return torch.cat(pushed).flatten()


class NotLayerwise(ValueError):
    """A model has trainable parameters outside of its linear layers."""


class LayerwiseOperator:
    """The same from the layers' inputs and signals, computed once: two matrix products per layer and vector, about a
    third of the arithmetic of a vjp and a jvp. It stores ``fan_in + c * fan_out`` numbers per point and layer.

    Args:
        model, x, chunk: as above; every trainable parameter belongs to a linear layer that is applied once.

    Raises:
        ValueError: if the model has other trainable parameters.
    """

    def __init__(self, model: nn.Module, x: Float[Tensor, "n d"], chunk: int = CHUNK_POINTS) -> None:
        self.chunks = []
        for part in x.split(chunk):
            found = layers(model, part)
            if found is None:
                raise NotLayerwise("model: expected trainable parameters in linear layers only; use JacobianOperator")
            self.chunks.append(found)
        self.values = self.chunks[0][0].signals.shape[1]
        self.size = len(x) * self.values
        self.points = chunk

    def __call__(self, vectors: Float[Tensor, "size k"]) -> Float[Tensor, "size k"]:
        # All vectors are multiplied at once: the products are limited by reading the layers' inputs and signals.
        count = vectors.shape[1]
        parts = vectors.reshape(-1, self.values, count).split(self.points)
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
                change = (layer.inputs @ weight + bias).unflatten(1, (count, -1))
                rows.append(torch.einsum("nko,nco->nck", change, layer.signals))
            pushed.append(torch.stack(rows).sum(0))
        return torch.cat(pushed).flatten(0, 1)


def ntk_operator(
    model: nn.Module, x: Float[Tensor, "n d"], chunk: int = CHUNK_POINTS
) -> JacobianOperator | LayerwiseOperator:
    """The empirical NTK of ``model`` at ``x`` as an operator, layer by layer if possible."""
    try:
        return LayerwiseOperator(model, x, chunk)
    except NotLayerwise:
        return JacobianOperator(model, x, chunk)
