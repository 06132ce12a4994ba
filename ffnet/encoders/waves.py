"""Sines and cosines of any frequencies, in any order of features: what the projects around us compute."""

import math
from collections.abc import Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.encoders.base import Encoder, positive_integer, ranks
from ffnet.encoders.fourier import project

Unit = Literal["cycles", "half_cycles", "radians"]
Place = Literal["none", "first", "last"]

PERIODS = {"cycles": 1.0, "half_cycles": 2.0, "radians": 2 * math.pi}
LOOPS = ("trig", "freq", "row")


def waves(phases: Float[Tensor, "*batch"], period: float) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch"]]:
    """Sine and cosine of phases that make a whole turn in ``period``: 1 for cycles, 2 pi for radians.

    Whole periods are taken off first where that is exact. Radians go to the sine as they are: torch reduces them
    with more digits than a subtraction could.
    """
    if period in (1.0, 2.0):
        phases = (2 * math.pi / period) * (phases - period * (phases / period).round())
    return phases.sin(), phases.cos()


class FourierEncoder(Encoder):
    """``a sin(p)`` and ``a cos(p)`` of the phases ``p = f_k (B x)_i``, in the unit, order and layout asked for.

    The presets in ``ffnet.encoders.conventions`` are this class with one project's arguments. For work that starts
    here, ``PositionalEncoder`` and ``GaussianEncoder`` are simpler and have ffnet's own layout.

    Args:
        in_features: number of coordinates d.
        frequencies: the f_k.
        B: directions (rows, in_features); the axes if None.
        unit: of the phases: ``cycles`` is ``sin(2 pi p)``, ``half_cycles`` is ``sin(pi p)``, ``radians`` is ``sin(p)``.
        layout: the loops over ``trig``, ``freq`` and ``row``, outermost first; a row is an axis if there is no B.
        trig: which comes first, ``sin cos`` or ``cos sin``.
        include: where the coordinates themselves stand: ``none``, ``first`` or ``last``.
        amplitudes: a, one for each frequency and row (n, rows), or of a shape that broadcasts to it; 1 if None.
        dtype: type of the buffers; torch's default type if None. In float64 the phases are exact to float64 even
            where the coordinates are float32.

    Raises:
        ValueError: if there is no frequency, B has another width, or a word is unknown.
    """

    frequencies: Tensor
    B: Tensor | None
    amplitudes: Tensor | None

    def __init__(
        self,
        in_features: int,
        frequencies: Sequence[float] | Tensor,
        B: Sequence[Sequence[float]] | Tensor | None = None,
        unit: Unit = "cycles",
        layout: str = "trig freq row",
        trig: str = "sin cos",
        include: Place = "none",
        amplitudes: Sequence | Tensor | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        positive_integer("in_features", in_features)
        for name, value, known in (
            ("unit", unit, PERIODS),
            ("include", include, get_args(Place)),
            ("trig", trig, ("sin cos", "cos sin")),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        if sorted(layout.split()) != sorted(LOOPS):
            raise ValueError(f"layout: expected {', '.join(LOOPS)} in some order, got {layout!r}")

        def held(values: Sequence | Tensor) -> Tensor:
            return torch.as_tensor(values, dtype=torch.float64).detach().to(dtype or torch.get_default_dtype()).clone()

        f = held(frequencies)
        directions = None if B is None else held(B)
        if f.ndim != 1 or f.numel() == 0 or not f.isfinite().all():
            raise ValueError(f"frequencies: expected finite numbers in a row, got shape {tuple(f.shape)}")
        if directions is not None and (directions.ndim != 2 or directions.shape[1] != in_features):
            raise ValueError(f"B: expected shape (rows, {in_features}), got {tuple(directions.shape)}")
        rows = in_features if directions is None else len(directions)
        super().__init__(in_features, 2 * len(f) * rows + (include != "none") * in_features)
        self.unit, self.layout, self.trig, self.include = unit, layout, trig, include
        self.rows = rows
        self.register_buffer("frequencies", f)
        self.register_buffer("B", directions)
        heights = None if amplitudes is None else held(amplitudes).expand(len(f), rows).clone()
        self.register_buffer("amplitudes", heights)

    def waves(self, x: Float[Tensor, "*batch d"]) -> tuple[Float[Tensor, "*batch n r"], Float[Tensor, "*batch n r"]]:
        """Sine and cosine at every frequency and row, without amplitudes."""
        along = x if self.B is None else project(x, self.B)
        return waves(along.unsqueeze(-2) * self.frequencies.unsqueeze(-1), PERIODS[self.unit])

    def arrange(
        self, x: Float[Tensor, "*batch d"], sin: Float[Tensor, "*batch n r"], cos: Float[Tensor, "*batch n r"]
    ) -> Float[Tensor, "*batch k"]:
        """Features in this encoder's layout, amplitudes and coordinates included."""
        if self.amplitudes is not None:
            sin, cos = sin * self.amplitudes, cos * self.amplitudes
        return self._arranged(x, sin.to(x.dtype), cos.to(x.dtype))

    def _arranged(self, x: Tensor, sin: Tensor, cos: Tensor) -> Tensor:
        both = torch.stack([sin, cos] if self.trig == "sin cos" else [cos, sin], dim=-3)
        loops = [LOOPS.index(loop) - 3 for loop in self.layout.split()]
        features = both.movedim(loops, [-3, -2, -1]).flatten(-3)
        parts = {"none": [features], "first": [x, features], "last": [features, x]}[self.include]
        return torch.cat(parts, dim=-1)

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        return self.arrange(coordinates, *self.waves(coordinates))

    def order(self) -> Int[Tensor, "k"]:
        """Where ``native()`` has each of this encoder's features: ``self(x)`` is ``native()(x)[..., order()]``."""
        count = len(self.frequencies) * self.rows
        first = self.in_features if self.include != "none" else 0
        number = first + torch.arange(count).view(-1, self.rows)
        return self._arranged(torch.arange(self.in_features), number, number + count)

    def native(self) -> "FourierEncoder":
        """The same features in ffnet's own order: coordinates (if included), sines, cosines, frequency outermost."""
        return FourierEncoder(
            self.in_features,
            self.frequencies,
            self.B,
            unit=self.unit,
            include="none" if self.include == "none" else "first",
            amplitudes=self.amplitudes,
            dtype=self.frequencies.dtype,
        )

    def levels(self) -> Int[Tensor, "k"]:
        length = torch.ones(self.rows) if self.B is None else self.B.norm(dim=1).cpu()
        level = ranks(self.frequencies.cpu().abs()[:, None] * length)
        return self._arranged(torch.zeros(self.in_features, dtype=torch.int64), level, level)
