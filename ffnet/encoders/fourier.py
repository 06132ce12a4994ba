"""Fourier features (Tancik et al. 2020, arXiv 2006.10739, eq. 5)."""

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn
from torch.autograd import forward_ad

from ffnet.encoders.base import Encoder, positive_integer, ranks

Unit = Literal["cycles", "half_cycles", "radians"]
Place = Literal["none", "first", "last"]

LOOPS = ("trig", "freq", "row")
NATIVE = " ".join(LOOPS)
BLOCK = 2**17  # phases that stay in a core's cache between two operations
WIDE = 256  # features from which on it pays to write them where they belong: rows of fewer are written slowly


def sincos(cycles: Float[Tensor, "*shape"]) -> tuple[Float[Tensor, "*shape"], Float[Tensor, "*shape"]]:
    """Sine and cosine of phases in cycles, ``sin(2 pi c)`` and ``cos(2 pi c)``.

    Integer cycles are subtracted before the multiplication by 2 pi. The subtraction is exact in floating point, so
    the error of the features does not grow with the frequency: at 2^20 cycles per unit float32 stays within 1e-6 of
    float64, where ``sin(2 * pi * c)`` is off by 1e-1.
    """
    angle = (2 * math.pi) * (cycles - cycles.round())
    return angle.sin(), angle.cos()


def project(x: Float[Tensor, "*batch d"], B: Float[Tensor, "m d"]) -> Float[Tensor, "*batch m"]:
    """Phases ``B x``, in the unit of B.

    Written as a sum of products, not as a matrix product, which autocast and
    ``torch.set_float32_matmul_precision`` would carry out in bfloat16 or TF32; and each product rounded on its own,
    not fused with the sum, so that a program exported to ONNX has the same phases.
    """
    # Columns of B that are contiguous: a product with strided ones takes four times as long on the CPU.
    columns = B.to(torch.promote_types(x.dtype, B.dtype)).T.contiguous()
    phases = x[..., :1] * columns[0]
    for axis in range(1, len(columns)):
        phases = phases + x[..., axis : axis + 1] * columns[axis]
    return phases


def writable(*tensors: Tensor) -> bool:
    """Whether what is computed from ``tensors`` may be written into buffers: they are plain tensors without a gradient,
    and nothing traces, compiles or transforms the computation."""
    if torch.compiler.is_compiling() or torch.jit.is_tracing() or forward_ad._current_level >= 0:
        return False
    if torch.is_grad_enabled() and any(tensor.requires_grad for tensor in tensors):
        return False
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor
    return all(type(tensor) in (Tensor, nn.Parameter) and not wrapped(tensor) for tensor in tensors)


class FourierEncoder(Encoder):
    """``a sin(2 pi B x)`` and ``a cos(2 pi B x)``, with the frequencies B in cycles per unit and the features in any
    order.

    Every Fourier encoder is this class: ``PositionalEncoder`` and ``GaussianEncoder`` choose B, the presets in
    ``ffnet.encoders.conventions`` have one project's B, unit and order of features. B (rows, in_features) is a
    persistent buffer, or a parameter if ``trainable``.

    Args:
        in_features: number of coordinates d.
        frequencies: the factors f_k of the directions; frequency k and direction i give the row ``f_k B_i``.
        B: directions (rows, in_features); the axes if None.
        unit: of the phases ``p = f_k B_i x``: ``cycles`` is ``sin(2 pi p)``, ``half_cycles`` is ``sin(pi p)``,
            ``radians`` is ``sin(p)``. Half cycles are stored in cycles; radians stay radians, since ``f / 2 pi``
            would round a frequency that is exact.
        layout: the loops over ``trig``, ``freq`` and ``row``, outermost first; a row is an axis if there is no B.
        trig: which comes first, ``sin cos`` or ``cos sin``.
        include: position of the coordinates among the features: ``none``, ``first`` or ``last``.
        amplitudes: a, one for each frequency and row (n, rows), or of a shape that broadcasts to it; 1 if None.
        trainable: B is a parameter and is trained with the network (Li et al. 2021, arXiv 2106.02795).
        dtype: type of the buffers; torch's default type if None. In float64 the phases are exact to float64 even
            where the coordinates are float32.

    Raises:
        ValueError: if ``frequencies`` are not finite, or empty without included coordinates, B does not have
            ``in_features`` columns or its phases are not finite, an amplitude is not finite, or an option is unknown.
    """

    B: Tensor
    multiples: Tensor | None
    amplitudes: Tensor | None
    scale = 1.0  # of every sine and cosine

    def __init__(
        self,
        in_features: int,
        frequencies: Sequence[float] | Tensor,
        B: Sequence[Sequence[float]] | Tensor | None = None,
        unit: Unit = "cycles",
        layout: str = NATIVE,
        trig: str = "sin cos",
        include: Place = "none",
        amplitudes: Sequence | Tensor | None = None,
        trainable: bool = False,
        dtype: torch.dtype | None = None,
    ) -> None:
        positive_integer("in_features", in_features)
        for name, value, known in (
            ("unit", unit, get_args(Unit)),
            ("include", include, get_args(Place)),
            ("trig", trig, ("sin cos", "cos sin")),
        ):
            if value not in known:
                raise ValueError(f"{name}: expected one of {', '.join(known)}, got {value!r}")
        if sorted(layout.split()) != sorted(LOOPS):
            raise ValueError(f"layout: expected {', '.join(LOOPS)} in some order, got {layout!r}")

        def held(values: Sequence | Tensor) -> Tensor:
            exact = torch.as_tensor(values, dtype=torch.float64).detach()
            return exact.to(dtype or torch.get_default_dtype()).clone(memory_format=torch.contiguous_format)

        f, directions = held(frequencies), None if B is None else held(B)
        if f.ndim != 1 or not f.isfinite().all():
            raise ValueError(f"frequencies: expected a 1D sequence of finite numbers, got {f.tolist()}")
        if f.numel() == 0 and include == "none":
            raise ValueError("frequencies: expected at least one if the coordinates are not included, got none")
        if directions is not None and (directions.ndim != 2 or directions.shape[1] != in_features):
            raise ValueError(f"B: expected shape (rows, {in_features}), got {tuple(directions.shape)}")
        rows = in_features if directions is None else len(directions)
        super().__init__(in_features, 2 * len(f) * rows + (include != "none") * in_features)
        self.rows, self.unit, self.layout, self.trig, self.include = rows, unit, layout, trig, include
        self.axes = directions is None and not trainable  # each row along one axis: a product in place of a sum
        matrix, multiples = self._factors(f, directions)
        largest = matrix.abs().sum(-1) * (1 if multiples is None else multiples.abs().max())
        if not largest.isfinite().all():
            raise ValueError(f"B: expected numbers whose phases are finite in {matrix.dtype}, got {largest.max()}")
        if trainable:
            self.B = nn.Parameter(matrix)
        else:
            self.register_buffer("B", matrix)
        self.register_buffer("multiples", multiples)
        heights = None if amplitudes is None else held(amplitudes).expand(len(f), rows).contiguous()
        if heights is not None and not heights.isfinite().all():
            raise ValueError(f"amplitudes: expected finite numbers, got {heights.flatten().tolist()}")
        self.register_buffer("amplitudes", heights)

    def _factors(self, frequencies: Tensor, directions: Tensor | None) -> tuple[Tensor, Tensor | None]:
        """B, and the multiples of each of its rows if there are several.

        Those are kept apart, since ``f (B x)`` and ``(f B) x`` are rounded differently.
        """
        cycles = 0.5 if self.unit == "half_cycles" else 1.0
        if directions is None:
            axes = torch.eye(self.in_features, dtype=frequencies.dtype, device=frequencies.device)
            return torch.kron(cycles * frequencies[:, None], axes), None
        if len(frequencies) != 1:
            return cycles * directions, frequencies
        return cycles * frequencies * directions, None

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *arguments: Any) -> None:
        frequencies = state_dict.pop(f"{prefix}frequencies", None)
        if frequencies is not None:  # older checkpoints hold f_k and the directions separately
            B, multiples = self._factors(frequencies, state_dict.get(f"{prefix}B"))
            state_dict |= {f"{prefix}B": B} | ({} if multiples is None else {f"{prefix}multiples": multiples})
        super()._load_from_state_dict(state_dict, prefix, *arguments)
        # Rows that were trained away from the axes need all their products.
        self.axes = self.axes and bool(self.B.count_nonzero() == self.multipliers().count_nonzero())

    @property
    def blocked(self) -> bool:
        """Whether the features are all sines, then all cosines in the same order, and nothing else."""
        return self.include == "none" and self.trig == "sin cos" and self.layout.startswith("trig")

    @property
    def turn(self) -> float:
        """Radians in a unit of the phases: 2 pi for cycles."""
        return 1.0 if self.unit == "radians" else 2 * math.pi

    def multipliers(self) -> Float[Tensor, "n r"]:
        """What the phases along the rows (the coordinates, if those are the axes) are multiplied by."""
        if self.axes:
            return self.B.unflatten(0, (-1, self.rows)).diagonal(dim1=-2, dim2=-1)
        return self.B.new_ones(1, 1) if self.multiples is None else self.multiples.unsqueeze(-1)

    def phases(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch n r"]:
        """Phases at every frequency and row, in the unit of B."""
        phases = x.unsqueeze(-2) if self.axes else project(x, self.B).unflatten(-1, (-1, self.rows))
        return phases * self.multipliers() if self.axes or self.multiples is not None else phases

    def waves(self, x: Float[Tensor, "*batch d"]) -> tuple[Float[Tensor, "*batch n r"], Float[Tensor, "*batch n r"]]:
        """Sine and cosine at every frequency and row, without amplitudes."""
        phases = self.phases(x)
        # torch reduces radians with more digits than a subtraction could.
        return (phases.sin(), phases.cos()) if self.unit == "radians" else sincos(phases)

    def features(
        self, x: Float[Tensor, "*batch d"], sin: Float[Tensor, "*batch n r"], cos: Float[Tensor, "*batch n r"]
    ) -> Float[Tensor, "*batch k"]:
        """Features of x from its sines and cosines: with amplitudes, and in this encoder's order."""
        if self.amplitudes is not None:
            sin, cos = sin * self.amplitudes, cos * self.amplitudes
        sin, cos = sin.to(x.dtype), cos.to(x.dtype)
        return self.arrange(x, sin, cos) if self.scale == 1 else self.arrange(x, self.scale * sin, self.scale * cos)

    def arrange(
        self, x: Shaped[Tensor, "*batch d"], sin: Shaped[Tensor, "*batch n r"], cos: Shaped[Tensor, "*batch n r"]
    ) -> Shaped[Tensor, "*batch k"]:
        """Puts values that belong to the coordinates, sines and cosines into the order of the features."""
        both = torch.stack([sin, cos] if self.trig == "sin cos" else [cos, sin], dim=-3)
        if self.layout != NATIVE:
            both = both.movedim([LOOPS.index(loop) - 3 for loop in self.layout.split()], [-3, -2, -1])
        waves = both.flatten(-3)
        if self.include == "none":
            return waves
        return torch.cat([x, waves] if self.include == "first" else [waves, x], dim=-1)

    def written(self, x: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        """``features(x, *waves(x))``, bit for bit, of an encoder in ffnet's own order without coordinates and
        amplitudes: sines and cosines are written where they belong among the features, a block of points at a time."""
        points = x.reshape(-1, self.in_features)
        features = x.new_empty(len(points), 2, self.out_features // 2)
        size = max(1, BLOCK // features.shape[-1]) if x.device.type == "cpu" else max(1, len(points))
        for some, (sin, cos) in zip(points.split(size), (f.unbind(1) for f in features.split(size)), strict=True):
            angle = self.phases(some).flatten(1)
            if self.unit != "radians":
                angle.sub_(angle.round()).mul_(self.turn)
            torch.sin(angle, out=sin)
            torch.cos(angle, out=cos)
        if self.scale != 1:
            features.mul_(self.scale)
        return features.view(*x.shape[:-1], self.out_features)

    def encode(self, coordinates: Float[Tensor, "*batch d"]) -> Float[Tensor, "*batch k"]:
        native = self.blocked and self.layout == NATIVE and self.amplitudes is None
        if native and self.out_features >= WIDE and writable(coordinates, self.B):
            return self.written(coordinates)
        return self.features(coordinates, *self.waves(coordinates))

    def order(self) -> Int[Tensor, "k"]:
        """Where ``native()`` has each of this encoder's features: ``self(x)`` is ``native()(x)[..., order()]``."""
        first = self.in_features if self.include != "none" else 0
        number = torch.arange(first, (self.out_features + first) // 2).view(-1, self.rows)
        return self.arrange(torch.arange(self.in_features), number, number + number.numel())

    def native(self) -> "FourierEncoder":
        """The same features in ffnet's own order: coordinates (if included), sines, cosines, frequency outermost."""
        encoder = copy.deepcopy(self)
        encoder.layout, encoder.trig = NATIVE, "sin cos"
        encoder.include = "none" if self.include == "none" else "first"
        return encoder

    def levels(self) -> Int[Tensor, "k"]:
        lengths = self.B.new_ones(self.rows) if self.axes else self.B.norm(dim=1)
        level = ranks((self.multipliers() * lengths.view(-1, self.rows)).detach().abs().cpu())
        return self.arrange(torch.zeros(self.in_features, dtype=level.dtype), level, level)
