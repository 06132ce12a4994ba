"""Measured sinograms: integrals along the lines of a parallel or a fan beam."""

import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ffnet.budget import Excess, check
from ffnet.operators.line_integrals import even_offsets, fan_lines, parallel_lines
from ffnet.signals.posed_views import shapes

WANTED = "an .npz file of a sinogram (angles, detectors) and its angles"


class Sinogram:
    """A sinogram from an ``.npz`` file.

    Its arrays: ``sinogram`` (a, m), the integrals; ``angles`` (a,) in radians; optional ``offsets`` (m,), signed
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

    def __init__(self, path: Path) -> None:
        if not path.exists():
            raise FileNotFoundError(f"{path}: no such file; expected {WANTED}")
        try:
            for name, shape in shapes(path).items():
                check("points", math.prod(shape), f"{path}: {name}")
            with np.load(path) as held:
                arrays = {name: np.asarray(held[name]) for name in held.files}
            values, angles = arrays["sinogram"].astype(np.float32), arrays["angles"].astype(np.float64)
            offsets = arrays["offsets"].astype(np.float64) if "offsets" in arrays else None
            source = float(arrays["source"]) if "source" in arrays else None
        except KeyError as error:
            raise ValueError(f"{path}: expected {WANTED}, has no {error.args[0]}") from error
        except (Excess, OSError):
            raise
        except Exception as error:  # of zipfile, zlib, and numpy's readers of headers and numbers
            raise ValueError(f"{path}: expected {WANTED} ({error})") from error
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"{path}: expected a sinogram (angles, detectors), got shape {values.shape}")
        if angles.shape != values.shape[:1]:
            raise ValueError(f"{path}: expected {len(values)} angles, as the sinogram has rows, got {angles.shape}")
        if offsets is not None and offsets.shape != values.shape[1:]:
            raise ValueError(
                f"{path}: expected {values.shape[1]} offsets, as the sinogram has columns, got {offsets.shape}"
            )
        if not (np.isfinite(values).all() and np.isfinite(angles).all()):
            raise ValueError(f"{path}: expected finite integrals and angles, got NaN or infinity")
        if offsets is not None and not np.isfinite(offsets).all():
            raise ValueError(f"{path}: expected finite offsets, got NaN or infinity")
        if source is not None and (offsets is None or not 0 < source < math.inf):
            raise ValueError(f"{path}: expected a source's distance above 0 with offsets, its fan angles")
        self.values = torch.from_numpy(values)
        detectors = even_offsets(values.shape[1]) if offsets is None else torch.from_numpy(offsets)
        turns = torch.from_numpy(angles)
        lines = parallel_lines(turns, detectors) if source is None else fan_lines(turns, detectors, source)
        self.lines = lines.float()
        regular = math.pi * torch.arange(len(turns)) / len(turns)
        self.even = source is None and offsets is None and torch.allclose(turns, regular.double(), atol=1e-6)
