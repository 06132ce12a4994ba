"""How much a network's tangent kernel will change while it learns (Chizat, Oyallon & Bach 2019, arXiv 1812.07956)."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call, jacrev

from ffnet.kernels.jacobians import pushforward, trainable


def laziness(model: nn.Module, x: Float[Tensor, "n d"], y: Float[Tensor, "n c"]) -> float:
    """``kappa = |D^2 f[Delta, .]| / |D f|``, the relative change of the Jacobian along the smallest step ``Delta`` by
    which the linearised network reaches the targets. Training is lazy if it is far below 1.

    Frobenius norms. Chizat et al. use ``|f - y| |D^2 f| / |D f|^2``, with operator norms, for the same
    purpose. Multiplying the output by alpha divides it by alpha, if the initial output is 0.

    Args:
        model: twice differentiable; n * c Jacobian rows are held at a time.
        x, y: points and targets.
    """
    parameters = trainable(model)
    sizes = [p.shape for p in parameters.values()]

    def jacobian(p: dict[str, Tensor]) -> Tensor:
        blocks = jacrev(lambda q: functional_call(model, q, (x,)).flatten())(p)
        return torch.cat([block.flatten(1) for block in blocks.values()], dim=1)

    with torch.no_grad():
        step = torch.linalg.pinv(jacobian(parameters)) @ (y - model(x)).flatten()
        parts = step.split([size.numel() for size in sizes])
        change = {name: part.view(size) for name, part, size in zip(parameters, parts, sizes, strict=True)}
        start, bent = pushforward(jacobian, parameters, change)
        return (bent.norm() / start.norm()).item()
