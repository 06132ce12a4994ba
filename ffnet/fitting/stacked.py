"""Several networks of one architecture, trained at once on the same points: each layer is one batch of products."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ffnet.models import CoordinateMLP


class Stacked:
    """Copies of ``n`` fields as one function of points (p, d) to values (n, p, c).

    Features are computed in float32, products in ``dtype``, as in training.

    Args:
        fields: with fixed features and without skips; their sizes are the same, their weights and encoders differ.
        dtype: of the products.

    Attributes:
        parameters: the copies, to be trained.

    Raises:
        ValueError: if a field is no such network.
    """

    def __init__(self, fields: Sequence[nn.Module], dtype: torch.dtype = torch.float32) -> None:
        self.encoders, networks = [], []
        for field in fields:
            if not isinstance(field, CoordinateMLP) or type(field.network) is not nn.Sequential:
                raise ValueError("model: expected mlp without skips")
            if not field.fixed_features:
                raise ValueError("encoder: expected features that are not trained")
            self.encoders.append(field.encoder)
            networks.append(field.network)
        self.dtype = dtype
        self.layers: list[tuple[nn.Parameter, nn.Parameter] | nn.Module] = []
        for layers in zip(*networks, strict=True):
            linear = [layer for layer in layers if isinstance(layer, nn.Linear)]
            if linear:
                weights = torch.stack([layer.weight.detach().T for layer in linear])
                biases = torch.stack([layer.bias.detach() for layer in linear])[:, None]
                self.layers.append((nn.Parameter(weights), nn.Parameter(biases)))
            else:
                self.layers.append(layers[0])
        self.parameters = list(itertools.chain(*(layer for layer in self.layers if isinstance(layer, tuple))))

    @torch.no_grad()
    def features(self, x: Float[Tensor, "p d"]) -> Float[Tensor, "n p k"]:
        """The features of the points, which stay the same in training."""
        return torch.stack([encoder(x).to(self.dtype) for encoder in self.encoders])

    def decode(self, features: Float[Tensor, "n p k"]) -> Float[Tensor, "n p c"]:
        """The values of points with these features, in float32."""
        h = features
        for layer in self.layers:
            if isinstance(layer, tuple):
                weight, bias = layer
                h = torch.baddbmm(bias.to(self.dtype), h, weight.to(self.dtype))
                last = weight is self.parameters[-2]
                h = h.float() if last else h  # an output activation needs all digits
            else:
                h = layer(h)
        return h

    def __call__(self, x: Float[Tensor, "p d"]) -> Float[Tensor, "n p c"]:
        return self.decode(self.features(x))
