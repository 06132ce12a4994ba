"""Measured k-space: Fourier samples of an image or a volume, and how it is undersampled."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, get_args

import numpy as np
import torch
from jaxtyping import Bool, Complex
from PIL import Image
from torch import Tensor

from ffnet.budget import check
from ffnet.operators.fourier_samples import frequencies
from ffnet.rendering import bands
from ffnet.signals.arrays import Arrays, name_of, read_arrays
from ffnet.signals.base import Field, Record
from ffnet.signals.image_files import save_image

Mask = Literal["gaussian", "lines"]

WANTED = "a complex array kspace of 2 or 3 axes"


def mask_of(kind: Mask, size: Sequence[int], keep: float, width: float, seed: int) -> Bool[Tensor, "*size"]:
    """Which frequencies are measured, in the order of ``torch.fft.fftn``.

    ``gaussian`` keeps each with a probability that falls with its distance from 0 like a Gaussian of standard deviation
    ``width``, the highest frequency along an axis being 1 (Tancik et al. 2020 undersample 3D MRI in this way).
    ``lines`` keeps whole lines along x, as a scanner reads them out, drawn likewise. The frequency 0 is always kept.
    The expected fraction is ``keep``.

    Raises:
        ValueError: if an argument is out of range.
    """
    if kind not in get_args(Mask):
        raise ValueError(f"mask: expected one of {', '.join(get_args(Mask))}, got {kind!r}")
    if type(keep) not in (int, float) or not 0 < keep <= 1:
        raise ValueError(f"keep: expected a fraction in (0, 1], got {keep!r}")
    if type(width) not in (int, float) or not 0 < width < math.inf:
        raise ValueError(f"width: expected a finite number above 0, got {width!r}")
    drawn = size if kind == "gaussian" else (*size[:-1], 1)
    highest = torch.tensor([max(1, count // 2) for count in reversed(drawn)])
    density = torch.exp(-0.5 * (frequencies(drawn) / highest / width).square().sum(-1)).double()
    low, high = 0.0, 1.0 / density.min().item()  # of the factor at which the expected fraction is keep
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (low, middle) if (middle * density).clamp(max=1).mean() > keep else (middle, high)
    chance = (high * density).clamp(max=1)
    chosen = torch.rand(len(chance), generator=torch.Generator().manual_seed(seed), dtype=torch.float64) < chance
    chosen[0] = True
    return chosen.view(*drawn).expand(*size).clone()


def zero_filled(kspace: Complex[Tensor, "*size"]) -> Complex[Tensor, "*size"]:
    """The inverse of the unitary transform, with 0 at frequencies that are not measured."""
    return torch.fft.ifftn(kspace, norm="ortho")


def read_kspace(arrays: Arrays) -> tuple[Complex[Tensor, "*size"], Bool[Tensor, "*size"]]:
    """The samples and which of them are measured, in the order of ``torch.fft.fftn``, from an ``.npz`` file
    or a mapping of its arrays.

    They are: ``kspace``, complex, (height, width) or (depth, height, width), with the frequency 0 in the middle as
    ``fftshift`` puts it and 0 where nothing is measured; optional ``mask`` of the same shape, true where something is.
    One coil.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it does not hold these.
    """
    name, held = name_of(arrays), read_arrays(arrays, {"kspace": np.complex64, "mask?": bool}, WANTED)
    kspace = held["kspace"]
    mask = held.get("mask", kspace != 0)
    if kspace.ndim not in (2, 3) or kspace.size == 0:
        raise ValueError(f"{name}: expected {WANTED}, got shape {kspace.shape}")
    if mask.shape != kspace.shape:
        raise ValueError(f"{name}: expected a mask of shape {kspace.shape} as kspace has, got {mask.shape}")
    if not mask.any():
        raise ValueError(f"{name}: expected a mask that is true somewhere, got an empty one")
    if not np.isfinite(kspace).all():
        raise ValueError(f"{name}: expected finite samples, got NaN or infinity")
    if not (kspace[mask] != 0).any():
        raise ValueError(f"{name}: expected samples that are not all 0")
    return torch.from_numpy(np.fft.ifftshift(kspace)), torch.from_numpy(np.fft.ifftshift(mask))


@dataclass(frozen=True)
class ComplexRecord(Record):
    """What a checkpoint keeps of measured k-space: a field's two values v stand for the complex value
    ``scale ((2 v_0 - 1) + i (2 v_1 - 1))``.

    Attributes:
        size: of the grid, slowest axis first.
        scale: the largest size of a real or imaginary part.
    """

    noun: ClassVar[str] = "k-space"

    size: Sequence[int]
    scale: float

    def __post_init__(self) -> None:
        if len(self.size) not in (2, 3) or not all(type(count) is int and count >= 1 for count in self.size):
            raise ValueError(f"size {self.size}")
        if not 0 < self.scale < math.inf:
            raise ValueError(f"scale {self.scale}")

    def values(self) -> str:
        return f"real and imaginary part in [0, 1], {self.scale:g} (2 value - 1)"

    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Complex[np.ndarray, "*size"]:
        """The complex image or volume."""
        from ffnet.operators.grid import cell_centres

        check("points", math.prod(self.size), "the reconstruction")
        with torch.inference_mode():
            parts = [
                torch.view_as_complex(2 * field(cell_centres(self.size, rows.start, rows.stop, device)).float() - 1)
                for rows in bands(math.prod(self.size), 1, 2**14)
            ]
        found: np.ndarray = self.scale * torch.cat(parts).view(*self.size).cpu().numpy()
        return found

    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path:
        """Writes the complex values as ``reconstruction.npy``, and magnitude and phase as ``views.png``."""
        from ffnet.atomic import replacing

        found = self.reconstruct(field, device)
        path = directory / "reconstruction.npy"
        with replacing(path) as temporary, temporary.open("wb") as file:
            np.save(file, found)
        middle = found if found.ndim == 2 else found[len(found) // 2]
        magnitude = np.abs(middle) / max(np.abs(middle).max(), 1e-12)
        shown = np.concatenate([magnitude, (np.angle(middle) + np.pi) / (2 * np.pi)], axis=1)
        save_image(Image.fromarray((255 * shown).round().astype(np.uint8)), directory / "views.png")
        return path
