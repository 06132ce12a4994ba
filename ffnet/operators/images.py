"""What a camera does to an image: blur, and pixels that average over their cells."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, pad

from ffnet.operators.base import Field, Operator
from ffnet.operators.grid import GridOperator


def gaussian_psf(sigma: float) -> Float[Tensor, "k k"]:
    """A Gaussian point-spread function of standard deviation ``sigma`` in pixels, up to four of them, with sum 1."""
    reach = math.ceil(4 * sigma)
    profile = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma).square())
    return torch.outer(profile, profile) / profile.sum().square()


class Blur(GridOperator):
    """A field's values at the pixels, convolved with a point-spread function. Outside of the image its outermost pixels
    continue.

    Queries are numbers of pixels (n, 1).

    Args:
        size: (height, width) in pixels.
        sigma: standard deviation of a Gaussian, in pixels.
        psf: (k, l) point-spread function in its place, k and l odd.

    Raises:
        ValueError: if an argument is out of range.
    """

    psf: Tensor

    def __init__(self, size: tuple[int, int], sigma: float = 2.0, psf: Float[Tensor, "k l"] | None = None) -> None:
        super().__init__(size)
        if len(self.size) != 2:
            raise ValueError(f"size: expected (height, width), got {size!r}")
        if type(sigma) not in (int, float) or not 0 < sigma < math.inf:
            raise ValueError(f"sigma: expected a finite number above 0, got {sigma!r}")
        kernel = gaussian_psf(sigma) if psf is None else torch.as_tensor(psf)
        if kernel.ndim != 2 or not all(side % 2 for side in kernel.shape) or not kernel.isfinite().all():
            raise ValueError(f"psf: expected finite values on odd sides, got shape {tuple(kernel.shape)}")
        self.register_buffer("psf", kernel, persistent=False)

    def observe(self, values: Float[Tensor, "1 c *size"], queries: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        high, wide = (side // 2 for side in self.psf.shape)
        extended = pad(values, (wide, wide, high, high), mode="replicate").movedim(1, 0)
        blurred = conv2d(extended, self.psf.flip(0, 1).to(values.dtype)[None, None])  # torch's is a correlation
        return blurred[:, 0].flatten(1).T[queries[:, 0].long()]


class CellAverage(Operator):
    """The mean of a field over pixels: each is seen at the centres of ``factor`` x ``factor`` equal parts.

    Queries are centres (n, 2) of the pixels, in [0, 1]^2.

    Args:
        size: (height, width) in pixels.
        factor: parts of a pixel along each side.

    Raises:
        ValueError: if an argument is not an integer of at least 1.
    """

    parts: Tensor

    def __init__(self, size: tuple[int, int], factor: int) -> None:
        super().__init__()
        if not all(type(count) is int and count >= 1 for count in (factor, *size)):
            raise ValueError(f"size, factor: expected integers of at least 1, got {size!r}, {factor!r}")
        self.points_per_query = factor**2
        offset = (torch.arange(factor, dtype=torch.float64) + 0.5) / factor - 0.5
        parts = torch.cartesian_prod(offset, offset).flip(-1) / torch.tensor([size[1], size[0]], dtype=torch.float64)
        self.register_buffer("parts", parts, persistent=False)

    def forward(
        self, field: Field, queries: Float[Tensor, "n q"], noise: Float[Tensor, "n k"] | None = None
    ) -> Float[Tensor, "n c"]:
        points = queries[:, None] + self.parts.to(queries.dtype)
        return field(points.flatten(0, 1)).unflatten(0, points.shape[:2]).mean(1)
