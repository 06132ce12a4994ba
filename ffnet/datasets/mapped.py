"""Images that stay on disk: position to colour."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from tqdm import tqdm

from ffnet import budget
from ffnet.datasets import automatic
from ffnet.datasets.base import Batch, Dataset, Evaluation, Source, Stream
from ffnet.datasets.block_pool import BlockPool
from ffnet.datasets.image_scores import scores
from ffnet.datasets.tensors import TensorSource
from ffnet.operators import Operator, PointEvaluation
from ffnet.sampling import UniformSampler
from ffnet.signals import ImageRecord
from ffnet.signals.mapped import Rectangle, open_mapped
from ffnet.signals.mapped_signal import MappedSignal

log = logging.getLogger(__name__)

Alpha = Literal["straight", "premultiplied"]
# Windows from which the scored pixels are drawn.
SCORED_WINDOWS = 1024


class WholeImage(Source):
    """All pixels, row by row, read from disk when they are asked for."""

    def __init__(self, signal: MappedSignal) -> None:
        super().__init__()
        self.signal = signal
        self.grid: tuple[int, int] = signal.record.size
        self.size = self.grid[0] * self.grid[1]

    def batch(self, index: Int[Tensor, "n"]) -> Batch:
        row = index.div(self.grid[1], rounding_mode="floor")
        column = index - row * self.grid[1]
        values = self.signal.values(self._pixels(row.cpu(), column.cpu()))
        return Batch(self.signal.coordinates(row, column), values.to(index.device))

    def _pixels(self, row: Tensor, column: Tensor) -> Tensor:
        """Pixels (n, channels) of the file, from one rectangle if that is not much larger."""
        ends = [value.item() for value in (row.min(), column.min(), row.max() + 1, column.max() + 1)]
        around = Rectangle(*map(int, ends))
        if around.size <= max(4 * len(row), 2**20):
            pixels = torch.from_numpy(self.signal.image.read(around))
            return pixels[row - around.top, column - around.left]
        pairs = zip(row.tolist(), column.tolist(), strict=True)
        single = [self.signal.image.read(Rectangle(r, c, r + 1, c + 1))[0, 0] for r, c in pairs]
        return torch.from_numpy(np.stack(single))


class PooledPixels(Stream):
    """Pixels drawn with equal probabilities from the whole image, through a pool of its windows."""

    def __init__(self, signal: MappedSignal, pool: BlockPool) -> None:
        super().__init__()
        self.signal, self.pool = signal, pool

    def draw(self, count: int, generator: torch.Generator) -> Batch:
        pixels, row, column = self.pool.draw(count, generator)
        batch = Batch(self.signal.coordinates(row, column), self.signal.values(pixels))
        return Batch(*(part.to(generator.device) for part in batch[:2]))


class PoolSampler(UniformSampler):
    """Says how many pixels a step draws from a pool, and what checkpoints store of it."""

    def __init__(self, count: Any, pool: BlockPool) -> None:
        super().__init__(count)
        self.pool = pool

    def state_dict(self) -> dict[str, Any]:
        return {"drawn": self.pool.drawn}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        drawn = state.get("drawn", 0)
        if type(drawn) is not int or drawn < 0:
            raise ValueError(f"sampler: expected the number of pixels drawn so far, got {drawn!r}")
        self.pool.drawn = drawn


class MappedImageDataset(Dataset):
    """The pixels of an image that stays on disk, however large: memory does not grow with it.

    Training draws pixels with equal probabilities from a pool of windows, which moves on as they are drawn
    (``ffnet.datasets.block_pool``). Scores are those of a fixed random sample of the pixels.

    Args:
        path: a ``.npy`` file, a TIFF file (best tiled, or uncompressed) or a directory of zarr: (height, width[,
            channels]) of uint8, uint16 or floating-point values.
        batch_size: pixels per training batch; ``auto`` follows the number of pixels.
        scored: number of pixels that are scored, drawn once, with equal probabilities; None scores all of them.
        offset: position of a pixel in its cell: 0.5 is the centre, 0 the corner.
        transfer, alpha, metadata: as of ``ImageDataset``. ``auto`` reads floating-point images once for their range.
        operator: how training observes the field; evaluation at the pixels if None. Scores are those of the field.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is not an image, or an argument is out of range.
    """

    record: ImageRecord

    def __init__(
        self,
        path: Any = None,
        batch_size: int | Literal["auto"] = "auto",
        scored: int | None = 2**20,
        offset: float = 0.5,
        transfer: str = "auto",
        alpha: Alpha = "straight",
        metadata: bool = True,
        operator: Operator | None = None,
    ) -> None:
        super().__init__()
        if not isinstance(path, str | Path):
            raise ValueError(f"path: expected a .npy or TIFF file or a directory of zarr, got {path!r}")
        if alpha not in get_args(Alpha):
            raise ValueError(f"alpha: expected one of {', '.join(get_args(Alpha))}, got {alpha!r}")
        if scored is not None and not (type(scored) is int and scored >= 1):
            raise ValueError(f"scored: expected at least 1 pixel, or null for all, got {scored!r}")
        budget.check("points", scored or 0, "scored")
        if batch_size != "auto" and not (type(batch_size) is int and batch_size >= 1):
            raise ValueError(f"batch_size: expected at least 1 pixel, or auto, got {batch_size!r}")
        budget.check("points", batch_size if isinstance(batch_size, int) else 0, "batch_size")
        self.path = Path(path).absolute()
        image = open_mapped(self.path)
        progress = lambda items: tqdm(items, unit="window", desc="range", disable=None, leave=False)  # noqa: E731
        self.signal = MappedSignal(image, transfer, alpha == "premultiplied", offset, metadata, progress)
        self.record = self.signal.record
        self.in_features, self.out_features = 2, image.shape[2]
        self.every = WholeImage(self.signal)
        self.chosen: dict[str, Any] = {}
        if transfer == "auto" and self.record.transfer != "none":
            self.chosen = {"transfer": self.record.transfer}
        if batch_size == "auto":
            batch_size = automatic.batch_size(self.every.size)
            self.chosen |= {"batch_size": batch_size}
        pool = BlockPool(image)
        self.source, self.sampler = PooledPixels(self.signal, pool), PoolSampler(batch_size, pool)
        self.operator = operator or PointEvaluation()
        self.scored = self._scored(pool, scored)
        found, meaning = scores(self.signal.choice)
        self.metrics = {**found}
        if meaning:
            log.info("values  %s; %s", self.signal.choice.described(), meaning)
        log.info("scores  of %s of %s pixels", f"{self.scored.size:,}", f"{self.every.size:,}")
        self.add_evaluation(Evaluation("", self.scored, self.metrics))

    def _scored(self, pool: BlockPool, scored: int | None) -> Source:
        """The pixels that are scored."""
        if scored is None or scored >= self.every.size:
            return self.every
        windows = min(SCORED_WINDOWS, scored)
        pixels, row, column = pool.sample(windows, -(-scored // windows))
        return TensorSource(self.signal.coordinates(row, column), self.signal.values(pixels))

    @property
    def regular(self) -> WholeImage:
        return self.every

    def mean(self) -> list[float]:
        """The mean colour of a sample."""
        batch = self.scored.batch(torch.arange(min(self.scored.size, 2**20)))
        return batch.targets.double().mean(0).tolist()

    def views(self, field: Callable[[Tensor], Tensor], max_side: int) -> dict[str, Float[Tensor, "h w 3"]]:
        """``target``, ``reconstruction`` and ``error`` (absolute, five times as bright) of the middle of the image."""
        height, width = (min(max_side, side) for side in self.record.size)
        return middle_views(field, self.every, self.record, (height, width))

    def resolved(self) -> dict[str, Any]:
        return {"path": str(self.path)} | self.chosen

    def extra_repr(self) -> str:
        height, width = self.record.size
        return f"{self.signal.image.path.name}, {height}x{width} pixels on disk, {self.out_features} channels"


@torch.inference_mode()
def middle_views(
    field: Callable[[Tensor], Tensor], every: WholeImage, record: ImageRecord, size: tuple[int, int]
) -> dict[str, Float[Tensor, "h w 3"]]:
    """The views of the central pixels of ``size`` (height, width)."""
    device = next(every.buffers()).device
    rows, columns = (
        torch.arange(side, device=device) + (whole - side) // 2 for side, whole in zip(size, every.grid, strict=True)
    )
    parts = [every.batch((part[:, None] * every.grid[1] + columns).flatten()) for part in rows.split(64)]
    target = torch.cat([part.targets for part in parts]).view(*size, -1)
    found = torch.cat([field(some) for part in parts for some in part.queries.split(budget.EVALUATIONS)])
    shown = record.display(target), record.display(found.float().view(*size, -1))
    return {"target": shown[0], "reconstruction": shown[1], "error": (5 * (shown[1] - shown[0]).abs()).clamp(max=1)}
