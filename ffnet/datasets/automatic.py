"""Settings that are ``auto``: functions of the number of samples of a signal, chosen by measurement
(benchmarks/README.md)."""

from collections.abc import Sequence


def batch_size(samples: int) -> int:
    """Queries per step: 8192, and twice as many from 2^20 samples on."""
    return 8192 if samples < 2**20 else 16384


def max_steps(samples: int) -> int:
    """Optimizer steps: 400, and 500 from 2^17 samples on."""
    return 400 if samples < 2**17 else 500


def table_size(samples: int) -> int:
    """Entries per level of a grid: the largest power of two of at most half the samples, from 2^10 to 2^19."""
    return 2 ** min(max(_octave(samples) - 1, 10), 19)


def max_resolution(shape: Sequence[int]) -> int:
    """Cells along an axis at the finest level of a grid: one and a half times the samples along the longest axis, at
    least 16, at most 4096; along a single axis, which recordings have, as many as samples, at most 2^20 - 1."""
    if len(shape) == 1:
        return min(max(shape[0], 16), 2**20 - 1)
    return min(max(3 * max(shape) // 2, 16), 4096)


def entries(values: int) -> int:
    """Entries of a wavelet encoder: a quarter of the signal's values, at least 1."""
    return max(values // 4, 1)


def _octave(samples: int) -> int:
    """The largest power of two of at most ``samples``, as its exponent."""
    return max(samples, 1).bit_length() - 1
