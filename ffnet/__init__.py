"""ffnet fits neural fields to signals.

The names below are imported on first use: ``import ffnet`` is cheap, and ``ffnet.encoders`` works without Lightning,
Hydra, torchvision or TensorBoard.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffnet.api import Run as Run
    from ffnet.api import fit as fit
    from ffnet.checkpoint import load as load
    from ffnet.encoders import GaussianEncoder as GaussianEncoder
    from ffnet.encoders import IdentityEncoder as IdentityEncoder
    from ffnet.encoders import PositionalEncoder as PositionalEncoder
    from ffnet.metrics import psnr as psnr
    from ffnet.models import CoordinateMLP as CoordinateMLP
    from ffnet.rendering import render as render

_HOMES = {
    "fit": "ffnet.api",
    "Run": "ffnet.api",
    "load": "ffnet.checkpoint",
    "IdentityEncoder": "ffnet.encoders",
    "PositionalEncoder": "ffnet.encoders",
    "GaussianEncoder": "ffnet.encoders",
    "CoordinateMLP": "ffnet.models",
    "psnr": "ffnet.metrics",
    "render": "ffnet.rendering",
}

__all__ = [  # noqa: RUF022 (grouped: fields, encoders, models, figures)
    "fit",
    "Run",
    "load",
    "render",
    "IdentityEncoder",
    "PositionalEncoder",
    "GaussianEncoder",
    "CoordinateMLP",
    "psnr",
    "__version__",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name == "__version__":
        from importlib.metadata import version

        return version("ffnet")
    raise AttributeError(f"module 'ffnet' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
