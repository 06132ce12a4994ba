"""The budget of memory from which every chunk size in this package follows."""

# Points that a model or a kernel is evaluated at in one call. An evaluation is taken to hold 2^13 numbers at most:
# features, activations and their gradients; 128 MiB in all in float32.
CHUNK_POINTS = 4096
NUMBERS_PER_EVALUATION = 2**13


def chunk_points(numbers: int) -> int:
    """How many points fit into the budget if each takes this many ``numbers``, such as a Jacobian's; at least 1."""
    return max(1, CHUNK_POINTS * NUMBERS_PER_EVALUATION // numbers)
