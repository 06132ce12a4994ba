"""Parallel-beam tomography: an image from its integrals along lines."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import grid_sample

from ffnet import budget
from ffnet.datasets.base import IN_MEMORY, Dataset, Evaluation, in_memory
from ffnet.datasets.image import PixelGrid, Pixels
from ffnet.datasets.tensors import TensorSource
from ffnet.operators import Operator, ParallelBeam
from ffnet.sampling import FullBatch, Sampler, UniformSampler
from ffnet.signals.image import ImageRecord, ImageSignal, image_views, unit
from ffnet.signals.phantom import SUPERSAMPLING, phantom_integrals, phantom_pixels

if TYPE_CHECKING:
    from torchmetrics import Metric


def parallel_lines(angles: int, detectors: int) -> Float[Tensor, "n 2"]:
    """``angles`` directions evenly on [0, pi), each with ``detectors`` lines evenly over the width of the square."""
    direction = math.pi * torch.arange(angles, dtype=torch.float64) / angles
    offset = (torch.arange(detectors, dtype=torch.float64) + 0.5) / detectors - 0.5
    return torch.cartesian_prod(direction, offset).float()


class CTDataset(Dataset):
    """Fits an image to its line integrals and scores it at the pixels (Tancik et al. 2020, section 6.3).

    Training sees integrals only. ``psnr`` is that of the image, ``sinogram/rmse`` the misfit of the data.

    Args:
        path: a grey image to be projected here, brightness being attenuation; None is the Shepp-Logan phantom with its
            exact integrals. Also an image in memory. Colour images are taken as their mean over the channels.
        size: the phantom's side in pixels, or that of the square that an image is resized to; None keeps its size.
        angles: directions, evenly on [0, pi).
        detectors: lines in each direction; as many as pixels along a side if None.
        samples: points along a line; twice as many as pixels along a side if None.
        batch_size: lines in a training batch, drawn uniformly with replacement; None is all of them in every step.
        noise: standard deviation of Gaussian noise on the measured integrals, relative to the largest one.
        seed: of that noise.
        metrics: further torchmetrics metrics by name. They get the whole image (1, 1, height, width) in [0, 1].
        operator: how the lines see the field, in place of ``ParallelBeam(samples)``.
        sampler: which lines a step uses, in place of ``batch_size``.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no image or no square, or an argument is out of range.
    """

    record: ImageRecord
    source: TensorSource
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        size: int | None = 128,
        angles: int = 20,
        detectors: int | None = None,
        samples: int | None = None,
        batch_size: int | None = 128,
        noise: float = 0.0,
        seed: int = 0,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | None = None,
    ) -> None:
        super().__init__()
        for name, value in (("size", size), ("angles", angles), ("detectors", detectors), ("batch_size", batch_size)):
            if not (value is None and name != "angles") and (type(value) is not int or value < 1):
                raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
        if type(noise) not in (int, float) or not 0 <= noise < math.inf:
            raise ValueError(f"noise: expected a finite number of at least 0, got {noise!r}")
        if in_memory(path):
            raise ValueError("path: the run was fitted to an image in memory; give dataset.path")
        self.path = Path(path).absolute() if isinstance(path, str | Path) else None
        self.phantom = path is None
        if self.phantom:
            budget.check("pixels", (SUPERSAMPLING * (size or 128)) ** 2, "size, of the samples of the phantom's pixels")
        values = torch.from_numpy(phantom_pixels(size or 128)) if self.phantom else _grey(self.path or path, size)
        side = len(values)
        if values.shape[1] != side:
            raise ValueError(f"size: expected a square image, got {side}x{values.shape[1]}; say dataset.size=N")
        self.in_features, self.out_features = 2, 1
        self.record = ImageRecord((side, side), 1, mode="L")
        self.operator = operator or ParallelBeam(samples or 2 * side)
        budget.check("points", angles * (detectors or side), "angles, times detectors")
        budget.check("points", self.operator.points_per_query, "samples")
        from torchmetrics import MeanSquaredError  # which takes seconds, hence after everything that may be refused

        from ffnet.metrics import PSNR

        lines = parallel_lines(angles, detectors or side)
        self.source = TensorSource(lines, self._measured(lines, values, noise, seed))
        self.sampler = sampler or (FullBatch() if batch_size is None else UniformSampler(batch_size))
        self.metrics = {"rmse": MeanSquaredError(squared=False)}
        self.image_of = Pixels(values, 0.5)
        grid, misfit = PixelGrid(self.image_of), {"rmse": MeanSquaredError(squared=False).set_dtype(torch.float64)}
        self.add_evaluation(Evaluation("", grid, {"psnr": PSNR()}, None, grid.grid, metrics))
        self.add_evaluation(Evaluation("sinogram", self.source, misfit, self.operator))

    def _measured(
        self, lines: Float[Tensor, "n 2"], values: Float[Tensor, "h w 1"], noise: float, seed: int
    ) -> Float[Tensor, "n 1"]:
        """The integrals: exact of the phantom; of an image, of its bilinear interpolation, by the operator."""
        if self.phantom:
            exact = torch.from_numpy(phantom_integrals(lines.double().numpy())).float()[:, None]
        else:
            chunk = min(1024, budget.chunk(self.operator.points_per_query, 2**20))
            interpolated = lambda x: _bilinear(values, x)  # noqa: E731
            exact = torch.cat([self.operator(interpolated, part) for part in lines.split(chunk)])
        normal = torch.randn(exact.shape, generator=torch.Generator().manual_seed(seed))
        return exact + noise * exact.abs().max() * normal

    def mean(self) -> list[float]:
        """The image's mean, from the integrals: those of one direction add up to that of the square."""
        integrals = self.source.targets
        return [min(max(integrals.mean().item(), 0.0), 1.0)]

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright)."""
        return image_views(field, self.image_of.pixels, self.record, max_side)

    def image(self) -> Any:
        from ffnet.signals.image_files import to_image

        return to_image((self.image_of.pixels.numpy() * 255).round().astype(np.uint8), "L")

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else None if self.phantom else IN_MEMORY}

    def extra_repr(self) -> str:
        name = self.path.name if self.path else "Shepp-Logan phantom" if self.phantom else IN_MEMORY
        side = self.record.size[0]
        return f"{name}, {side}x{side} pixels, {self.source.size} lines"


def _grey(image: Any, size: int | None) -> Float[Tensor, "h w 1"]:
    return unit(ImageSignal(image, size=None if size is None else [size, size]).pixels).mean(-1, keepdim=True)


def _bilinear(values: Float[Tensor, "h w 1"], x: Float[Tensor, "n 2"]) -> Float[Tensor, "n 1"]:
    """The image at points, interpolated between pixel centres; its border continues."""
    grid = (2 * x - 1).view(1, 1, -1, 2)
    options: dict[str, Any] = {"mode": "bilinear", "padding_mode": "border", "align_corners": False}
    return grid_sample(values.movedim(-1, 0)[None], grid, **options)[0, :, 0].T
