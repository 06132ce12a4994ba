"""A picture as a signal: position to colour."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor

from ffnet.datasets.base import Batch, Dataset
from ffnet.datasets.grid import bands, grid_coordinates, pixel_coordinates
from ffnet.datasets.interpolation import Interpolation, halfway
from ffnet.datasets.picture import MAX_PIXELS, cropped, display, read_picture, resized, to_array
from ffnet.datasets.spectrum import octave_power
from ffnet.metrics import psnr
from ffnet.resources import resource

Split = Literal["all", "half"]

# Pixels that are interpolated at a time.
BAND = 2**18


class ImageDataset(Dataset):
    """Values in [0, 1] at the pixels of a picture. The pixels stay in their own type, uint8 or uint16.

    Args:
        path: any picture that Pillow opens; None is the picture that comes with ffnet.
        crop: [height, width] cut from the middle, or one number for a square.
        size: [height, width] to resize to (Lanczos), after the crop; one number is a square.
        split: ``all`` trains and scores on every pixel. ``half`` trains on ``[::2, ::2]`` and scores on
            ``[1::2, 1::2]`` as ``psnr``, on the other held-out pixels as ``psnr_rest``, and on the training
            pixels as ``psnr_train`` (Tancik et al. 2020, section 6.1).
        batch_size: pixels in a training batch, drawn with replacement; None is all of them in every step.
        offset: where in its cell a pixel lies: 0.5 is the centre, 0 the corner (Tancik et al. 2020).
        max_pixels: refuse larger pictures, which may be decompression bombs.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no picture, or an argument is out of range.
    """

    pixels: Tensor
    training_points: int

    def __init__(
        self,
        path: str | Path | None = None,
        crop: int | Sequence[int] | None = None,
        size: int | Sequence[int] | None = None,
        split: Split = "all",
        batch_size: int | None = None,
        offset: float = 0.5,
        max_pixels: int = MAX_PIXELS,
    ) -> None:
        super().__init__()
        if split not in get_args(Split):
            raise ValueError(f"split: expected one of {', '.join(get_args(Split))}, got {split!r}")
        if batch_size is not None and not (type(batch_size) is int and batch_size >= 1):
            raise ValueError(f"batch_size: expected at least 1 pixel, or null for all, got {batch_size!r}")
        if not 0 <= offset <= 1:
            raise ValueError(f"offset: expected a number in [0, 1], got {offset}")
        self.path = (resource("data") / "cat.png" if path is None else Path(path)).absolute()
        picture = read_picture(self.path, max_pixels)
        self.note: dict[str, Any] = picture.info["ffnet"]
        pixels = to_array(resized(cropped(picture, crop), size))
        self.height, self.width, self.out_features = pixels.shape
        self.in_features = 2
        self.split = split
        self.offset = offset
        self.stride = 2 if split == "half" else 1
        if split == "half" and min(self.height, self.width) < 2:
            raise ValueError(f"split=half: expected at least 2x2 pixels, got {self.height}x{self.width}")
        self.parts = ("psnr",) if split == "all" else ("psnr", "psnr_rest", "psnr_train")
        self.register_buffer("pixels", torch.tensor(pixels), persistent=False)
        self.train_size = (len(range(0, self.height, self.stride)), len(range(0, self.width, self.stride)))
        self.batch_size, self.whole = batch_size, batch_size is None
        self.training_points, self.training_grid = self.train_size[0] * self.train_size[1], self.train_size
        self.batch_points = batch_size or self.training_points

    def draw(self, generator: torch.Generator) -> Int[Tensor, "n"] | None:
        if self.batch_size is None:
            return None
        points = (self.batch_size,)
        return torch.randint(self.training_points, points, generator=generator, device=self.pixels.device)

    def training_batch(self, numbers: Int[Tensor, "n"]) -> Batch:
        """The training pixels with the given numbers, counted row by row."""
        rows = numbers.div(self.train_size[1], rounding_mode="floor")
        columns = numbers - rows * self.train_size[1]
        rows, columns = rows * self.stride, columns * self.stride
        values = self.pixels.view(-1, self.out_features)[rows * self.width + columns]
        coordinates = pixel_coordinates(rows, columns, (self.height, self.width), self.offset)
        return Batch(coordinates, self._unit(values))

    def _unit(self, pixels: Tensor) -> Tensor:
        return pixels.to(torch.float32) / torch.iinfo(pixels.dtype).max

    def mean(self) -> list[float]:
        """The training pixels' mean colour; in bands, so that large pictures have no float copy."""
        pixels = self.pixels[:: self.stride, :: self.stride]
        rows = bands(*self.train_size, BAND)
        sums = [self._unit(pixels[band.start : band.stop]).double().sum((0, 1)) for band in rows]
        return (torch.stack(sums).sum(0) / self.training_points).tolist()

    def evaluation(self, points: int) -> Iterator[tuple[Batch, Int[Tensor, "n"]]]:
        size, device = (self.height, self.width), self.pixels.device
        for rows in bands(self.height, self.width, points):
            targets = self._unit(self.pixels[rows.start : rows.stop]).reshape(-1, self.out_features)
            yield Batch(grid_coordinates(rows, size, self.offset, device), targets), self._part(rows)

    def _part(self, rows: range) -> Int[Tensor, "n"]:
        part = torch.zeros(len(rows), self.width, dtype=torch.int64, device=self.pixels.device)
        if self.split == "half":
            odd_row = torch.arange(rows.start, rows.stop, device=part.device).unsqueeze(-1) % 2 == 1
            odd_column = torch.arange(self.width, device=part.device) % 2 == 1
            part = torch.where(odd_row & odd_column, 0, torch.where(odd_row | odd_column, 1, 2))
        return part.reshape(-1)

    def statistics(self, prediction: Float[Tensor, "n c"], targets: Float[Tensor, "n c"]) -> Float[Tensor, "n 2"]:
        """Squared error summed over the channels, and the number of channels."""
        error = (prediction.double() - targets.double()).square().sum(-1)
        return torch.stack([error, torch.full_like(error, self.out_features)], dim=-1)

    def scores(self, totals: Float[Tensor, "parts 2"]) -> dict[str, float]:
        mse = (totals[:, 0] / totals[:, 1]).tolist()
        return {part: psnr(error) for part, error in zip(self.parts, mse, strict=True)} | {"mse": mse[0]}

    def baselines(self) -> dict[str, dict[str, float]]:
        """``psnr`` of the held-out pixels ``[1::2, 1::2]`` when they are interpolated from the training pixels."""
        if self.split == "all":
            return {}
        return {kind: {"psnr": psnr(self._interpolation_error(kind))} for kind in get_args(Interpolation)}

    def _interpolation_error(self, kind: Interpolation) -> float:
        """The mean squared error of interpolated held-out pixels, in bands: large pictures have no float copy."""
        known, held_out = self.pixels[::2, ::2], self.pixels[1::2, 1::2]
        height, width, _ = held_out.shape
        squares = 0.0
        for rows in bands(height, width, BAND):
            guess = halfway(known, rows, width, kind) / torch.iinfo(known.dtype).max
            error = guess.clamp(0, 1) - self._unit(held_out[rows.start : rows.stop])
            squares += error.double().square().sum().item()
        return squares / held_out.numel()

    def description(self) -> dict[str, Any]:
        return {
            "kind": "picture",
            "size": [self.height, self.width],
            "channels": self.out_features,
            "bits": 8 * self.pixels.dtype.itemsize,
            "offset": self.offset,
            **self.note,
        }

    def found(self) -> dict[str, Any]:
        return {"path": str(self.path)}

    @torch.inference_mode()
    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright)."""
        step = -(-max(self.height, self.width) // max_side)
        rows = torch.arange(0, self.height, step, device=self.pixels.device)
        columns = torch.arange(0, self.width, step, device=self.pixels.device)
        target = display(self._unit(self.pixels[rows][:, columns]), self.note["mode"])
        reconstruction = display(self._at(field, rows, columns), self.note["mode"])
        error = (5 * (reconstruction - target).abs()).clamp(max=1)
        return {"target": target, "reconstruction": reconstruction, "error": error}

    def _at(
        self, field: Callable[[Tensor], Tensor], rows: Int[Tensor, "h"], columns: Int[Tensor, "w"]
    ) -> Float[Tensor, "h w c"]:
        """The field's values at all pixels in some rows and columns."""
        lines = []
        for row in rows.split(max(1, 16384 // len(columns))):
            every = torch.cartesian_prod(row, columns)
            coordinates = pixel_coordinates(every[:, 0], every[:, 1], (self.height, self.width), self.offset)
            lines.append(field(coordinates).float().view(len(row), len(columns), -1))
        return torch.cat(lines)

    @torch.inference_mode()
    def missing(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, float]:
        """The error's power over the picture's, by octave in cycles per unit: ``0008`` is 8 to 16.

        1 is an octave of which nothing has been learned. Of larger pictures the middle is taken, at full resolution.
        """
        sides = [min(side, max_side) for side in (self.height, self.width)]
        rows, columns = (
            torch.arange((whole - side) // 2, (whole - side) // 2 + side, device=self.pixels.device)
            for whole, side in zip((self.height, self.width), sides, strict=True)
        )
        target = self._unit(self.pixels[rows][:, columns])
        cycles = (self.height / sides[0], self.width / sides[1])
        ends, power = octave_power(target, cycles)
        _, error = octave_power(self._at(field, rows, columns) - target, cycles)
        shares = (error / power.clamp(min=torch.finfo(power.dtype).tiny)).tolist()
        found = zip(ends.tolist(), power.tolist(), shares, strict=True)
        return {f"{int(end):04d}": share for end, strength, share in found if strength > 0}

    def extra_repr(self) -> str:
        return f"{self.path.name}, {self.height}x{self.width} pixels, {self.out_features} channels"
