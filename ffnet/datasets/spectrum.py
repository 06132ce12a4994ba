"""Which frequencies a signal has."""

import math

import torch
from jaxtyping import Float
from torch import Tensor


def octave_power(
    values: Float[Tensor, "h w c"], cycles: tuple[float, float]
) -> tuple[Float[Tensor, "octaves"], Float[Tensor, "octaves"]]:
    """Power of a picture by octave of radial frequency: (the octaves' lower ends, power).

    Octave k holds the frequencies ``2^k <= |f| < 2^(k+1)``, up to the highest that both axes have; the mean is left
    out, and a Hann window keeps the picture's borders from counting as edges.

    Args:
        values: the picture.
        cycles: (along y, along x) the frequency of one cycle over the whole of ``values``, in the unit of the result;
            (1, 1) gives cycles per picture.
    """
    height, width, _ = values.shape
    values = (values - values.mean((0, 1))).double()
    window = [torch.hann_window(n, periodic=False, dtype=values.dtype, device=values.device) for n in (height, width)]
    spectrum = torch.fft.fft2(values * window[0][:, None, None] * window[1][:, None], dim=(0, 1)).abs().square().sum(-1)
    y, x = (
        torch.fft.fftfreq(n, 1 / (n * unit), dtype=values.dtype, device=values.device)
        for n, unit in zip((height, width), cycles, strict=True)
    )
    radius = torch.hypot(y[:, None], x)
    highest = min(height * cycles[0], width * cycles[1]) / 2
    low, high = (max(0, math.floor(math.log2(value))) for value in (max(cycles), highest))
    ends = 2.0 ** torch.arange(low, max(low, high) + 1, dtype=torch.float64)
    power = [spectrum[(radius >= end) & (radius < 2 * end)].sum() for end in ends.tolist()]
    return ends, torch.stack(power).cpu()
