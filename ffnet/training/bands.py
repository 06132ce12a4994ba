"""The error of a fit by frequency, and how fast the tangent kernel says that it falls."""

import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.datasets import Dataset
from ffnet.models import Field

# Points whose activations are held at a time.
CHUNK_POINTS = 4096


class Bands:
    """Octaves of frequency of the error on a training grid: ``0-1, 1-2, 2-4, ...`` cycles per unit in any direction.

    Args:
        dataset: one with a ``training_grid``.
        most_points: of a larger grid, a window in the middle is looked at. Its sides are not periodic, and neither are
            a picture's: what jumps there counts as high frequencies.

    Attributes:
        names: ``LOW-HIGH``, in cycles per unit, rising; the lower end belongs to the band.
    """

    def __init__(self, dataset: Dataset, most_points: int) -> None:
        grid = dataset.training_grid
        assert grid is not None, "bands of frequency need a grid"
        side = int(most_points ** (1 / len(grid)) + 1e-9)
        self.size = tuple(min(side, count) for count in grid)
        device = next(dataset.buffers()).device
        axes = [torch.arange(w, device=device) + (n - w) // 2 for n, w in zip(grid, self.size, strict=True)]
        numbers = torch.zeros((), dtype=torch.int64, device=device)
        for axis, count in zip(torch.meshgrid(*axes, indexing="ij"), grid, strict=True):
            numbers = numbers * count + axis
        self.x, self.y = dataset.training_batch(numbers.flatten())
        waves = [torch.fft.fftfreq(w, 1 / n, device=device) for n, w in zip(grid, self.size, strict=True)]
        radius = torch.stack(torch.meshgrid(*waves, indexing="ij")).square().sum(0).sqrt()
        octave = radius.clamp(min=0.5).log2().floor().long() + 1
        found, self.index = octave.unique(return_inverse=True)
        self.names = [f"{int(2 ** (k - 1))}-{2**k}" for k in found.tolist()]

    @torch.no_grad()
    def error(self, field: Field) -> Float[Tensor, "n c"]:
        """``field - target`` at the points."""
        return torch.cat([field(x) for x in self.x.split(CHUNK_POINTS)]) - self.y

    def mean_squares(self, error: Float[Tensor, "n c"]) -> Float[Tensor, "b"]:
        """What each band has of the mean squared error; together they are all of it (Parseval)."""
        spectrum = self._transformed(error).abs().square().sum(-1)
        energy = spectrum.new_zeros(len(self.names)).index_add_(0, self.index.flatten(), spectrum.flatten())
        return energy / (len(error) * error.numel())

    def parts(self, error: Float[Tensor, "n c"]) -> Float[Tensor, "b n c"]:
        """The error within each band; their sum is the error."""
        spectrum = self._transformed(error)
        kept = torch.stack([self.index == k for k in range(len(self.names))]).unsqueeze(-1)
        axes = tuple(range(1, 1 + len(self.size)))
        return torch.fft.ifftn(spectrum * kept, dim=axes).real.flatten(1, len(self.size)).contiguous()

    def _transformed(self, error: Tensor) -> Tensor:
        return torch.fft.fftn(error.reshape(*self.size, -1), dim=tuple(range(len(self.size))))

    def rates(self, field: Field) -> Float[Tensor, "b"]:
        """The tangent kernel's Rayleigh quotient ``e^T Theta e / |e|^2`` of the error e within each band: the pace at
        which gradient flow begins to lower it. It is ``|J^T e|^2 / |e|^2``, one backward pass a band.
        """
        parts = self.parts(self.error(field))
        parameters = [p for p in field.parameters() if p.requires_grad]
        sums = [[torch.zeros_like(p) for p in parameters] for _ in parts]
        with torch.enable_grad():
            for x, piece in zip(self.x.split(CHUNK_POINTS), parts.split(CHUNK_POINTS, dim=1), strict=True):
                values = field(x)
                for total, part in zip(sums, piece, strict=True):
                    slopes = torch.autograd.grad(values, parameters, part, retain_graph=True, materialize_grads=True)
                    for held, slope in zip(total, slopes, strict=True):
                        held += slope
        squares = torch.stack([sum((g.square().sum() for g in total), torch.zeros(())) for total in sums])
        return squares / parts.square().sum((1, 2)).clamp(min=torch.finfo(parts.dtype).tiny)


def shared_out(start: Float[Tensor, "b"], rates: Float[Tensor, "b"], now: float) -> Float[Tensor, "b"]:
    """``start exp(-2 rates t)`` at the time t at which their sum has fallen to ``now``; ``start`` if it has not fallen.

    Only the rates' ratios matter: the run itself is the clock, whatever its optimizer and its learning rate are.
    """
    paces = -2 * rates / rates.max()
    if now >= start.sum().item():
        return start
    left = lambda time: start * torch.exp(paces * time)  # noqa: E731
    low, high = 0.0, 1.0
    while left(high).sum().item() > now and high < 1e30:  # bands of rate 0 may keep more than that for ever
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if left(middle).sum().item() > now else (low, middle)
    return left(high)
