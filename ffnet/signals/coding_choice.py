"""Which coding an image gets: what is asked for, and the range of its values."""

import math
from collections.abc import Callable
from typing import NamedTuple, get_args

from torch import Tensor

from ffnet.signals.coding import KNEE, Coding, Transfer


class Range:
    """The range of an image's colours, from all of its parts."""

    def __init__(self) -> None:
        self.low, self.high, self.logarithms, self.count = math.inf, -math.inf, 0.0, 0

    def update(self, colours: Tensor) -> "Range":
        """Takes floating-point values of any shape into account."""
        self.low, self.high = min(self.low, colours.min().item()), max(self.high, colours.max().item())
        magnitudes = colours.double().abs()
        positive = magnitudes[magnitudes > 0]
        self.logarithms, self.count = self.logarithms + positive.log().sum().item(), self.count + len(positive)
        return self

    def transfer(self) -> tuple[str, float, float]:
        """The transfer that ``auto`` chooses, scale and peak (see ``Coding``).

        It is ``none`` in [0, 1], ``log`` above, ``symlog`` if some values are negative. The scale is a tenth of the
        geometric mean of the magnitudes.
        """
        kind = "symlog" if self.low < 0 else "log" if self.high > 1 else "none"
        peak = max(abs(self.low), abs(self.high)) or 1.0
        return kind, KNEE * math.exp(self.logarithms / self.count) if self.count else peak, peak


class Choice(NamedTuple):
    """A coding, and what follows from it.

    Attributes:
        coding: how a field's values stand for those of the file.
        bounded: whether a field's values are in [0, 1].
        logarithmic: ``log`` or ``symlog``, in which unbounded values are scored.
        range: of the file's values; None if it does not matter.
    """

    coding: Coding
    bounded: bool = True
    logarithmic: str = "log"
    range: Range | None = None

    def described(self) -> str:
        """The file's values, and those of a field."""
        span = "" if self.range is None else f"{self.range.low:.4g} to {self.range.high:.4g}, "
        return f"{span}fitted as {self.coding.described() or 'they are'}"


def choose(
    name: str,
    transfer: str | None,
    mode: str,
    floating: bool,
    multiplied: tuple[bool, bool],
    measured: Callable[[], Range],
) -> Choice:
    """The coding of an image.

    Args:
        name: of the image, for errors.
        transfer: see ``Coding``; ``auto`` follows the range of floating-point values; None expects them in [0, 1].
        mode: Pillow's mode of the channels.
        floating: whether the values are floating-point ones.
        multiplied: whether a field's, and a file's, colours are to be multiplied by alpha.
        measured: the range of the colours; integers as fractions of the largest.

    Raises:
        ValueError: if the transfer is unknown, or the values do not suit it.
    """
    if transfer not in (None, "auto", *get_args(Transfer)):
        raise ValueError(f"transfer: expected auto, {', '.join(get_args(Transfer))}, got {transfer!r}")
    alpha = mode in ("LA", "RGBA")
    premultiplied, associated = (alpha and value for value in multiplied)
    plain = Coding("none", 1.0, 1.0, alpha, premultiplied, associated)
    if not floating:
        if transfer in (None, "auto", "none"):
            return Choice(plain)
        if mode in ("CMYK", "P"):
            raise ValueError(f"transfer: expected auto or none for an image of mode {mode}, got {transfer}")
        if transfer == "linear":
            return Choice(Coding("linear", 1.0, 1.0, alpha, premultiplied, associated))
    found = measured()
    kind, scale, peak = found.transfer()
    if transfer is None and kind != "none":
        raise ValueError(f"{name}: expected values in [0, 1], got {found.low:g} to {found.high:g}")
    if transfer == "log" and kind == "symlog":
        raise ValueError(f"transfer: expected symlog for values from {found.low:g} to {found.high:g}, got log")
    used = kind if transfer == "auto" else "none" if transfer in (None, "linear") else str(transfer)
    if used == kind == "none":
        return Choice(plain)
    coding = Coding(used, scale, peak, alpha, premultiplied, associated)
    return Choice(coding, used != "none", kind if kind != "none" else "log", found)
