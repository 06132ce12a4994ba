"""One memory budget, counted in field evaluations, that determines all chunk sizes."""

# Points per chunk without gradients; for the paper's network, their activations take about 100 MB.
EVALUATIONS = 2**14
# Points per micro-batch on the CPU, so that activations and gradients stay in its cache (benchmarks/README.md).
CACHED_EVALUATIONS = 2**13


def chunk(points_per_query: int, budget: int = EVALUATIONS) -> int:
    """Queries per chunk if each takes ``points_per_query`` field evaluations; at least 1."""
    return max(1, budget // points_per_query)
