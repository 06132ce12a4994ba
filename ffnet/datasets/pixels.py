"""The pixels of an image as queries."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.datasets.base import Batch, Held, Source, Stream
from ffnet.rendering import pixel_coordinates
from ffnet.signals.image import unit
from ffnet.signals.interpolation import cubic


class Pixels(Held):
    """The pixels (height, width, channels) of an image in any dtype that ``unit`` supports; sources share them."""

    pixels: Tensor

    def __init__(self, pixels: Tensor, offset: float, bounded: bool = True) -> None:
        super().__init__()
        self.hold("pixels", pixels)
        self.height, self.width, self.channels = pixels.shape
        self.offset, self.bounded = offset, bounded

    def at(self, row: Int[Tensor, "n"], column: Int[Tensor, "n"]) -> Batch:
        """Coordinates and values of the pixels at the given rows and columns."""
        values = self.pixels.view(-1, self.channels)[row * self.width + column]
        return Batch(pixel_coordinates(row, column, (self.height, self.width), self.offset), unit(values))


class PixelGrid(Source):
    """The pixels of an image in every ``step``-th row and column from ``start``, row by row."""

    def __init__(self, image: Pixels, start: int = 0, step: int = 1) -> None:
        super().__init__()
        self.image, self.start, self.step = image, start, step
        self.grid: tuple[int, int] = (len(range(start, image.height, step)), len(range(start, image.width, step)))
        self.size = self.grid[0] * self.grid[1]

    def batch(self, index: Int[Tensor, "n"]) -> Batch:
        row = index.div(self.grid[1], rounding_mode="floor")
        column = index - row * self.grid[1]
        return self.image.at(self.start + row * self.step, self.start + column * self.step)


class RemainingPixels(Source):
    """The pixels that are neither in ``[::2, ::2]`` nor in ``[1::2, 1::2]``, row by row. They form no grid."""

    def __init__(self, image: Pixels) -> None:
        super().__init__()
        self.image = image
        # An even row has the odd columns, an odd row the even ones.
        self.even, odd = image.width // 2, image.width - image.width // 2
        self.size = (image.height - image.height // 2) * self.even + (image.height // 2) * odd

    def batch(self, index: Int[Tensor, "n"]) -> Batch:
        pair = index.div(self.image.width, rounding_mode="floor")  # of rows
        place = index - pair * self.image.width
        odd = (place >= self.even).long()
        return self.image.at(2 * pair + odd, 2 * (place - odd * self.even) + 1 - odd)


class PixelsAndBetween(Stream):
    """The pixels of ``grid``, one drawn from each of equally many consecutive ones, and for the fraction ``between`` of
    a batch points anywhere, with the value that cubic convolution of the pixels gives there.

    A field that is fitted at pixels alone may take any value between them.
    """

    def __init__(self, grid: PixelGrid, between: float) -> None:
        super().__init__()
        self.grid, self.between = grid, between

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        points = round(count * self.between)
        place = torch.rand(count - points, generator=generator, device=generator.device, dtype=torch.float64)
        place = (place + torch.arange(count - points, device=generator.device)) * (self.grid.size / (count - points))
        index = place.long().clamp(max=self.grid.size - 1)
        x = torch.rand(points, 2, generator=generator, device=generator.device)
        exact = self.grid.batch(index)
        return Batch(torch.cat([exact.queries, x]), torch.cat([exact.targets, self.at(x)]))

    def at(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
        """Values at coordinates ``x``."""
        image, start, step = self.grid.image, self.grid.start, self.grid.step
        samples = image.pixels[start::step, start::step]
        column = (x[:, 0] * image.width - image.offset - start) / step
        row = (x[:, 1] * image.height - image.offset - start) / step
        largest = 1 if samples.is_floating_point() else torch.iinfo(samples.dtype).max
        values = cubic(samples, row, column) / largest
        return values.clamp(0, 1) if image.bounded else values
