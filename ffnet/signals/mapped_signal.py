"""An image on disk as a field has it."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor

from ffnet.rendering import pixel_coordinates
from ffnet.signals.coding_choice import Range, choose
from ffnet.signals.deep_files import finite
from ffnet.signals.image import unit
from ffnet.signals.image_record import MODES, ImageRecord
from ffnet.signals.mapped import MappedImage, Rectangle


class MappedSignal:
    """An image on disk.

    Args:
        image: the image.
        transfer, premultiply, metadata, offset: as of ``ImageSignal``.
        progress: wraps the iteration over the windows of a floating-point image, whose range is read first.

    Raises:
        ValueError: if values are not finite, or the transfer does not suit them.
    """

    def __init__(
        self,
        image: MappedImage,
        transfer: str,
        premultiply: bool,
        offset: float = 0.5,
        metadata: bool = True,
        progress: Callable[[Iterable[Any]], Iterable[Any]] = lambda items: items,
    ) -> None:
        if not 0 <= offset <= 1:
            raise ValueError(f"offset: expected a number in [0, 1], got {offset}")
        self.image, self.offset = image, offset
        height, width, channels = image.shape
        floating, mode = image.dtype.kind == "f", MODES[channels]
        if image.dtype.name == "uint16" and channels == 1:
            mode = "I;16"
        multiplied = premultiply, image.associated
        measured = lambda: self._measured(progress)  # noqa: E731
        self.choice = choose(str(image.path), transfer, mode, floating, multiplied, measured)
        bits = 32 if floating else 8 * image.dtype.itemsize
        note: dict[str, Any] = {"mode": mode, "floating": floating, "suffix": ".npy" if floating else None}
        note |= self.choice.coding.plain_values() | (image.metadata.plain() if metadata else {})
        self.record = ImageRecord((height, width), channels, bits, offset, **note)

    def _measured(self, progress: Callable[[Iterable[Any]], Iterable[Any]]) -> Range:
        found, colours = Range(), self.image.shape[2] - (self.image.shape[2] in (2, 4))
        for part in progress(self.parts()):
            values = finite(self.image.path, self.image.read(part))
            found.update(unit(torch.from_numpy(values))[..., :colours].float())
        return found

    def parts(self) -> list[Rectangle]:
        """All windows, row by row."""
        rows, columns = self.image.windows()
        return [self.image.rectangle(number) for number in range(len(rows) * len(columns))]

    def values(self, pixels: Shaped[Tensor, "n c"]) -> Float[Tensor, "n c"]:
        """The field's values of pixels of the file's type.

        Raises:
            ValueError: if they are not finite.
        """
        values = unit(pixels).float()
        if not values.isfinite().all():
            raise ValueError(f"{self.image.path}: expected finite values, found NaN or infinity")
        return values if self.choice.coding.plain else self.choice.coding.encode(values)

    def coordinates(self, row: Int[Tensor, "n"], column: Int[Tensor, "n"]) -> Float[Tensor, "n 2"]:
        """The coordinates of pixels."""
        return pixel_coordinates(row, column, self.record.size, self.offset)
