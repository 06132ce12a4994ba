"""Training data that are two tensors."""

from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ffnet.datasets.base import Batch, Source


class TensorSource(Source):
    """Rows of ``queries`` with rows of ``targets``.

    Args:
        queries: (n, q), such as points, rays or lines.
        targets: (n, c), what was observed there, of any type: batches are float32, or complex as they are.
        grid: sizes of the regular grid that the queries form, slowest axis first as they are numbered.

    Raises:
        ValueError: if the numbers of rows differ.
    """

    queries: Tensor
    targets: Tensor

    def __init__(
        self, queries: Float[Tensor, "n q"], targets: Shaped[Tensor, "m c"], grid: tuple[int, ...] | None = None
    ) -> None:
        super().__init__()
        if len(queries) != len(targets):
            raise ValueError(f"targets: expected {len(queries)} rows as of the queries, got {len(targets)}")
        self.hold("queries", queries)
        self.hold("targets", targets)
        self.size, self.grid = len(queries), grid

    def batch(self, index: Int[Tensor, "k"]) -> Batch:
        targets = self.targets[index]
        return Batch(self.queries[index], targets if targets.is_complex() else targets.float())
