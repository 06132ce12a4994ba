"""Evaluation of the field at points."""

from jaxtyping import Float
from torch import Tensor

from ffnet.operators.base import Field, Operator


class PointEvaluation(Operator):
    """The field's values at points: queries are coordinates (n, d) in [0, 1]^d."""

    pointwise = True

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        return field(queries)
