"""Trainable wavelet coefficients, kept where the signal has detail (Rho et al. 2023, arXiv 2212.09069, section 3)."""

import itertools
import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int, UInt8
from torch import Tensor, nn
from torch.nn.functional import conv1d, conv2d, conv3d, pad

from ffnet.encoders.base import Encoder, positive_integer
from ffnet.encoders.grid import differentiated_forward, gather, sample

# The CDF 9/7 wavelet of JPEG 2000 (ISO/IEC 15444-1, table F.4): the taps from the centre outwards, of a filter whose
# sum is 1 and of one whose alternating sum is 2. Both are symmetric.
NINE = (0.602949018236, 0.266864118443, -0.078223266529, -0.016864118443, 0.026748757411)
SEVEN = (1.115087052457, -0.591271763114, -0.057543526229, 0.091271763114)
CONVOLUTIONS = (conv1d, conv2d, conv3d)


def filters(analysis: bool) -> Float[Tensor, "2 2 5"]:
    """The filters of a pair (average, detail) at even and odd samples, ``[parity, band, tap]``, in float64.

    Synthesis gives ``x[2 i + p] = sum F[p, b, k] band_b[i + k - 2]``, where the average has the sum 1 at each parity;
    analysis, its inverse, ``band_b[i] = sum F[p, b, k] x[2 (i + k - 2) + p]``.
    """
    low, high = (NINE, [tap / 2 for tap in SEVEN]) if analysis else (SEVEN, [2 * tap for tap in NINE])
    taps = torch.zeros(2, 2, 5, dtype=torch.float64)
    for parity, band, k in itertools.product(range(2), range(2), range(5)):
        # From the tap to the centre of its filter, which is the even sample, or the odd one of a detail.
        distance = abs(2 * (k - 2) + parity - band if analysis else parity - band - 2 * (k - 2))
        half = (low, high)[band]
        # A synthesis filter is the other analysis filter with the signs of odd taps reversed.
        sign = 1 if analysis or distance % 2 == 0 else -1
        taps[parity, band, k] = sign * half[distance] if distance < len(half) else 0
    return taps


def separable(taps: Float[Tensor, "2 2 5"], dimensions: int, analysis: bool) -> Float[Tensor, "out in *taps"]:
    """The kernel of a convolution in ``dimensions`` axes between 2^d bands and the samples of 2^d parities."""
    both = list(itertools.product(range(2), repeat=dimensions))
    kernel = []
    for parities, bands in itertools.product(both, both):
        product = torch.ones((), dtype=taps.dtype)
        for parity, band in zip(parities, bands, strict=True):
            product = product[..., None] * taps[parity, band]
        kernel.append(product)
    size = [2**dimensions] * 2 + [5] * dimensions
    whole = torch.stack(kernel).view(size)
    return whole.transpose(0, 1) if analysis else whole


def convolved(x: Float[Tensor, "f in *size"], kernel: Tensor) -> Float[Tensor, "f out *size"]:
    """The convolution of equal size, for values that are continued at the borders."""
    dimensions = x.ndim - 2
    x = pad(x, [2] * 2 * dimensions, mode="replicate")
    if dimensions == 2:  # on a CPU, the gradient is computed four times as fast
        x = x.contiguous(memory_format=torch.channels_last)
    return CONVOLUTIONS[dimensions - 1](x, kernel)


def interleaved(x: Float[Tensor, "f parities *half"], size: Sequence[int]) -> Float[Tensor, "f *size"]:
    """The samples of all parities in one grid, cut to ``size``."""
    d = x.ndim - 2
    x = x.unflatten(1, [2] * d).permute(0, *[axis for i in range(d) for axis in (1 + d + i, 1 + i)])
    x = x.reshape(len(x), *[2 * half for half in x.shape[1::2]])
    return x[(slice(None), *[slice(count) for count in size])]


def parities(x: Float[Tensor, "f *size"]) -> Float[Tensor, "f parities *half"]:
    """The inverse of ``interleaved``; the last sample of an odd axis is repeated."""
    d = x.ndim - 1
    odd = [part for count in reversed(x.shape[1:]) for part in (0, count % 2)]
    x = pad(x[None], odd, mode="replicate")[0] if any(odd) else x
    x = x.reshape(len(x), *[part for count in x.shape[1:] for part in (count // 2, 2)])
    return x.permute(0, *range(2, 2 * d + 1, 2), *range(1, 2 * d, 2)).flatten(1, d)


class WaveletEncoder(Encoder):
    """Features on grids of several resolutions, whose values are a wavelet transform of few trainable coefficients.

    The grids are the averages of a CDF 9/7 wavelet: the finest has a vertex at each sample of the signal, the next
    every second one, and so on. Features are interpolated linearly between vertices, as those of ``GridEncoder``: all
    of the coarsest grid first. Only ``entries`` coefficients exist; all others are 0. ``allocate`` keeps those that are
    largest in a signal; until then they are the coarsest. Which ones is stored with one bit for each coefficient, in
    the buffer ``kept``, which is not trained.

    Each evaluation transforms the whole grid, whatever the number of points. Coordinates outside [0, 1] are clamped to
    the border. The table is initialised with U(-1e-4, 1e-4).

    Args:
        in_features: number of coordinates d, 1 to 3.
        shape: samples of the signal along each axis, slowest first (height, width).
        features: of each grid; ``out_features`` is ``(levels + 1) * features``.
        entries: number of trainable coefficients of all features.
        levels: number of transforms, of which the coarsest grid must keep 2 vertices along each axis; None leaves 16 to
            32 along the shortest one if it has as many.
        seed: of the generator that draws the initial table.
        dtype: type of the table; torch's default type if None.

    Raises:
        ValueError: if a number is out of range, or ``shape`` does not have ``in_features`` numbers.
    """

    roundable = ("table",)
    kernel: Tensor
    kept: Tensor
    place: Tensor

    def __init__(
        self,
        in_features: int,
        shape: Sequence[int],
        features: int = 3,
        entries: int = 4096,
        levels: int | None = None,
        seed: int = 0,
        dtype: torch.dtype | None = None,
    ) -> None:
        if positive_integer("in_features", in_features) > len(CONVOLUTIONS):
            raise ValueError(f"in_features: expected at most {len(CONVOLUTIONS)}, got {in_features}")
        if len(shape) != in_features:
            raise ValueError(f"shape: expected {in_features} numbers, got {shape!r}")
        size = [positive_integer("shape", count) for count in shape]
        levels = max(min(size).bit_length() - 5, 1) if levels is None else positive_integer("levels", levels)
        super().__init__(in_features, (levels + 1) * positive_integer("features", features))
        self.sizes = [size]
        for _ in range(levels):
            self.sizes.append([-(-count // 2) for count in self.sizes[-1]])
        if min(self.sizes[-1]) < 2:
            raise ValueError(f"levels: expected 2 vertices along each axis of the coarsest grid, got {self.sizes[-1]}")
        self.features, details = features, 2**in_features - 1
        coefficients = [math.prod(size) for size in [self.sizes[-1], *reversed(self.sizes[1:])]]
        self.blocks = [features * n * (details if number else 1) for number, n in enumerate(coefficients)]
        if positive_integer("entries", entries) > sum(self.blocks):
            raise ValueError(f"entries: expected at most {sum(self.blocks)}, got {entries}")
        uniform = torch.rand(entries, generator=torch.Generator().manual_seed(seed), dtype=torch.float64, device="cpu")
        self.table = nn.Parameter(((2 * uniform - 1) * 1e-4).to(torch.empty(0, dtype=dtype)))
        kernel = separable(filters(analysis=False), in_features, analysis=False)
        self.register_buffer("kernel", kernel.to(self.table.dtype), persistent=False)
        self.register_buffer("kept", packed(torch.arange(sum(self.blocks)) < entries))
        self.register_buffer("place", torch.arange(entries), persistent=False)
        self.register_load_state_dict_post_hook(_place)

    @torch.no_grad()
    def allocate(self, values: Float[Tensor, "*shape c"]) -> None:
        """Keeps the coefficients that are largest in a signal's samples.

        Feature i has those of the i-th principal component of the values, so that most go to the brightness of an
        image and few to its colours. Features beyond the number of values get none unless entries are left.

        Raises:
            ValueError: if the samples do not have the encoder's ``shape``.
        """
        if list(values.shape[:-1]) != self.sizes[0]:
            raise ValueError(f"values: expected {self.sizes[0]} samples, got {list(values.shape[:-1])}")
        flat = values.reshape(-1, values.shape[-1]).to(self.kernel.dtype)
        flat = flat - flat.mean(0)
        axes = torch.linalg.eigh(flat.T @ flat)[1].flip(-1)[:, : self.features]
        average = torch.zeros(self.features, *self.sizes[0], dtype=flat.dtype, device=flat.device)
        average[: axes.shape[-1]] = (flat @ axes).T.unflatten(-1, self.sizes[0])
        kernel = separable(filters(analysis=True), self.in_features, analysis=True).to(flat)
        sizes: list[Tensor] = []
        for level in range(1, len(self.sizes)):
            bands = convolved(parities(average), kernel)
            average = bands[:, 0]
            # The norm of a coefficient's function grows with its cell: nearly that of an orthonormal wavelet.
            sizes.append(bands[:, 1:].flatten().abs() * 2 ** (level * self.in_features / 2))
        sizes.append(average.flatten().abs() * 2 ** (level * self.in_features / 2))
        largest = torch.cat(sizes[::-1]).topk(len(self.table)).indices
        chosen = torch.zeros(sum(self.blocks), dtype=torch.bool, device=largest.device)
        self.kept.copy_(packed(chosen.index_fill(0, largest, True)))
        _place(self)

    def grids(self, dtype: torch.dtype | None = None) -> list[Float[Tensor, "f *size"]]:
        """The grids from the coarsest to the finest, slowest axis first."""
        table = self.table.to(dtype or self.table.dtype)
        with torch.autocast(table.device.type, enabled=False):
            dense = table.new_zeros(sum(self.blocks)).index_copy(0, self.place, table)
            first, *details = dense.split(self.blocks)
            found = [first.view(self.features, *self.sizes[-1])]
            for detail, half, size in zip(details, self.sizes[:0:-1], self.sizes[-2::-1], strict=True):
                bands = torch.cat([found[-1][:, None], detail.view(self.features, -1, *half)], 1)
                found.append(interleaved(convolved(bands, self.kernel.to(table.dtype)), size))
        return found

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        x = coordinates.reshape(-1, self.in_features)
        sampled = self.in_features > 1 and not differentiated_forward()
        features = []
        for level, grid in zip(range(len(self.sizes) - 1, -1, -1), self.grids(x.dtype), strict=True):
            # x first. Vertex i is the sample i 2^level, which lies at i 2^level + 1/2 of the samples' widths.
            cells = [count - 1 for count in reversed(grid.shape[1:])]
            count = torch.tensor(self.sizes[0][::-1], dtype=x.dtype, device=x.device)
            vertex = (x * count - 0.5) / 2**level
            position = vertex / torch.tensor(cells, dtype=x.dtype, device=x.device)
            features.append((sample if sampled else gather)(position, grid.flatten(1), cells))
        return torch.cat(features).T.reshape(*coordinates.shape[:-1], self.out_features)

    def levels(self) -> Int[Tensor, "k"]:
        return torch.arange(1, len(self.sizes) + 1).repeat_interleave(self.features)


def packed(kept: Bool[Tensor, "n"]) -> UInt8[Tensor, "bytes"]:
    """Eight in a byte, the lowest bit first."""
    bits = torch.zeros(-(-len(kept) // 8) * 8, dtype=torch.uint8, device=kept.device)
    bits[: len(kept)] = kept
    return (bits.view(-1, 8) << torch.arange(8, dtype=torch.uint8, device=kept.device)).sum(-1, dtype=torch.uint8)


def unpacked(kept: UInt8[Tensor, "bytes"]) -> Bool[Tensor, "n"]:
    """The inverse of ``packed``, up to the last byte's end."""
    return (kept[:, None] >> torch.arange(8, dtype=torch.uint8, device=kept.device) & 1).bool().flatten()


def _place(encoder: Any, incompatible: Any = None) -> None:
    """Sets the places of the entries to those of ``kept``, such as that of a checkpoint, which may say anything."""
    place = unpacked(encoder.kept)[: sum(encoder.blocks)].nonzero()[:, 0]
    if len(place) != len(encoder.table):
        raise ValueError(f"kept: expected {len(encoder.table)} entries, got {len(place)}")
    encoder.place.copy_(place)
