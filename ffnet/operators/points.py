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


class OrientedPoints(Operator):
    """The field's values at points that carry directions: queries (n, 2 d) are coordinates in [0, 1]^d and unit
    vectors, such as normals of a surface. Regularizers read these; the observation does not depend on them."""

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        return field(queries.chunk(2, dim=-1)[0])
