"""The neural tangent kernel of a finite network: ``Theta(x, x') = J(x) J(x')^T`` (Jacot et al. 2018, eq. 3)."""

from jaxtyping import Float
from torch import Tensor, nn

from ffnet.kernels.jacobians import jacobian_ntk, trainable
from ffnet.kernels.layers import layers, layerwise_ntk, parameterwise_ntk

FULL, TRACE, PER_OUTPUT = "nip,mjp->nmij", "nip,mip->nm", "nip,mip->nmi"


def empirical_ntk(
    model: nn.Module, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None, chunk: int | None = None
) -> Float[Tensor, "n m c c"]:
    """``Theta[n, m, i, j] = sum_p (d f_i(x_n) / d theta_p) (d f_j(y_m) / d theta_p)``, for all pairs of outputs.

    If every trainable parameter belongs to a linear layer that is applied once, it is computed from the layers' Gram
    matrices without a Jacobian; otherwise Jacobians are contracted in chunks of points. The two agree up to
    floating-point rounding.

    Args:
        model: maps points (n, d) to values (n, c), each point independently.
        x, y: the points; ``y`` is ``x`` if None.
        chunk: points per Jacobian, if one is needed; if None, as many as the memory budget allows.
    """
    return _contracted(model, x, y, FULL, chunk)


def empirical_ntk_trace(
    model: nn.Module, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None, chunk: int | None = None
) -> Float[Tensor, "n m"]:
    """``sum_i Theta[n, m, i, i]``; divided by c, it approximates each output's kernel as the width grows."""
    return _contracted(model, x, y, TRACE, chunk)


def empirical_ntk_per_output(
    model: nn.Module, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None, chunk: int | None = None
) -> Float[Tensor, "n m c"]:
    """``Theta[n, m, i, i]``: each output's own kernel."""
    return _contracted(model, x, y, PER_OUTPUT, chunk)


def empirical_ntk_by_parameter(
    model: nn.Module, x: Float[Tensor, "n d"], y: Float[Tensor, "m d"] | None = None, chunk: int | None = None
) -> dict[str, Float[Tensor, "n m c c"]]:
    """The kernel of each trainable parameter alone, by its name in the model; their sum is ``empirical_ntk``.

    A parameter that is not trained adds nothing to the kernel of a network; one with a learning rate of its own adds in
    proportion to it.
    """
    left = layers(model, x)
    right = left if y is None or left is None else layers(model, y)
    if left is None or right is None:
        y = x if y is None else y
        return {name: jacobian_ntk(model, x, y, FULL, chunk, [name]) for name in trainable(model)}
    found = parameterwise_ntk(left, right, FULL)
    return {name: found[name] for name in trainable(model)}


def _contracted(model: nn.Module, x: Tensor, y: Tensor | None, outputs: str, chunk: int | None) -> Tensor:
    left = layers(model, x)
    right = left if y is None or left is None else layers(model, y)
    if left is None or right is None:
        return jacobian_ntk(model, x, x if y is None else y, outputs, chunk)
    return layerwise_ntk(left, right, outputs)


def as_matrix(kernel: Float[Tensor, "n m c c"]) -> Float[Tensor, "nc mc"]:
    """The full kernel as a matrix of n * c rows, in the order of ``values.flatten()`` for values (n, c)."""
    n, m, c, _ = kernel.shape
    return kernel.permute(0, 2, 1, 3).reshape(n * c, m * c)
