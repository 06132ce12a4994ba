"""Fits images: position to colour."""

import logging
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet import budget
from ffnet.datasets import automatic
from ffnet.datasets.base import IN_MEMORY, Dataset, Evaluation, Source, located
from ffnet.datasets.image_scores import scores
from ffnet.datasets.pixels import PixelGrid, Pixels, PixelsAndBetween, RemainingPixels
from ffnet.metrics import psnr
from ffnet.operators import Operator, PointEvaluation
from ffnet.rendering import bands
from ffnet.resources import resource
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals import ImageRecord
from ffnet.signals.image import ImageSignal, image_views, mean_value, unit
from ffnet.signals.image_files import to_image
from ffnet.signals.interpolation import Interpolation, halfway

if TYPE_CHECKING:
    from torchmetrics import Metric

log = logging.getLogger(__name__)

Split = Literal["all", "half"]
Alpha = Literal["straight", "premultiplied"]

# Pixels per chunk of the interpolation baselines.
BAND = 2**18


class ImageDataset(Dataset):
    """The pixels of an image. Those of 8 or 16 bits are stored in their own dtype.

    Args:
        path: any image that Pillow opens, an OpenEXR, Radiance, TIFF or ``.npy`` file; or an image in memory: a Pillow
            image, or an array or tensor (height, width[, channels]). None is the bundled image.
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
        transfer: how the field's values stand for those of the file: ``none``, ``linear`` (the linear light of sRGB's
            values), ``log`` or ``symlog`` (``ffnet.signals.coding``). ``auto`` is one of the last two for values beyond
            [0, 1], else ``none``.
        alpha: ``premultiplied`` fits colours times alpha, so that the colours of transparent pixels do not count;
            files get straight colours back.
        metadata: whether files get the colour profile and EXIF back; checkpoints then store them.
        operator: how training observes the field; evaluation at the pixels if None. Scores are those of the field.
        sampler: which pixels a step uses; replaces ``batch_size``, unless it takes it.

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
        transfer: str = "auto",
        alpha: Alpha = "straight",
        metadata: bool = True,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if split not in get_args(Split):
            raise ValueError(f"split: expected one of {', '.join(get_args(Split))}, got {split!r}")
        if batch_size not in (None, "auto") and not (type(batch_size) is int and batch_size >= 1):
            raise ValueError(f"batch_size: expected at least 1 pixel, auto, or null for all, got {batch_size!r}")
        budget.check("points", batch_size if isinstance(batch_size, int) else 0, "batch_size")
        if type(between) not in (int, float) or not 0 <= between <= 1:
            raise ValueError(f"between: expected a fraction in [0, 1], got {between!r}")
        if alpha not in get_args(Alpha):
            raise ValueError(f"alpha: expected one of {', '.join(get_args(Alpha))}, got {alpha!r}")
        if type(metadata) is not bool:
            raise ValueError(f"metadata: expected true or false, got {metadata!r}")
        path = resource("data") / "cat.png" if path is None else path
        self.path = located(path)
        coded: dict[str, Any] = {"transfer": transfer, "premultiply": alpha == "premultiplied", "metadata": metadata}
        signal = ImageSignal(self.path or path, crop, size, offset, max_pixels, enlarge, **coded)
        if split == "half" and min(signal.height, signal.width) < 2:
            raise ValueError(f"split=half: expected at least 2x2 pixels, got {signal.height}x{signal.width}")
        self.record = signal.record
        self.in_features, self.out_features, self.split = 2, signal.channels, split
        image = Pixels(signal.pixels, offset, signal.choice.bounded)
        self.fitted = PixelGrid(image, step=2 if split == "half" else 1)
        numbered = batch_size is None or sampler is not None
        self.source = PixelsAndBetween(self.fitted, between) if between and not numbered else self.fitted
        self.chosen: dict[str, Any] = {}
        if transfer == "auto" and self.record.transfer != "none":
            self.chosen = {"transfer": self.record.transfer}
        if batch_size == "auto":
            batch_size = automatic.batch_size(self.fitted.size)
            self.chosen |= {"batch_size": batch_size}
        self.sampler = sampler_of(sampler, batch_size)
        self.operator = operator or PointEvaluation()
        found, meaning = scores(signal.choice)  # which takes seconds, hence after everything that may be refused
        self.metrics = {**found}
        self.fitted_score = next((name for name, metric in found.items() if metric.space is None), None)
        scored: dict[str, Source] = {"": self.fitted}
        if split == "half":
            scored = {"": PixelGrid(image, start=1, step=2), "rest": RemainingPixels(image), "train": self.fitted}
        for name, source in scored.items():
            self.add_evaluation(Evaluation(name, source, self.metrics, None, source.grid, metrics))
        if meaning:
            log.info("values  %s; %s", signal.choice.described(), meaning)

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
        record, values = self.record, self.pixels
        if record.coding.plain and not record.deep:
            pixels = (values * 255).round().byte() if values.is_floating_point() else values
            return to_image(pixels.numpy(), record.mode, record.palette)
        return to_image((record.display(unit(values)) * 255).round().byte().numpy(), "RGB")

    def baselines(self) -> dict[str, dict[str, float]]:
        """``psnr`` of the held-out pixels ``[1::2, 1::2]``, interpolated from the training pixels."""
        if self.split == "all" or self.fitted_score is None:
            return {}
        return {kind: {self.fitted_score: psnr(self._interpolation_error(kind))} for kind in get_args(Interpolation)}

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
