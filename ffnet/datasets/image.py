"""Fits images: position to colour."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from PIL import Image
from torch import Tensor

from ffnet import budget
from ffnet.datasets import automatic
from ffnet.datasets.base import IN_MEMORY, Batch, Dataset, Evaluation, Held, Source, Stream, in_memory
from ffnet.metrics import psnr
from ffnet.operators import Operator, PointEvaluation
from ffnet.rendering import bands, pixel_coordinates
from ffnet.resources import resource
from ffnet.sampling import FullBatch, Sampler, UniformSampler
from ffnet.signals.image import ImageRecord, ImageSignal, image_views, mean_value, unit
from ffnet.signals.image_files import to_image
from ffnet.signals.image_memory import is_path
from ffnet.signals.interpolation import Interpolation, cubic, halfway

if TYPE_CHECKING:
    from torchmetrics import Metric

Split = Literal["all", "half"]

# Pixels per chunk of the interpolation baselines.
BAND = 2**18


class Pixels(Held):
    """The pixels (height, width, channels) of an image in any dtype that ``unit`` supports; sources share them."""

    pixels: Tensor

    def __init__(self, pixels: Tensor, offset: float) -> None:
        super().__init__()
        self.hold("pixels", pixels)
        self.height, self.width, self.channels = pixels.shape
        self.offset = offset

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
        return (cubic(samples, row, column) / largest).clamp(0, 1)


class ImageDataset(Dataset):
    """The pixels of an image, with values in [0, 1]. They are stored in their own dtype.

    Args:
        path: any image that Pillow opens; or an image in memory: a Pillow image, or an array or tensor (height, width[,
            channels]). None is the bundled image.
        crop: [height, width] of a central crop, or one number for a square.
        size: [height, width] to resize to after the crop (Lanczos), or the length of the longer side.
        split: ``all`` trains on and scores all pixels. ``half`` trains on ``[::2, ::2]`` and scores ``[1::2, 1::2]`` as
            ``psnr``, the other held-out pixels as ``rest/psnr``, and the training pixels as ``train/psnr`` (Tancik et
            al. 2020, section 6.1).
        batch_size: pixels per training batch, drawn uniformly with replacement; None uses all pixels every step;
            ``auto`` follows the number of pixels (``ffnet.fitting.automatic``).
        between: fraction of a batch that is points between the pixels, with interpolated values; it keeps grids of
            features from values of their own there. None if a ``sampler`` or ``batch_size=None`` numbers the pixels.
        enlarge: fits the image enlarged this many times: the most likely finer image, of which each pixel is the
            average over its cell.
        offset: position of a pixel in its cell: 0.5 is the centre, 0 the corner (Tancik et al. 2020).
        max_pixels: larger files are refused, because they may be decompression bombs; None is the limit of pixels.
        metrics: additional torchmetrics metrics by name, for whole images (1, channels, height, width) in [0, 1].
        operator: how training observes the field; evaluation at the pixels if None. Scores are those of the field.
        sampler: which pixels a step uses; replaces ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not an image, or an argument is out of range.
    """

    source: PixelGrid | PixelsAndBetween
    record: ImageRecord
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        crop: int | Sequence[int] | None = None,
        size: int | Sequence[int] | None = None,
        split: Split = "all",
        batch_size: int | Literal["auto"] | None = None,
        offset: float = 0.5,
        max_pixels: int | None = None,
        between: float = 0.0,
        enlarge: int | None = None,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        super().__init__()
        if split not in get_args(Split):
            raise ValueError(f"split: expected one of {', '.join(get_args(Split))}, got {split!r}")
        if batch_size not in (None, "auto") and not (type(batch_size) is int and batch_size >= 1):
            raise ValueError(f"batch_size: expected at least 1 pixel, auto, or null for all, got {batch_size!r}")
        budget.check("points", batch_size if isinstance(batch_size, int) else 0, "batch_size")
        if type(between) not in (int, float) or not 0 <= between <= 1:
            raise ValueError(f"between: expected a fraction in [0, 1], got {between!r}")
        if in_memory(path):
            raise ValueError("path: the run was fitted to an image in memory; give dataset.path")
        path = resource("data") / "cat.png" if path is None else path
        self.path = Path(path).absolute() if is_path(path) else None
        signal = ImageSignal(self.path or path, crop, size, offset, max_pixels, enlarge)
        if split == "half" and min(signal.height, signal.width) < 2:
            raise ValueError(f"split=half: expected at least 2x2 pixels, got {signal.height}x{signal.width}")
        self.record = signal.record
        self.in_features, self.out_features, self.split = 2, signal.channels, split
        image = Pixels(signal.pixels, offset)
        self.fitted = PixelGrid(image, step=2 if split == "half" else 1)
        numbered = batch_size is None or sampler is not None
        self.source = PixelsAndBetween(self.fitted, between) if between and not numbered else self.fitted
        self.chosen: dict[str, Any] = {}
        if batch_size == "auto":
            batch_size = automatic.batch_size(self.fitted.size)
            self.chosen = {"batch_size": batch_size}
        self.sampler = sampler or (FullBatch() if batch_size is None else UniformSampler(batch_size))
        self.operator = operator or PointEvaluation()
        from ffnet.metrics import PSNR  # which takes seconds, hence after everything that may be refused

        self.metrics = {"psnr": PSNR()}
        scored: dict[str, Source] = {"": self.fitted}
        if split == "half":
            scored = {"": PixelGrid(image, start=1, step=2), "rest": RemainingPixels(image), "train": self.fitted}
        for name, source in scored.items():
            self.add_evaluation(Evaluation(name, source, {"psnr": PSNR()}, None, source.grid, metrics))

    @property
    def pixels(self) -> Tensor:
        """(height, width, channels), uint8, uint16 or float32."""
        return self.fitted.image.pixels

    @property
    def regular(self) -> PixelGrid:
        return self.fitted

    def mean(self) -> list[float]:
        """The training pixels' mean colour."""
        return mean_value(self.pixels[:: self.fitted.step, :: self.fitted.step])

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright)."""
        return image_views(field, self.pixels, self.record, max_side)

    def image(self) -> Image.Image:
        values = self.pixels.numpy()
        pixels = (values * 255).round().astype(np.uint8) if self.pixels.is_floating_point() else values
        return to_image(pixels, self.record.mode, self.record.palette)

    def baselines(self) -> dict[str, dict[str, float]]:
        """``psnr`` of the held-out pixels ``[1::2, 1::2]``, interpolated from the training pixels."""
        if self.split == "all":
            return {}
        return {kind: {"psnr": psnr(self._interpolation_error(kind))} for kind in get_args(Interpolation)}

    def _interpolation_error(self, kind: Interpolation) -> float:
        """The mean squared error of interpolated held-out pixels, in bands: large images are not copied to float."""
        known, held_out = self.pixels[::2, ::2], self.pixels[1::2, 1::2]
        height, width, _ = held_out.shape
        squares = 0.0
        for rows in bands(height, width, BAND):
            guess = halfway(known, rows, width, kind)
            if not known.is_floating_point():
                guess = guess / torch.iinfo(known.dtype).max
            error = guess.clamp(0, 1) - unit(held_out[rows.start : rows.stop])
            squares += error.double().square().sum().item()
        return squares / held_out.numel()

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY} | self.chosen

    def extra_repr(self) -> str:
        name = self.path.name if self.path else IN_MEMORY
        return f"{name}, {self.record.size[0]}x{self.record.size[1]} pixels, {self.out_features} channels"
