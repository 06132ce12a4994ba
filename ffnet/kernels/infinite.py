"""Kernels of infinitely wide networks (Jacot et al. 2018, arXiv 1806.07572; Lee et al. 2019, arXiv 1902.06720)."""

from collections.abc import Callable, Iterator
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.kernels.activations import Dual, dual

Parameterization = Literal["unit_variance", "ntk", "standard", "torch"]


def squared_distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """``|x_i - y_j|^2`` from differences: inner products would lose the distance of nearby points."""
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist").square()


class LayerKernel(NamedTuple):
    """What one layer adds to the NTK: the kernel of its weights, and that of its biases (0 without biases)."""

    weight: Float[Tensor, "n m"]
    bias: Float[Tensor, "n m"]


class InfiniteMLP:
    """A network of ``hidden_layers`` hidden layers and a linear output layer, in the limit of infinite width.

    The parameterisations in use differ in the initialisation and in the variables of the gradient:

    - ``unit_variance``: the first kernel is ``x . x'``; each later layer multiplies by ``c = 1 / E[s(z)^2]``, so that
      unit inputs keep variance 1. No biases; ``w_std`` and ``b_std`` do not apply.
    - ``ntk``: ``W = w_std / sqrt(fan_in) * N(0, 1)``, ``b = b_std * N(0, 1)`` in every layer, gradients to the N(0, 1).
    - ``standard``: the same function, gradients to W and b themselves, as in PyTorch. Hidden layers then contribute
      in proportion to ``width``.
    - ``torch``: as ``torch.nn.Linear`` initialises itself: W and b have the variance ``1 / (3 fan_in)``, gradients to W
      and b. ``w_std`` and ``b_std`` do not apply; the kernel depends on ``width``.

    With the covariance Sigma and the NTK Theta of a layer's pre-activations, the next layer's are
    ``b_std^2 + w^2 E[s s]`` and ``g_b + g_w E[s s] + w^2 E[s' s'] Theta`` (Lee et al. 2019, appendix E).

    Args:
        hidden_layers: number of activations.
        activation: ``relu``, ``erf``, ``sin``, any function of tensors (by quadrature), or a ``Dual``.
        parameterization: one of the four above; required, since results depend on it.
        w_std, b_std: of the weights and biases; ``b_std=None`` is a network without biases.
        width: of the hidden layers, for ``standard`` and ``torch``.
        encoder: maps the points to features (n, k), such as one of ``ffnet.encoders``; None uses the points
            themselves. With sines and cosines of equal amplitude as features the kernel depends on ``x - y`` only,
            see ``ffnet.kernels.is_stationary``.

    Raises:
        ValueError: if an argument is out of range, missing, or does not apply to the parameterisation.
    """

    def __init__(
        self,
        hidden_layers: int,
        activation: str | Callable[[Tensor], Tensor] | Dual,
        parameterization: Parameterization,
        w_std: float | None = None,
        b_std: float | None = None,
        width: int | None = None,
        encoder: Callable[[Tensor], Tensor] | None = None,
    ) -> None:
        if type(hidden_layers) is not int or hidden_layers < 0:
            raise ValueError(f"hidden_layers: expected an integer of at least 0, got {hidden_layers!r}")
        if parameterization not in get_args(Parameterization):
            expected = ", ".join(get_args(Parameterization))
            raise ValueError(f"parameterization: expected one of {expected}, got {parameterization!r}")
        if parameterization in ("unit_variance", "torch") and (w_std, b_std) != (None, None):
            raise ValueError(
                f"w_std, b_std: expected none with {parameterization}, which fixes them; use ntk or standard"
            )
        if parameterization in ("standard", "torch") and (width is None or width < 1):
            raise ValueError(f"width: the {parameterization} parameterization's kernel depends on it; got {width!r}")
        self.hidden_layers = hidden_layers
        self.dual = dual(activation)
        self.parameterization = parameterization
        self.w_std = 1.0 if w_std is None else w_std
        self.b_std = b_std
        self.width = width
        self.encoder = encoder

    def nngp(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None) -> Float[Tensor, "n m"]:
        """Covariance of the network's outputs at ``x`` and ``y`` over random weights; ``y`` is ``x`` if None."""
        return self._kernels(x, y)[0]

    def ntk(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None) -> Float[Tensor, "n m"]:
        """Neural tangent kernel at ``x`` and ``y``; ``y`` is ``x`` if None."""
        return self._kernels(x, y)[1]

    def ntk_by_layer(self, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None) -> list[LayerKernel]:
        """What each layer's weights and biases add to the NTK, first layer first (Jacot et al. 2018, appendix A.1).

        With weights only, layer h has ``Sigma_{h-1}`` times the ``Sigmadot`` of all activations after it. A layer that
        is not trained adds nothing; a layer with a learning rate of its own adds in proportion to it.
        """
        parts: list[LayerKernel] = []
        for weight, bias, passed, _ in self._layers(*self._inputs(x, y)):
            parts = [LayerKernel(passed * part.weight, passed * part.bias) for part in parts]
            parts.append(LayerKernel(weight, torch.full_like(weight, bias)))
        return parts

    def _kernels(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor]:
        return self.propagate(*self._inputs(x, y))

    def _inputs(self, x: Tensor, y: Tensor | None) -> tuple[Tensor, Tensor, Tensor, int]:
        """The arguments of ``propagate``."""
        if self.encoder is not None:
            x, y = self.encoder(x), None if y is None else self.encoder(y)
        y = x if y is None else y
        a, b = x.square().sum(-1).unsqueeze(-1), y.square().sum(-1)
        return a, b, squared_distances(x, y), x.shape[-1]

    def propagate(
        self, a: Tensor, b: Tensor, gap: Float[Tensor, "*nm"], fan_in: int = 1
    ) -> tuple[Float[Tensor, "*nm"], Float[Tensor, "*nm"]]:
        """(NNGP kernel, NTK) from the features' squared norms and distances.

        Args:
            a, b: squared norms of the features of the first and the second points, broadcastable to ``gap``.
            gap: squared distances between them.
            fan_in: number of features; ``ntk`` and ``standard`` divide by it.
        """
        nngp = ntk = torch.zeros_like(gap)
        for weight, bias, passed, covariance in self._layers(a, b, gap, fan_in):
            nngp, ntk = covariance, bias + weight + passed * ntk
        return nngp, ntk

    def _layers(
        self, a: Tensor, b: Tensor, gap: Float[Tensor, "*nm"], fan_in: int
    ) -> Iterator[tuple[Tensor, float, Tensor, Tensor]]:
        """Of each layer, first to last: the kernels of its weights and its biases, the factor that multiplies the
        kernels of earlier layers, and the covariance of its outputs.
        """
        w2, b2, g_w, g_b = self._first(fan_in)
        passed = torch.ones_like(gap)
        for remaining in reversed(range(self.hidden_layers + 1)):
            weight = g_w * (a + b - gap) / 2
            a, b, gap = b2 + w2 * a, b2 + w2 * b, w2 * gap
            yield weight, g_b, passed, (a + b - gap) / 2
            if remaining:
                w2, b2, g_w, g_b = self._later()
                passed = w2 * self.dual.slopes(a, b, gap)
                a, b, gap = self.dual.square(a), self.dual.square(b), self.dual.gap(a, b, gap)

    def _first(self, fan_in: int) -> tuple[float, float, float, float]:
        """Factors of the first layer: w^2 / fan_in, b^2, and those of the gradients of weights and biases."""
        if self.parameterization == "unit_variance":
            return 1.0, 0.0, 1.0, 0.0
        if self.parameterization == "torch":
            return 1 / (3 * fan_in), 1 / (3 * fan_in), 1.0, 1.0
        w2, b2 = self.w_std**2 / fan_in, (self.b_std or 0.0) ** 2
        return (w2, b2, w2, b2) if self.parameterization == "ntk" else (w2, b2, 1.0, float(self.b_std is not None))

    def _later(self) -> tuple[float, float, float, float]:
        """The same of the layers that follow an activation."""
        if self.parameterization == "unit_variance":
            c = 1 / self.dual.square(torch.ones((), dtype=torch.float64)).item()
            return c, 0.0, c, 0.0
        w2, b2 = self.w_std**2, (self.b_std or 0.0) ** 2
        if self.parameterization == "ntk":
            return w2, b2, w2, b2
        assert self.width is not None
        if self.parameterization == "torch":
            return 1 / 3, 1 / (3 * self.width), float(self.width), 1.0
        return w2, b2, float(self.width), float(self.b_std is not None)
