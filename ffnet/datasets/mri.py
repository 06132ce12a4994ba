"""Magnetic resonance imaging: an image or a volume from some of its Fourier samples."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor

from ffnet import budget
from ffnet.datasets.base import IN_MEMORY, Dataset, Evaluation, Source, located
from ffnet.datasets.checks import check_seed
from ffnet.datasets.tensors import TensorSource
from ffnet.datasets.voxels import Voxels
from ffnet.metrics import psnr
from ffnet.operators import CartesianFourier, Operator
from ffnet.operators.fourier_samples import frequencies
from ffnet.operators.grid import cell_centres
from ffnet.sampling import Sampler
from ffnet.sampling.samplers import Unsized, sampler_of
from ffnet.signals.arrays import measured
from ffnet.signals.base import Record
from ffnet.signals.image import ImageSignal, image_views, unit
from ffnet.signals.image_files import to_image
from ffnet.signals.image_record import ImageRecord
from ffnet.signals.kspace import ComplexRecord, Mask, mask_of, read_kspace, zero_filled
from ffnet.signals.noise import gaussian_noise
from ffnet.signals.phantom import SUPERSAMPLING, phantom_pixels
from ffnet.signals.volume import VIEW_SIDE, VolumeRecord, VolumeSignal
from ffnet.signals.volume_files import SUFFIXES

if TYPE_CHECKING:
    from torchmetrics import Metric

# Of magnitudes in a picture of k-space.
DECADES = 4


class MRIDataset(Dataset):
    """Fits an image or a volume to a part of its Fourier samples (k-space) and scores it at pixels or voxels (Tancik et
    al. 2020, section 6.3).

    Training sees samples only. ``psnr`` is that of the image, ``kspace/rmse`` the misfit of the samples; of measured
    k-space, whose image is not known, there is the latter alone, and the field has two values, real and imaginary part.

    Args:
        path: a volume (NIfTI, ``.npy``, HDF5) or a grey image to be transformed here; an ``.npz`` file with measured
            ``kspace`` (``ffnet.signals.kspace``); None is the Shepp-Logan phantom. Also an image, a volume or a
            mapping of these arrays in memory. Of the channels of an image, the mean is taken.
        size: the phantom's side in pixels, or that of the square that an image is resized to; None keeps its size.
        crop: [depth, height, width] of the central part of a volume.
        plane: number of the plane of a volume along z that is fitted as an image; None fits the volume.
        mask: which samples are measured: ``gaussian``, single ones more densely at low frequencies, or ``lines``.
        keep: fraction of the samples that is measured.
        width: standard deviation of the mask's density; 1 is the highest frequency.
        noise: standard deviation of Gaussian noise on real and imaginary parts, where an image has values in [0, 1].
        seed: of mask and noise.
        metrics: further torchmetrics metrics by name, for the whole image (1, 1, height, width) or volume (1, 1, depth,
            height, width) in [0, 1].
        operator: how the samples see the field, in place of ``CartesianFourier``.
        sampler: which samples a step uses; all if None, as the cost is that of evaluating the field on its grid.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it holds neither, or an argument is out of range.
    """

    record: Record
    source: TensorSource
    pixels: Source | None  # of the image
    path: Path | None

    def __init__(
        self,
        path: Any = None,
        size: int | None = 128,
        crop: Sequence[int] | None = None,
        plane: int | None = None,
        mask: Mask = "gaussian",
        keep: float = 0.126,
        width: float = 0.5,
        noise: float = 0.0,
        seed: int = 0,
        metrics: "Mapping[str, Metric] | None" = None,
        operator: Operator | None = None,
        sampler: Sampler | Unsized | None = None,
    ) -> None:
        super().__init__()
        if size is not None and (type(size) is not int or size < 1):
            raise ValueError(f"size: expected an integer of at least 1, or null, got {size!r}")
        check_seed(seed)
        self.path = located(path)
        self.phantom = path is None
        arrays = measured(self.path or path)
        if arrays is not None:
            self.pixels = None
            kspace, known = read_kspace(arrays)
            scale = 2 * zero_filled(kspace).abs().max().item()
            self.grid, samples = tuple(kspace.shape), kspace / scale
            self.record = ComplexRecord(self.grid, scale)
        else:
            values = self._signal(path, size, crop, plane)
            self.grid = tuple(values.shape)
            known = mask_of(mask, self.grid, keep, width, seed)
            samples = torch.fft.fftn(values, norm="ortho")
            if not samples.any():
                raise ValueError("path: expected an image that is not black, got one whose samples are all 0")
        budget.check("points", samples.numel(), "the grid")
        self.in_features, self.out_features = len(self.grid), 1 if arrays is None else 2
        self.operator = operator or CartesianFourier(self.grid, paired=arrays is not None)
        from torchmetrics import MeanSquaredError  # which takes seconds, hence after everything that may be refused

        from ffnet.metrics import PSNR

        seen = gaussian_noise(torch.view_as_real(samples[known]), noise, seed)
        self.source = TensorSource(frequencies(self.grid)[known.flatten()], seen)
        self.known = known
        self.sampler = sampler_of(sampler, None)
        self.metrics = {"rmse": MeanSquaredError(squared=False)}
        if self.pixels is not None:
            self.add_evaluation(Evaluation("", self.pixels, {"psnr": PSNR()}, None, self.grid, metrics))
        misfit = {"rmse": MeanSquaredError(squared=False).set_dtype(torch.float64)}
        self.add_evaluation(Evaluation("kspace", self.source, misfit, self.operator))

    def _signal(
        self, path: Any, size: int | None, crop: Sequence[int] | None, plane: int | None
    ) -> Float[Tensor, "*size"]:
        """The values in [0, 1]; sets ``record`` and ``pixels``."""
        if self.path is None:
            volume = getattr(path, "ndim", 2) == 3
        else:
            name = self.path.name.lower()  # a TIFF is taken for an image
            volume = any(name.endswith(suffix) for suffix in SUFFIXES if suffix != ".tif")
        if not volume:
            if crop is not None or plane is not None:
                raise ValueError("crop, plane: expected null for an image, which is no volume")
            return self._image(path, size)
        signal = VolumeSignal(self.path or path)
        voxels, record = signal.voxels, signal.record
        if record.channels != 1:
            raise ValueError(f"path: expected a volume of one channel, got {record.channels}")
        starts = [0, 0, 0]
        if crop is not None:
            starts = _starts(crop, record.size)
            voxels = voxels[tuple(slice(start, start + count) for start, count in zip(starts, crop, strict=True))]
        if plane is not None:
            if type(plane) is not int or not 0 <= plane < len(voxels):
                raise ValueError(f"plane: expected an integer in [0, {len(voxels)}), got {plane!r}")
            values = (voxels[plane].float() - record.low) / (record.high - record.low)
            return self._pixels(values)
        affine = torch.tensor(record.affine, dtype=torch.float64)
        corner = affine[:, 3] + affine[:, :3] @ torch.tensor(starts[::-1], dtype=torch.float64)
        moved = torch.cat([affine[:, :3], corner[:, None]], dim=1).tolist()
        self.record = replace(record, size=tuple(voxels.shape[:3]), affine=moved)
        self.pixels = Voxels(voxels.contiguous(), record.low, record.high)
        return (voxels[..., 0].float() - record.low) / (record.high - record.low)

    def _image(self, path: Any, size: int | None) -> Float[Tensor, "h w"]:
        if self.phantom:
            budget.check("pixels", (SUPERSAMPLING * (size or 128)) ** 2, "size, of the samples of the phantom's pixels")
            return self._pixels(torch.from_numpy(phantom_pixels(size or 128)))
        image = ImageSignal(self.path or path, size=None if size is None else [size, size])
        return self._pixels(unit(image.pixels).mean(-1, keepdim=True))

    def _pixels(self, values: Float[Tensor, "h w 1"]) -> Float[Tensor, "h w"]:
        size = (values.shape[0], values.shape[1])
        self.record = ImageRecord(size, 1, mode="L")
        self.pixels = TensorSource(cell_centres(size), values.flatten(0, 1), size)
        return values[..., 0]

    def zero_filled(self) -> Float[Tensor, "*size"]:
        """The inverse transform of the samples with 0 for those that are not measured: its real part, or of measured
        k-space its magnitude."""
        samples = torch.zeros(self.grid, dtype=torch.complex64)
        samples[self.known] = torch.view_as_complex(self.source.targets.cpu().contiguous())
        found = zero_filled(samples)
        return found.abs() if self.pixels is None else found.real

    def mean(self) -> list[float] | None:
        """The image's mean, which the frequency 0 measures; None for measured k-space, whose 0 is the value 0.5."""
        if self.pixels is None:
            return None
        first = self.source.targets[0, 0].item()
        return [min(max(first / len(self.known.flatten()) ** 0.5, 0.0), 1.0)]

    @torch.inference_mode()
    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction``, ``zero_filled`` and ``error`` (absolute, five times as bright); of a volume,
        three orthogonal slices; of measured k-space, magnitudes of the middle plane. ``kspace``: magnitudes of the
        samples, those of the fit, and of their difference, below one another."""
        return {**self._images(field, max_side), "kspace": self._kspace(field, max_side)}

    def _kspace(self, field: Callable[[Tensor], Tensor], max_side: int) -> Float[Tensor, "h w 3"]:
        """The frequency 0 is in the middle; of a volume, the plane of the depth's frequency 0. Black is nothing, or
        DECADES below the largest sample."""
        device = self.source.targets.device
        seen = self.source.batch(torch.arange(self.source.size, device=device))
        parts = seen.queries.split(self.operator.chunk(len(seen.queries), budget.EVALUATIONS))
        fitted = torch.cat([self.operator(field, part).float() for part in parts])
        brightest = seen.targets.norm(dim=-1).amax().clamp(min=1e-12)
        shown = []
        for values in (seen.targets, fitted, fitted - seen.targets):
            magnitude = values.new_zeros(self.grid)
            magnitude[self.known.to(device)] = values.norm(dim=-1) / brightest
            shown.append(_shown(torch.fft.fftshift(1 + magnitude.log10() / DECADES), max_side))
        return torch.cat(shown)

    def _images(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        device = self.source.targets.device
        if isinstance(self.record, ImageRecord):
            assert self.pixels is not None
            pixels = self.pixels.batch(torch.arange(self.pixels.size, device=device)).targets.view(*self.grid, 1)
            return {**image_views(field, pixels, self.record, max_side), "zero_filled": self._grey(max_side)}
        if isinstance(self.record, VolumeRecord):
            assert isinstance(self.pixels, Voxels)
            target = self.record.picture(self.pixels.at, max_side, device)
            fitted = self.record.pictured(field, max_side, device)
            filled = self.zero_filled().flatten()[:, None].to(device)
            return {
                "target": target,
                "reconstruction": fitted,
                "zero_filled": self.record.picture(lambda index: filled[index], max_side, device),
                "error": (5 * (fitted - target).abs()).clamp(max=1),
            }
        assert isinstance(self.record, ComplexRecord)
        magnitude = torch.from_numpy(abs(self.record.reconstruct(field, device)))
        brightest = magnitude.amax().clamp(min=1e-12)
        return {
            "reconstruction": _shown(magnitude / brightest, max_side),
            "zero_filled": self._grey(max_side),
        }

    def _grey(self, max_side: int) -> Float[Tensor, "h w 3"]:
        filled = self.zero_filled()
        return _shown(filled if self.pixels is not None else filled / filled.amax(), max_side)

    def image(self) -> Image.Image | None:
        if isinstance(self.record, ImageRecord):
            assert self.pixels is not None
            values = self.pixels.batch(torch.arange(self.pixels.size)).targets.view(*self.grid, 1)
            return to_image((values * 255).round().byte().numpy(), "L")
        if isinstance(self.record, VolumeRecord):
            assert isinstance(self.pixels, Voxels)
            return Image.fromarray((255 * self.record.picture(self.pixels.at, VIEW_SIDE)).round().byte().numpy())
        return None

    def baselines(self) -> dict[str, dict[str, float]]:
        """``psnr`` of the zero-filled inverse transform, in [0, 1]."""
        if self.pixels is None:
            return {}
        filled, squares = self.zero_filled().flatten().clamp(0, 1), 0.0
        for part in torch.arange(self.pixels.size).split(2**18):
            squares += (filled[part] - self.pixels.batch(part).targets[:, 0]).double().square().sum().item()
        return {"zero-filled": {"psnr": psnr(squares / self.pixels.size)}}

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path) if self.path else None if self.phantom else IN_MEMORY}

    def extra_repr(self) -> str:
        name = self.path.name if self.path else "Shepp-Logan phantom" if self.phantom else IN_MEMORY
        size = "x".join(map(str, self.grid))
        return f"{name}, {size}, {self.source.size} of {self.known.numel()} samples ({self.known.float().mean():.1%})"


def _starts(crop: Any, size: Sequence[int]) -> list[int]:
    good = isinstance(crop, Sequence) and len(crop) == 3 and all(type(count) is int for count in crop)
    if not good or not all(1 <= count <= most for count, most in zip(crop, size, strict=True)):
        raise ValueError(f"crop: expected [depth, height, width] of at most {list(size)}, got {crop!r}")
    return [(most - count) // 2 for count, most in zip(crop, size, strict=True)]


def _shown(values: Float[Tensor, "*size"], max_side: int) -> Float[Tensor, "h w 3"]:
    """An image, or the middle plane of a volume, in grey."""
    plane = values if values.ndim == 2 else values[len(values) // 2]
    step = -(-max(plane.shape) // max_side)
    return plane[::step, ::step].clamp(0, 1)[..., None].expand(-1, -1, 3)
