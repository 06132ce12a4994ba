"""How a field's values stand for those of an image file: light, range and transparency."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

Transfer = Literal["none", "linear", "log", "symlog"]
# Where values beyond [0, 1] turn from linear to logarithmic: this fraction of their geometric mean.
KNEE = 0.1


def srgb_to_linear(values: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """Linear light of sRGB's values in [0, 1] (IEC 61966-2-1)."""
    return torch.where(values <= 0.04045, values / 12.92, ((values.clamp(min=0) + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(light: Float[Tensor, "*n"]) -> Float[Tensor, "*n"]:
    """sRGB's values of linear light in [0, 1]; the inverse of ``srgb_to_linear``."""
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)


def compressed(values: Float[Tensor, "*n"], scale: float, peak: float) -> Float[Tensor, "*n"]:
    """``sign(v) log(1 + |v| / scale) / log(1 + peak / scale)``: [-peak, peak] to [-1, 1]."""
    return values.sign() * torch.log1p(values.abs() / scale) / _range(scale, peak)


def expanded(values: Float[Tensor, "*n"], scale: float, peak: float) -> Float[Tensor, "*n"]:
    """The inverse of ``compressed``."""
    return values.sign() * scale * torch.expm1(values.abs() * _range(scale, peak))


def _range(scale: float, peak: float) -> float:
    return float(torch.log1p(torch.tensor(peak / scale, dtype=torch.float64)))


@dataclass(frozen=True)
class Coding:
    """Maps the values of a file (..., c), integers as fractions of the largest, to those of a field, and back.

    Attributes:
        transfer: ``none``; ``linear``, the linear light of sRGB's values; ``log``, ``compressed`` values of at least 0;
            ``symlog``, ``(1 + compressed values) / 2``. The last two are in [0, 1]. It is not applied to alpha.
        scale: where ``log`` and ``symlog`` turn from linear to logarithmic.
        peak: the largest magnitude.
        alpha: whether the last channel is alpha.
        premultiplied: whether the field's colours are multiplied by alpha.
        associated: whether the file's are.

    Raises:
        ValueError: if the transfer is unknown.
    """

    transfer: str = "none"
    scale: float = 1.0
    peak: float = 1.0
    alpha: bool = False
    premultiplied: bool = False
    associated: bool = False

    def __post_init__(self) -> None:
        if self.transfer not in get_args(Transfer):
            raise ValueError(f"transfer: expected auto, {', '.join(get_args(Transfer))}, got {self.transfer!r}")
        if not 0 < self.scale < float("inf") or not 0 < self.peak < float("inf"):
            raise ValueError(f"scale, peak: expected finite numbers above 0, got {self.scale} and {self.peak}")

    def plain_values(self) -> dict[str, Any]:
        """The attributes that a record of an image has."""
        return {name: value for name, value in asdict(self).items() if name != "alpha"}

    @property
    def plain(self) -> bool:
        """Whether a field's values are those of the file."""
        return self.transfer == "none" and not self._straightened

    @property
    def _straightened(self) -> bool:
        """Whether the way between file and field leads through straight colours."""
        return self.alpha and (self.premultiplied != self.associated or (self.associated and self.transfer == "linear"))

    def encode(self, values: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """The field's values of a file's."""
        colour, alpha = self._split(values)
        if self._straightened and self.associated:
            colour = divided(colour, alpha)
        if self.transfer == "linear":
            colour = srgb_to_linear(colour)
        if self._straightened and self.premultiplied:
            colour = colour * alpha
        if self.transfer == "log":
            colour = compressed(colour, self.scale, self.peak)
        elif self.transfer == "symlog":
            colour = (1 + compressed(colour, self.scale, self.peak)) / 2
        return torch.cat([colour, alpha], -1) if self.alpha else colour

    def decode(self, values: Float[Tensor, "*n c"]) -> Float[Tensor, "*n c"]:
        """The file's values of a field's."""
        colour, alpha = self._split(values)
        alpha = alpha.clamp(0, 1)
        if self.transfer == "log":
            colour = expanded(colour.clamp(min=0), self.scale, self.peak)
        elif self.transfer == "symlog":
            colour = expanded(2 * colour - 1, self.scale, self.peak)
        if self._straightened and self.premultiplied:
            colour = divided(colour, alpha)
        if self.transfer == "linear":
            colour = linear_to_srgb(colour)
        if self._straightened and self.associated:
            colour = colour * alpha
        return torch.cat([colour, alpha], -1) if self.alpha else colour

    def _split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Colours, and alpha; nothing (..., 0) without."""
        channels = values.shape[-1] - self.alpha
        return values[..., :channels], values[..., channels:]

    def described(self) -> str:
        """A field's values as a formula of the file's; empty if they are the same."""
        scale = f"{self.scale:.3g}"
        formula = {
            "none": "",
            "linear": "linear light of sRGB values",
            "log": f"log(1 + value / {scale}) / log(1 + {self.peak:.4g} / {scale})",
            "symlog": f"1/2 + sign(value) log(1 + |value| / {scale}) / (2 log(1 + {self.peak:.4g} / {scale}))",
        }[self.transfer]
        multiplied = "times alpha" if self.alpha and self.premultiplied else ""
        return ", ".join(part for part in (formula, multiplied) if part)


def divided(colour: Float[Tensor, "*n c"], alpha: Float[Tensor, "*n 1"]) -> Float[Tensor, "*n c"]:
    """Straight colours of premultiplied ones; 0 where alpha is 0."""
    return torch.where(alpha > 0, colour / alpha.clamp(min=1e-6), torch.zeros_like(colour))
