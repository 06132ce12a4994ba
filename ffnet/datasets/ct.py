"""X-ray tomography: an image from its integrals along lines."""

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ffnet import budget
from ffnet.datasets.base import IN_MEMORY, Dataset, Evaluation, located
from ffnet.datasets.checks import check_seed
from ffnet.datasets.inverse import interpolated
from ffnet.datasets.tensors import TensorSource
from ffnet.metrics import psnr
from ffnet.operators import LineIntegrals, Operator
from ffnet.operators.back_projection import filtered_back_projection
from ffnet.operators.grid import cell_centres
from ffnet.operators.line_integrals import even_offsets, fan_lines, parallel_lines
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.arrays import measured
from ffnet.signals.dicom import read_slice
from ffnet.signals.image import ImageSignal, image_views, unit
from ffnet.signals.image_files import to_image
from ffnet.signals.image_record import ImageRecord
from ffnet.signals.noise import gaussian_noise, transmission_noise
from ffnet.signals.phantom import SUPERSAMPLING, phantom_integrals, phantom_pixels
from ffnet.signals.sinogram import Sinogram

if TYPE_CHECKING:
    from torchmetrics import Metric

Geometry = Literal["parallel", "fan"]

# How much finer than the fit samples lines, an image is projected.
FINER = 4
# Field evaluations for a picture of the sinogram while training.
SHOWN = 2**19
# Values of a measured sinogram are scaled so that the largest of its filtered back-projection is this.
BRIGHTEST = 0.8


class Scan(NamedTuple):
    """Lines and what is known of them.

    Attributes:
        lines: (n, 2).
        shape: (angles, detectors).
        even: whether they are a parallel beam with angles evenly on [0, pi) and detectors evenly over the square.
        side: of the image, in pixels.
        pixels: (side, side, 1), the image if it is known.
        integrals: (n, 1), if they are measured; in units in which the image lies in [0, 1].
        scale: what the measured ones have been multiplied by.
    """

    lines: Float[Tensor, "n 2"]
    shape: tuple[int, int]
    even: bool
    side: int
    pixels: Float[Tensor, "h w 1"] | None = None
    integrals: Float[Tensor, "n 1"] | None = None
    scale: float = 1.0


class CTDataset(Dataset):
    """Fits an image to its line integrals and scores it at the pixels (Tancik et al. 2020, section 6.3).

    Training sees integrals only. ``psnr`` is that of the image, ``sinogram/rmse`` the misfit of the data; of a measured
    sinogram, whose image is not known, there is the latter alone.

    Args:
        path: a grey image or a DICOM slice to be projected here, brightness being attenuation; an ``.npz`` file with a
            measured sinogram and its angles (``ffnet.signals.sinogram``); None is the Shepp-Logan phantom with exact
            integrals. Also an image in memory, or a mapping of the arrays. Colour images are taken as their mean over
            the channels.
        size: the side in pixels: of the phantom, of the square that an image is resized to (None keeps its size), or of
            the image of a measured sinogram (None is its number of detectors).
        angles: directions, evenly on [0, pi) for a parallel beam and on [0, 2 pi) for a fan beam.
        detectors: lines in each direction; as many as pixels along a side if None.
        geometry: ``parallel``, or ``fan``: from sources around the square, over the circle that it lies in.
        source: distance of a fan beam's source from the centre, in sides of the square.
        samples: points along a line; as many as pixels along a side if None.
        batch_size: lines in a training batch, drawn uniformly with replacement; None is all of them in every step.
        noise: standard deviation of Gaussian noise on the integrals, relative to the largest one.
        counts: photons sent along each line, for Poisson noise; None is none.
        seed: of the noise.
        metrics: further torchmetrics metrics by name. They get the whole image (1, 1, height, width) in [0, 1].
        operator: how the lines see the field, in place of ``LineIntegrals(samples)``.
        sampler: which lines a step uses; replaces ``batch_size``, unless it takes it.

    Raises:
        OSError: if the file cannot be read.
        ImportError: if it is a DICOM file and pydicom is not installed.
        ValueError: if it holds neither a square image nor a sinogram, or an argument is out of range.
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
        geometry: Geometry = "parallel",
        source: float = 2.0,
        samples: int | None = None,
        batch_size: int | None = 128,
        noise: float = 0.0,
        counts: float | None = None,
        seed: int = 0,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        numbers = {"size": size, "detectors": detectors, "samples": samples, "batch_size": batch_size}
        for name, value in (("angles", angles), *numbers.items()):
            if not (value is None and name != "angles") and (type(value) is not int or value < 1):
                raise ValueError(f"{name}: expected an integer of at least 1, got {value!r}")
        check_seed(seed)
        if geometry not in get_args(Geometry):
            raise ValueError(f"geometry: expected one of {', '.join(get_args(Geometry))}, got {geometry!r}")
        if type(source) not in (int, float) or not math.sqrt(0.5) < source < math.inf:
            raise ValueError(f"source: expected a distance outside of the square, above 0.7072, got {source!r}")
        self.path = located(path)
        self.phantom = path is None
        if (arrays := measured(self.path or path)) is not None:
            scan = _measured(Sinogram(arrays), size)
        else:
            values = self._image(path, size)
            detectors = detectors or len(values)
            budget.check("points", angles * detectors, "angles, times detectors")
            lines = _lines(geometry, angles, detectors, source)
            scan = Scan(lines, (angles, detectors), geometry == "parallel", len(values), values)
        budget.check("pixels", scan.side**2, "size, squared")
        self.in_features, self.out_features = 2, 1
        self.record = ImageRecord((scan.side, scan.side), 1, mode="L")
        self.shape, self.even, self.scale = scan.shape, scan.even, scan.scale
        self.operator = operator or LineIntegrals(samples or scan.side)
        budget.check("points", self.operator.points_per_query, "samples")
        integrals = self._projected(scan) if scan.integrals is None else scan.integrals
        largest = integrals.abs().max().item()
        if largest == 0:
            raise ValueError("path: expected an image that is not black, got one whose integrals are all 0")
        observed = transmission_noise(integrals, counts, seed)
        from torchmetrics import MeanSquaredError  # which takes seconds, hence after everything that may be refused

        from ffnet.metrics import PSNR

        self.source = TensorSource(scan.lines, gaussian_noise(observed, noise, seed, largest))
        self.sampler = sampler_of(sampler, batch_size)
        self.metrics = {"rmse": MeanSquaredError(squared=False)}
        self.pixels = None
        if scan.pixels is not None:
            grid = (scan.side, scan.side)
            self.pixels = TensorSource(cell_centres(grid), scan.pixels.flatten(0, 1), grid)
            self.add_evaluation(Evaluation("", self.pixels, {"psnr": PSNR()}, None, grid, metrics))
        misfit = {"rmse": MeanSquaredError(squared=False).set_dtype(torch.float64)}
        self.add_evaluation(Evaluation("sinogram", self.source, misfit, self.operator))

    def _image(self, path: Any, size: int | None) -> Float[Tensor, "h w 1"]:
        if self.phantom:
            budget.check("pixels", (SUPERSAMPLING * (size or 128)) ** 2, "size, of the samples of the phantom's pixels")
            return torch.from_numpy(phantom_pixels(size or 128))
        image, shape = self.path or path, None if size is None else [size, size]
        if self.path is not None and self.path.suffix.lower() == ".dcm":
            values = torch.from_numpy(read_slice(self.path))
            if shape is not None and list(values.shape[:2]) != shape:
                whole = values.movedim(-1, 0)[None]
                values = interpolate(whole, shape, mode="bilinear", antialias=True)[0].movedim(0, -1)
        else:
            values = unit(ImageSignal(image, size=shape).pixels).mean(-1, keepdim=True)
        if values.shape[0] != values.shape[1]:
            raise ValueError(f"size: expected a square image, got {len(values)}x{values.shape[1]}; say dataset.size=N")
        return values

    def _projected(self, scan: Scan) -> Float[Tensor, "n 1"]:
        """The integrals: exact of the phantom; of an image, of its bilinear interpolation, sampled more finely than the
        fit samples it."""
        if self.phantom:
            return torch.from_numpy(phantom_integrals(scan.lines.double().numpy())).float()[:, None]
        assert scan.pixels is not None
        pixels, ours = scan.pixels, type(self.operator) is LineIntegrals
        operator = LineIntegrals(FINER * self.operator.points_per_query) if ours else self.operator
        parts = scan.lines.split(operator.chunk(len(scan.lines), 2**20))
        return torch.cat([operator(lambda x: interpolated(pixels, x), part) for part in parts])

    def mean(self) -> list[float]:
        """The image's mean, from the integrals: those of a parallel beam's direction add up to that of the square."""
        integrals = self.source.targets
        return [min(max(integrals.mean().item(), 0.0), 1.0)]

    @torch.inference_mode()
    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright) of the image; ``sinogram``: the
        measured integrals, those of the fit, and their difference, five times as bright, below one another."""
        if self.pixels is None:
            blank = self.source.targets.new_zeros(*self.record.size, 1)
            found = {"reconstruction": image_views(field, blank, self.record, max_side)["reconstruction"]}
        else:
            found = image_views(field, self.pixels.targets.unflatten(0, self.record.size), self.record, max_side)
        return {**found, "sinogram": self._sinogram(field, max_side)}

    def _sinogram(self, field: Callable[[Tensor], Tensor], max_side: int) -> Float[Tensor, "h w 3"]:
        angles, detectors = self.shape
        cost = self.operator.evaluations(self.source.size)
        step = max(1, math.ceil(math.sqrt(cost / SHOWN)), -(-max(angles, detectors) // max_side))
        device = self.source.targets.device
        rows = torch.arange(0, angles, step if angles > step else 1, device=device)
        columns = torch.arange(0, detectors, step, device=device)
        seen = self.source.batch((rows[:, None] * detectors + columns).flatten())
        parts = seen.queries.split(self.operator.chunk(len(seen.queries), budget.EVALUATIONS))
        fitted = torch.cat([self.operator(field, part).float() for part in parts]).view(len(rows), -1)
        target = seen.targets.view(len(rows), -1)
        brightest = target.abs().max().clamp(min=1e-12)
        shown = [target / brightest, fitted / brightest, 5 * (fitted - target).abs() / brightest]
        tall = max(1, len(columns) // (4 * len(rows)))  # few angles are drawn as stripes
        return torch.cat(shown).clamp(0, 1).repeat_interleave(tall, 0)[..., None].expand(-1, -1, 3)

    def image(self) -> Image.Image | None:
        if self.pixels is None:
            return None
        pixels = self.pixels.targets.unflatten(0, self.record.size)
        return to_image((pixels * 255).round().byte().cpu().numpy(), "L")

    def back_projection(self) -> Float[Tensor, "h w"] | None:
        """Filtered back-projection of the integrals, in [0, 1]; None if they are not those of an even parallel beam."""
        if not self.even:
            return None
        return filtered_back_projection(self.source.targets.view(self.shape).cpu(), self.record.size[0]).clamp(0, 1)

    def baselines(self) -> dict[str, dict[str, float]]:
        """``psnr`` of filtered back-projection."""
        found = self.back_projection()
        if found is None or self.pixels is None:
            return {}
        error = found.flatten() - self.pixels.targets[:, 0].cpu()
        return {"filtered back-projection": {"psnr": psnr(error.double().square().mean().item())}}

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else None if self.phantom else IN_MEMORY}

    def extra_repr(self) -> str:
        name = self.path.name if self.path else "Shepp-Logan phantom" if self.phantom else IN_MEMORY
        side, unknown = self.record.size[0], "" if self.pixels is not None else f", 1 is {1 / self.scale:.3g} a side"
        return f"{name}, {side}x{side} pixels, {self.shape[0]} angles of {self.shape[1]} lines{unknown}"


def _lines(geometry: Geometry, angles: int, detectors: int, source: float) -> Float[Tensor, "n 2"]:
    turns = torch.arange(angles, dtype=torch.float64) / angles
    if geometry == "parallel":
        return parallel_lines(math.pi * turns, even_offsets(detectors)).float()
    reach = math.asin(math.sqrt(0.5) / source)  # of the circle around the square, as seen from the source
    return fan_lines(2 * math.pi * turns, 2 * reach * even_offsets(detectors), source).float()


def _measured(sinogram: Sinogram, size: int | None) -> Scan:
    """Integrals from a file, scaled so that the image lies in [0, 1]."""
    angles, detectors = sinogram.values.shape
    side = size or detectors
    if sinogram.even:
        brightest = filtered_back_projection(sinogram.values, min(side, 256)).quantile(0.999).item()
    else:  # the mean along the densest line is below its largest value
        brightest = 2 * sinogram.values.max().item()
    if not 0 < brightest < math.inf:
        raise ValueError(f"sinogram: expected integrals of a finite image above 0, got one of up to {brightest:g}")
    scale = BRIGHTEST / brightest
    integrals = scale * sinogram.values.reshape(-1, 1)
    return Scan(sinogram.lines, (angles, detectors), sinogram.even, side, integrals=integrals, scale=scale)
