"""Inverse problems of images: inpainting, super-resolution, deblurring, denoising, and any other instrument."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from jaxtyping import Bool, Float
from PIL import Image
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from ffnet import budget
from ffnet.datasets.base import IN_MEMORY, Dataset, Evaluation, located
from ffnet.datasets.checks import check_seed
from ffnet.datasets.tensors import TensorSource
from ffnet.metrics import psnr
from ffnet.operators import Blur, CellAverage, GridOperator, OnGrid, Operator, PointEvaluation
from ffnet.operators.grid import cell_centres, rows
from ffnet.resources import resource
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.image import ImageSignal, image_views, unit
from ffnet.signals.image_files import display, to_image
from ffnet.signals.image_record import ImageRecord
from ffnet.signals.noise import gaussian_noise, photon_noise

if TYPE_CHECKING:
    from torchmetrics import Metric

Problem = Literal["inpainting", "superresolution", "deblurring", "denoising"]

# Standard deviation of the noise of ``problem=denoising`` if nothing is said.
NOISE = 0.1


class InverseDataset(Dataset):
    """Fits an image to a degraded measurement of it.

    The measurement is made here from an image, which the fit is scored against and never sees; with ``measured``, the
    file is the measurement. ``psnr`` is that of the image, ``missing/psnr`` of the pixels that inpainting did not see,
    ``data/rmse`` the misfit of the measurement.

    Args:
        path: any image that Pillow opens, or an image in memory; None is the bundled image.
        crop: [height, width] of a central crop, or one number for a square.
        size: [height, width] to resize to after the crop (Lanczos), or the length of the longer side.
        problem: ``inpainting``: some pixels are known; ``superresolution``: means over cells of pixels are known;
            ``deblurring``: the image is blurred by a Gaussian; ``denoising``: every pixel has noise.
        keep: fraction of pixels that inpainting knows, drawn from ``seed``.
        mask: an image file of the same size that is not black where inpainting knows the pixel; in place of ``keep``.
        factor: of super-resolution: pixels along each side of a cell.
        blur: of deblurring: the Gaussian's standard deviation in pixels.
        noise: standard deviation of Gaussian noise on the measurement; None is 0.1 for denoising, else 0.
        counts: photons counted where the image is 1, with Poisson noise; None is none.
        seed: of noise and mask.
        measured: whether ``path`` is the measurement itself. Nothing is known of the image then.
        batch_size: measurements in a training batch, drawn uniformly with replacement; None is all of them, as are more
            than there are. Operators on a grid, such as blur, always take all.
        metrics: further torchmetrics metrics by name, for whole images (1, channels, height, width) in [0, 1].
        operator: an instrument of your own, in place of ``problem``.
        sampler: which measurements a step uses, in place of ``batch_size``.

    Raises:
        OSError: if a file cannot be read.
        ValueError: if it is not an image, or an argument is out of range.
    """

    record: ImageRecord
    source: TensorSource
    pixels: TensorSource | None  # of the image
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        crop: int | Sequence[int] | None = None,
        size: int | Sequence[int] | None = None,
        problem: Problem = "inpainting",
        keep: float = 0.1,
        mask: str | None = None,
        factor: int = 4,
        blur: float = 2.0,
        noise: float | None = None,
        counts: float | None = None,
        seed: int = 0,
        measured: bool = False,
        batch_size: int | None = 8192,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if problem not in get_args(Problem):
            raise ValueError(f"problem: expected one of {', '.join(get_args(Problem))}, got {problem!r}")
        if type(keep) not in (int, float) or not 0 < keep <= 1:
            raise ValueError(f"keep: expected a fraction in (0, 1], got {keep!r}")
        if batch_size is not None and (type(batch_size) is not int or batch_size < 1):
            raise ValueError(f"batch_size: expected an integer of at least 1, or null for all, got {batch_size!r}")
        if type(factor) is not int or factor < 2:
            raise ValueError(f"factor: expected an integer of at least 2, got {factor!r}")
        check_seed(seed)
        if type(measured) is not bool:
            raise ValueError(f"measured: expected true or false, got {measured!r}")
        if mask is not None and (problem != "inpainting" or operator is not None):
            raise ValueError(f"mask: expected null unless the problem is inpainting, got {mask!r}")
        if measured and operator is not None:
            raise ValueError("measured: expected false with an operator of your own, whose measurements are no image")
        path = resource("data") / "cat.png" if path is None else path
        self.path = located(path)
        signal = ImageSignal(self.path or path, crop, size)
        given = unit(signal.pixels)
        height, width, channels = given.shape
        self.problem = "" if operator else problem
        finer = factor if measured and self.problem == "superresolution" else 1
        budget.check("points", height * width * finer**2, "factor, squared, times the pixels")
        self.record = replace(signal.record, size=(height * finer, width * finer), bits=max(signal.record.bits, 8))
        self.in_features, self.out_features = 2, channels
        self.known = _known(mask, keep, seed, (height, width)) if self.problem == "inpainting" else None
        self.operator, queries = self._instrument(operator, given, factor, blur)
        truth = None if measured else given
        clean = given.flatten(0, 1) if truth is None else self._observed(truth, queries)
        if truth is None and self.known is not None:
            clean = clean[self.known.flatten()]
        sigma = (NOISE if self.problem == "denoising" and not measured else 0.0) if noise is None else noise
        targets = gaussian_noise(photon_noise(clean, counts, seed), sigma, seed)
        if not targets.isfinite().all():
            raise ValueError("operator: expected finite measurements of this image, got NaN or infinity")
        from torchmetrics import MeanSquaredError  # which takes seconds, hence after everything that may be refused

        from ffnet.metrics import PSNR

        self.source = TensorSource(queries, targets)
        whole = batch_size is None or batch_size >= len(targets) or isinstance(self.operator, GridOperator)
        self.sampler = sampler_of(sampler, None if sampler is None and whole else batch_size)
        self.metrics = {"rmse": MeanSquaredError(squared=False)}
        self.factor, self.pixels = factor, None
        if truth is not None:
            self.pixels = TensorSource(cell_centres((height, width)), truth.flatten(0, 1), (height, width))
            self.add_evaluation(Evaluation("", self.pixels, {"psnr": PSNR()}, None, (height, width), metrics))
            if self.known is not None and not self.known.all():
                unseen = ~self.known.flatten()
                missing = TensorSource(cell_centres((height, width))[unseen], truth.flatten(0, 1)[unseen])
                self.add_evaluation(Evaluation("missing", missing, {"psnr": PSNR()}))
        misfit = {"rmse": MeanSquaredError(squared=False).set_dtype(torch.float64)}
        self.add_evaluation(Evaluation("data", self.source, misfit, self.operator))

    def _instrument(
        self, operator: Operator | None, given: Float[Tensor, "h w c"], factor: int, blur: float
    ) -> tuple[Operator, Float[Tensor, "n q"]]:
        """The operator, and the queries of all measurements."""
        height, width, _ = given.shape
        numbers = torch.arange(height * width, dtype=torch.float32)[:, None]
        if isinstance(operator, OnGrid):
            _check_grid(operator, (height, width))
            with torch.no_grad():
                measured = rows(operator.measure(given.movedim(-1, 0)[None]))
            return operator, torch.arange(len(measured), dtype=torch.float32)[:, None]
        if isinstance(operator, GridOperator):
            _check_grid(operator, (height, width))
            return operator, numbers
        if operator is not None:
            return operator, cell_centres((height, width))
        if self.problem == "superresolution":
            size = self.record.size
            if size[0] % factor or size[1] % factor:
                whole = f"[{size[0] // factor * factor},{size[1] // factor * factor}]"
                message = f"factor: expected sides that {factor} divides, got {size[0]}x{size[1]}"
                raise ValueError(f"{message}; say dataset.crop={whole}")
            coarse = (size[0] // factor, size[1] // factor)
            return CellAverage(coarse, factor), cell_centres(coarse)
        if self.problem == "deblurring":
            return Blur((height, width), blur), numbers
        centres = cell_centres((height, width))
        return PointEvaluation(), centres if self.known is None else centres[self.known.flatten()]

    @torch.no_grad()
    def _observed(self, truth: Float[Tensor, "h w c"], queries: Float[Tensor, "n q"]) -> Float[Tensor, "n k"]:
        """Measurements of the image, which is interpolated between the centres of its pixels."""
        step = self.operator.chunk(len(queries), 2**20)
        field = lambda x: interpolated(truth, x)  # noqa: E731
        return torch.cat([self.operator(field, part) for part in queries.split(step)]).float()

    @property
    def truth(self) -> Float[Tensor, "h w c"] | None:
        """The image, in [0, 1]; None if it is not known."""
        return None if self.pixels is None else self.pixels.targets.unflatten(0, self.record.size)

    def mean(self) -> list[float] | None:
        """The mean of the measurements, where they are those of pixels."""
        found = self.source.targets.mean(0)
        return found.clamp(0, 1).tolist() if self.problem and len(found) == self.out_features else None

    def measurement(self) -> Float[Tensor, "h w c"] | None:
        """The measurement as an image; unknown pixels are black. None if it is none."""
        height, width = self.record.size
        data = self.source.targets.clamp(0, 1)
        if self.known is not None:
            image = data.new_zeros(height * width, data.shape[1])
            image[self.known.flatten().to(data.device)] = data
            return image.view(height, width, -1)
        if self.problem == "superresolution":
            return data.view(height // self.factor, width // self.factor, -1)
        return data.view(height, width, -1) if self.problem else None

    @torch.inference_mode()
    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``data``, the measurement, if it is an image, and ``target``, ``reconstruction`` and ``error`` (absolute,
        five times as bright)."""
        truth = self.truth
        if truth is None:
            blank = self.source.targets.new_zeros(*self.record.size, self.out_features)
            found = {"reconstruction": image_views(field, blank, self.record, max_side)["reconstruction"]}
        else:
            found = image_views(field, truth, self.record, max_side)
        measured = self.measurement()
        if measured is not None:
            step = -(-max(measured.shape[:2]) // max_side)
            found = {"data": display(measured[::step, ::step], self.record.mode), **found}
        return found

    def image(self) -> Image.Image | None:
        shown = self.truth if self.truth is not None else self.measurement()
        if shown is None:
            return None
        return to_image((shown * 255).round().byte().cpu().numpy(), self.record.mode, self.record.palette)

    def baselines(self) -> dict[str, dict[str, float]]:
        """``psnr`` of the measurement itself, or of its interpolation."""
        measured, truth = self.measurement(), self.truth
        if truth is None or measured is None or self.known is not None:
            return {}
        if self.problem != "superresolution":
            return {"data": {"psnr": psnr((measured - truth).double().square().mean().item())}}
        scores = {}
        for kind in ("bilinear", "bicubic"):
            low = measured.movedim(-1, 0)[None]
            finer = interpolate(low, scale_factor=float(self.factor), mode=kind, align_corners=False)[0]
            error = finer.clamp(0, 1).movedim(0, -1) - truth
            scores[kind] = {"psnr": psnr(error.double().square().mean().item())}
        return scores

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else IN_MEMORY}

    def extra_repr(self) -> str:
        name = self.path.name if self.path else IN_MEMORY
        height, width = self.record.size
        what = self.problem or type(self.operator).__name__
        return f"{name}, {height}x{width} pixels, {what}, {self.source.size} measurements"


def interpolated(values: Float[Tensor, "h w c"], x: Float[Tensor, "n 2"]) -> Float[Tensor, "n c"]:
    """An image at points of [0, 1]^2, bilinear between the centres of its pixels; its border continues."""
    grid = (2 * x.to(values.dtype) - 1).view(1, 1, -1, 2)
    found = grid_sample(values.movedim(-1, 0)[None], grid, "bilinear", "border", align_corners=False)
    return found[0, :, 0].T.contiguous()


def _known(mask: str | None, keep: float, seed: int, size: tuple[int, int]) -> Bool[Tensor, "h w"]:
    if mask is None:
        order = torch.randperm(size[0] * size[1], generator=torch.Generator().manual_seed(seed))
        return (order < max(1, round(keep * len(order)))).view(size)
    known = unit(ImageSignal(Path(mask)).pixels)[..., :3].amax(-1) > 0
    if tuple(known.shape) != size:
        raise ValueError(
            f"mask: expected an image of {size[0]}x{size[1]} pixels, got {known.shape[0]}x{known.shape[1]}"
        )
    if not known.any():
        raise ValueError(f"mask: expected an image that is not black where pixels are known, {mask} is black")
    return known


def _check_grid(operator: GridOperator, size: tuple[int, int]) -> None:
    if operator.size != size:
        raise ValueError(f"operator.size: expected {list(size)}, the image's, got {list(operator.size)}")
