"""An image from its gradients alone: Poisson's problem."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet import budget
from ffnet.datasets.base import IN_MEMORY, Batch, Dataset, Evaluation, Source, Stream, located
from ffnet.datasets.checks import check_kind, check_seed
from ffnet.datasets.image import PixelGrid, Pixels
from ffnet.datasets.tensors import TensorSource
from ffnet.operators import Gradient, Operator
from ffnet.rendering import pixel_coordinates
from ffnet.resources import resource
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.image import ImageSignal, image_views, mean_value
from ffnet.signals.image_files import to_image
from ffnet.signals.interpolation import cubic
from ffnet.signals.levelled import LevelledRecord

if TYPE_CHECKING:
    from torchmetrics import Metric

# Points of the scored misfit, the same in every run.
SCORED_POINTS = 2**15
SCORED_SEED = 2020
# Points that are observed at once.
CHUNK_POINTS = 2**14


class ObservedImage(Stream):
    """Observations of an image at new points, drawn uniformly in every step.

    Args:
        image: its pixels, between which values are interpolated by cubic convolution (Keys 1981).
        operator: what is observed of the interpolated image. Derivatives of it are exact.
    """

    def __init__(self, image: Pixels, operator: Operator) -> None:
        super().__init__()
        self.image, self.operator = image, operator

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        points = torch.rand(count, 2, generator=generator, device=generator.device)
        return Batch(points, self.observe(points))

    @torch.no_grad()
    def observe(self, points: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
        """What the operator observes of the interpolated image."""
        return torch.cat([self.operator(self.interpolated, part) for part in points.split(CHUNK_POINTS)])

    def interpolated(self, x: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
        """The image at points; its border continues."""
        pixels = self.image.pixels
        column = x[:, 0] * self.image.width - self.image.offset
        row = x[:, 1] * self.image.height - self.image.offset
        return cubic(pixels, row, column) / (1 if pixels.is_floating_point() else torch.iinfo(pixels.dtype).max)


class GradientDataset(Dataset):
    """Fits an image to its gradients and scores it at the pixels (Poisson's problem; Sitzmann et al. 2020, sec. 4.1).

    Training sees gradients only, in values per pixel: the exact ones of the image's cubic interpolation, at points
    between the pixels as well. They leave a constant open in each channel, which ``psnr`` ignores; images that a run
    writes get the means of the original's channels. ``gradient/rmse`` is the misfit of exact gradients at fixed points.

    Args:
        path: any image that Pillow opens; or an image in memory: a Pillow image, or an array or tensor (height, width[,
            channels]). None is the bundled image.
        crop: [height, width] of a central crop, or one number for a square.
        size: [height, width] to resize to after the crop (Lanczos), or the length of the longer side.
        points: number of places where gradients were measured, drawn uniformly; None draws new places in every step.
        batch_size: points in a training batch.
        noise: standard deviation of Gaussian noise on the measured gradients, in values per pixel. It needs ``points``,
            since new points in every step average it out.
        seed: of the places and the noise.
        metrics: additional torchmetrics metrics by name, for whole images (1, channels, height, width). They see the
            field as it is, with a constant of its own.
        operator: what is observed of the image and of the field, such as ``ffnet.operators.Laplacian``; the gradient if
            None.
        sampler: which of the ``points`` a step uses; replaces ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not an image, or an argument is out of range.
    """

    record: LevelledRecord
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        crop: int | Sequence[int] | None = None,
        size: int | Sequence[int] | None = None,
        points: int | None = None,
        batch_size: int = 4096,
        noise: float = 0.0,
        seed: int = 0,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("points", 1 if points is None else points), ("batch_size", batch_size)):
            if type(value) is not int or value < 1:
                raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
            budget.check("points", value, name)
        if type(noise) not in (int, float) or not 0 <= noise < math.inf:
            raise ValueError(f"noise: expected a finite number of at least 0, got {noise!r}")
        if noise and points is None:
            raise ValueError(
                "noise: expected 0 with points=null, whose new points average it out; say dataset.points=N"
            )
        check_seed(seed)
        path = resource("data") / "cat.png" if path is None else path
        self.path = located(path)
        signal = ImageSignal(self.path or path, crop, size)
        if signal.height * signal.width == 1:
            raise ValueError("size: expected an image of at least 2 pixels, got one pixel, which has no gradient")
        self.record = LevelledRecord(**asdict(signal.record), level=mean_value(signal.pixels))
        self.in_features, self.out_features = 2, signal.channels
        self.operator = operator or Gradient([1 / signal.width, 1 / signal.height])
        check_kind("operator", self.operator, Operator, "an ffnet.operators.Operator")
        self.observed = ObservedImage(Pixels(signal.pixels, signal.record.offset), self.operator)
        self.grid = PixelGrid(self.observed.image)
        self.source: Source | Stream = self.observed
        if points is not None:
            self.source = self._measured(points, noise, torch.Generator().manual_seed(seed))
        self.sampler = sampler_of(sampler, batch_size)
        fixed = torch.rand(SCORED_POINTS, 2, generator=torch.Generator().manual_seed(SCORED_SEED))
        exact = TensorSource(fixed, self.observed.observe(fixed))
        from torchmetrics import MeanSquaredError  # which takes seconds, hence after everything that may be refused

        from ffnet.metrics import OffsetPSNR

        self.metrics = {"rmse": MeanSquaredError(squared=False)}
        misfit = {"rmse": MeanSquaredError(squared=False).set_dtype(torch.float64)}
        self.add_evaluation(
            Evaluation("", self.grid, {"psnr": OffsetPSNR(signal.channels)}, None, self.grid.grid, metrics)
        )
        self.add_evaluation(Evaluation("gradient", exact, misfit, self.operator))

    def _measured(self, count: int, noise: float, generator: torch.Generator) -> TensorSource:
        places = torch.rand(count, 2, generator=generator)
        exact = self.observed.observe(places)
        return TensorSource(places, exact + noise * torch.randn(exact.shape, generator=generator))

    @property
    def regular(self) -> PixelGrid:
        """The pixels, for settings that follow their number; training does not see their values."""
        return self.grid

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright) with the same mean;
        ``target_gradient`` and ``gradient``, the lengths of the observations, as bright as the target's largest 1 %."""
        pixels = self.observed.image.pixels
        levelled = self.record.levelled(field, pixels.device)
        lengths = [self._lengths(some, max_side) for some in (self.observed.interpolated, field)]
        brightest = lengths[0].flatten().kthvalue(max(1, round(0.99 * lengths[0].numel()))).values.clamp(min=1e-12)
        shown = [(length / brightest).clamp(max=1).unsqueeze(-1).expand(-1, -1, 3) for length in lengths]
        return image_views(levelled, pixels, self.record, max_side) | {
            "target_gradient": shown[0],
            "gradient": shown[1],
        }

    @torch.no_grad()
    def _lengths(self, field: Callable[[Tensor], Tensor], max_side: int) -> Float[Tensor, "h w"]:
        """The lengths of what is observed of ``field`` at pixels, every so many of a large image."""
        step = -(-max(self.record.size) // max_side)
        device = self.observed.image.pixels.device
        rows, columns = (torch.arange(0, side, step, device=device) for side in self.record.size)
        every = torch.cartesian_prod(rows, columns)
        # Between the pixels: at them, cubic interpolation has the slopes of central differences, which are blind to the
        # highest frequencies.
        x = pixel_coordinates(every[:, 0], every[:, 1], self.record.size, self.record.offset + 0.5)
        observed = torch.cat([self.operator(field, part).norm(dim=-1) for part in x.split(CHUNK_POINTS)])
        return observed.float().view(len(rows), len(columns))

    def image(self) -> Image.Image:
        values = self.observed.image.pixels.numpy()
        pixels = (values * 255).round().astype(np.uint8) if np.issubdtype(values.dtype, np.floating) else values
        return to_image(pixels, self.record.mode, self.record.palette)

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        name, places = self.path.name if self.path else IN_MEMORY, "new points in every step"
        if isinstance(self.source, TensorSource):
            places = f"{self.source.size} points"
        height, width = self.record.size
        return f"gradients of {name}, {height}x{width} pixels, {self.out_features} channels, at {places}"
