"""Measured sinograms: integrals along the lines of a parallel or a fan beam."""

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.operators.line_integrals import even_offsets, fan_lines, parallel_lines
from ffnet.signals.arrays import Arrays, name_of, read_arrays

WANTED = "a sinogram (angles, detectors) and its angles"


class Sinogram:
    """A sinogram from an ``.npz`` file, or from a mapping of its arrays.

    They are: ``sinogram`` (a, m), the integrals; ``angles`` (a,) in radians; optional ``offsets`` (m,), signed
    distances of the detectors from the centre in sides of the square, evenly over its width if there are none; optional
    ``source``, the distance of a fan beam's source from the centre in sides of the square: ``offsets`` are fan angles
    in radians then. Angles and offsets are those of ``ffnet.operators.line_integrals``.

    Attributes:
        values: (a, m).
        lines: (a * m, 2), all detectors of the first angle first.
        even: whether it is a parallel beam with angles evenly on [0, pi) and detectors evenly over the square.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it does not hold these, or they do not fit together.
    """

    values: Float[Tensor, "a m"]
    lines: Float[Tensor, "n 2"]

    def __init__(self, arrays: Arrays) -> None:
        name = name_of(arrays)
        types = {"sinogram": np.float32, "angles": np.float64, "offsets?": np.float64, "source?": np.float64}
        held = read_arrays(arrays, types, WANTED)
        values, angles, offsets = held["sinogram"], held["angles"], held.get("offsets")
        source = held.get("source")
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"{name}: expected a sinogram (angles, detectors), got shape {values.shape}")
        if angles.shape != values.shape[:1]:
            raise ValueError(f"{name}: expected {len(values)} angles, as the sinogram has rows, got {angles.shape}")
        if offsets is not None and offsets.shape != values.shape[1:]:
            raise ValueError(
                f"{name}: expected {values.shape[1]} offsets, as the sinogram has columns, got {offsets.shape}"
            )
        if not (np.isfinite(values).all() and np.isfinite(angles).all()):
            raise ValueError(f"{name}: expected finite integrals and angles, got NaN or infinity")
        if offsets is not None and not np.isfinite(offsets).all():
            raise ValueError(f"{name}: expected finite offsets, got NaN or infinity")
        if source is not None and (offsets is None or source.size != 1 or not 0 < source.item() < math.inf):
            raise ValueError(f"{name}: expected a source's distance above 0 with offsets, its fan angles")
        self.values = torch.from_numpy(values)
        detectors = even_offsets(values.shape[1]) if offsets is None else torch.from_numpy(offsets)
        turns = torch.from_numpy(angles)
        lines = parallel_lines(turns, detectors) if source is None else fan_lines(turns, detectors, source.item())
        self.lines = lines.float()
        regular = math.pi * torch.arange(len(turns)) / len(turns)
        self.even = source is None and offsets is None and torch.allclose(turns, regular.double(), atol=1e-6)
