"""Records of signals, which checkpoints store."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from ffnet.geometry import Mesh

Field = Callable[[Tensor], Tensor]
Progress = Callable[[Iterable[Any]], Iterable[Any]]
# Writes what a field has been asked for, on a device, and returns what that is in a few words.
Rendering = Callable[[Field, torch.device | str, Progress], str]


class Record(ABC):
    """A signal without its values: all that is needed to turn a field back into a file.

    Subclasses are dataclasses of plain values. A checkpoint stores ``spec()``; the original file is not needed.

    Attributes:
        noun: the kind of signal with its article, for messages.
    """

    noun: ClassVar[str] = "a signal"

    def spec(self) -> dict[str, Any]:
        """The constructor call as plain values, ``{"_target_": class, argument: value, ...}``."""
        cls = type(self)
        home = "ffnet.signals" if cls.__module__.startswith("ffnet.signals.") else cls.__module__  # the public name
        return {"_target_": f"{home}.{cls.__qualname__}", **asdict(self)}  # type: ignore[call-overload]

    def values(self) -> str:
        """What the values of a field mean, one after the other, and their range; empty if that is not known."""
        return ""

    @abstractmethod
    def reconstruct(self, field: Field, device: torch.device | str = "cpu") -> Any:
        """The signal as reconstructed from ``field``, for example a Pillow image.

        Raises:
            ValueError: if there is none, for example if a shape has no surface.
        """

    @abstractmethod
    def write(self, field: Field, directory: Path, device: torch.device | str = "cpu") -> Path | None:
        """Writes ``directory/reconstruction.*`` and returns its path; returns None if there is nothing to write."""


class Raster(Record):
    """A record of a signal that can be rendered as an image of any size."""

    size: tuple[int, int]

    @abstractmethod
    def render(
        self,
        field: Field,
        size: tuple[int, int] | None = None,
        *,
        box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
        device: torch.device | str = "cpu",
        progress: Progress = lambda items: items,
    ) -> np.ndarray:
        """Pixels (height, width, channels) of ``box``, (left, top, right, bottom) in the unit square, at ``size``
        (height, width); None is the size of the signal."""

    @abstractmethod
    def check_writable(self, path: Path, size: tuple[int, int]) -> None:
        """Raises ValueError or OSError if ``save`` cannot write such an image, of ``size``, to ``path``."""

    @abstractmethod
    def save(self, pixels: np.ndarray, path: Path) -> None:
        """Writes the pixels of ``render`` as an image file, atomically."""

    def render_to(self, path: Path, field: Field, size: tuple[int, int], **options: Any) -> None:
        """Renders to an image file; ``options`` are those of ``render``."""
        self.save(self.render(field, size, **options), path)


class Surface(Record):
    """A record of a signal with a surface, in its own coordinates.

    Attributes:
        scale: sides of the unit cube per unit of the file.
    """

    scale: float

    @abstractmethod
    def mesh(
        self,
        field: Field,
        resolution: int | None = None,
        *,
        device: torch.device | str = "cpu",
        progress: Callable[[int], None] = lambda points: None,
    ) -> Mesh:
        """The surface in the coordinates and unit of the file, by marching cubes with ``resolution`` cells per axis.

        Raises:
            ValueError: if there is no surface.
        """


class Rendered(Record):
    """A record of a signal that ``ffnet render`` writes in another size, at another rate or as another file."""

    @property
    @abstractmethod
    def features(self) -> tuple[int, int]:
        """The number of coordinates and of values of the field."""

    @abstractmethod
    def rendering(self, settings: Mapping[str, Any], output: Path) -> Rendering:
        """What writes ``output``, a file of the kind that its suffix says, as ``settings`` ask for.

        Args:
            settings: ``size``, ``longest``, ``scale``, ``rate`` and ``crop``; those that are None are the signal's own.
            output: the file.

        Raises:
            OSError, ValueError: if there is no such thing, or it cannot be written. The message names the setting.
        """
