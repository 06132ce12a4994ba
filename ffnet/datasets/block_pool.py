"""A pool of an image's windows in memory, which follows a shuffled list of all of them."""

import torch
from jaxtyping import Int
from torch import Tensor

from ffnet.signals.mapped import MappedImage, Rectangle

# Bytes of the pixels in the pool.
POOL_BYTES = 2**26
# Windows in the pool at least, where the image has as many.
LEAST = 16
SEED = 1


class BlockPool:
    """Windows of ``image`` in memory; the pool moves on as pixels are drawn, by as many pixels as are drawn.

    Every pixel of the image has the same probability in every draw. The order of the windows is that of systematic
    sampling with probability proportional to size (Madow 1949): shuffled windows lie on a circle, as long as they have
    pixels, and a comb of as many teeth as windows picks those that it hits. In a round of picks a window of the mean
    size comes once, and others as often as their size says. A pixel is drawn from a window of the pool by chance,
    whatever its size: probability size / N for the window, times 1 / size for the pixel, is 1 / N.

    Args:
        image: the image.
        seed: of the order.

    Attributes:
        drawn: number of pixels drawn so far; it alone determines what is in the pool.
    """

    def __init__(self, image: MappedImage, seed: int = SEED) -> None:
        self.image, self.seed, self.drawn = image, seed, 0
        rows, columns = image.windows()
        self.heights = torch.tensor([min(image.window[0], image.shape[0] - top) for top in rows.tolist()])
        self.widths = torch.tensor([min(image.window[1], image.shape[1] - left) for left in columns.tolist()])
        self.count = len(rows) * len(columns)
        held = image.window[0] * image.window[1]
        bytes_ = held * image.shape[2] * image.dtype.itemsize
        self.slots = min(self.count, max(LEAST, POOL_BYTES // bytes_))
        self.pixels = torch.zeros(0)
        self.places = torch.zeros(self.slots, 4, dtype=torch.int64)  # top, left, rows, columns
        self.filled: range = range(0)  # the picks that are in the pool, pick k in slot k modulo slots
        self.rounds: dict[int, list[int]] = {}

    def draw(self, count: int, generator: torch.Generator) -> tuple[Tensor, Int[Tensor, "n"], Int[Tensor, "n"]]:
        """``count`` pixels (n, channels) of the file's type, and their rows and columns in the image, on the CPU."""
        self._fill()
        device = generator.device
        slot = torch.randint(self.slots, (count,), generator=generator, device=device).cpu()
        place = torch.rand(count, generator=generator, device=device, dtype=torch.float64).cpu()
        top, left, rows, columns = self.places[slot].unbind(1)
        index = (place * (rows * columns)).long()
        row = index.div(columns, rounding_mode="floor")
        column = index - row * columns
        self.drawn += count
        return self.pixels[slot, index], top + row, left + column

    def _fill(self) -> None:
        first = self.drawn * self.count // (self.image.shape[0] * self.image.shape[1])
        wanted = range(first, first + self.slots)
        for pick in wanted:
            if pick in self.filled:
                continue
            part = self.image.rectangle(self.pick(pick))
            values = torch.from_numpy(self.image.read(part)).flatten(0, 1)
            if not len(self.pixels):
                largest = self.image.window[0] * self.image.window[1]
                self.pixels = torch.zeros(self.slots, largest, values.shape[1], dtype=values.dtype)
            self.pixels[pick % self.slots, : len(values)] = values
            self.places[pick % self.slots] = torch.tensor(size_of(part))
        self.filled = wanted

    def pick(self, number: int) -> int:
        """The window that is picked as the ``number``-th, from 0."""
        turn = number // self.count
        if turn not in self.rounds:
            self.rounds = {kept: order for kept, order in self.rounds.items() if kept == turn - 1}
            self.rounds[turn] = self._round(self.count, torch.Generator().manual_seed(self.seed + turn)).tolist()
        return self.rounds[turn][number % self.count]

    def _round(self, picks: int, generator: torch.Generator) -> Int[Tensor, "n"]:
        """As many windows as ``picks``, shuffled, with probabilities proportional to their sizes."""
        order = torch.randperm(self.count, generator=generator)
        sizes = (self.heights[:, None] * self.widths).flatten()[order]
        ends = sizes.cumsum(0)
        total = ends[-1].item()
        start = torch.rand((), generator=generator, dtype=torch.float64) * total  # anywhere, so that each tooth is
        comb = (torch.arange(picks, dtype=torch.float64) * (total / picks) + start) % total
        return order[torch.searchsorted(ends, comb.long(), right=True)]

    def sample(self, windows: int, each: int, seed: int = 0) -> tuple[Tensor, Int[Tensor, "n"], Int[Tensor, "n"]]:
        """``each`` pixels of each of ``windows``, chosen as above, with replacement; as ``draw``. The pool stays."""
        generator = torch.Generator().manual_seed(seed)
        parts = []
        for number in sorted(self._round(windows, generator).tolist()):
            part = self.image.rectangle(number)
            values = torch.from_numpy(self.image.read(part)).flatten(0, 1)
            index = torch.randint(part.size, (each,), generator=generator)
            row, column = index // (part.right - part.left), index % (part.right - part.left)
            parts.append((values[index], part.top + row, part.left + column))
        pixels, rows, columns = (torch.cat(pieces) for pieces in zip(*parts, strict=True))
        return pixels, rows, columns


def size_of(part: Rectangle) -> tuple[int, int, int, int]:
    return part.top, part.left, part.bottom - part.top, part.right - part.left
