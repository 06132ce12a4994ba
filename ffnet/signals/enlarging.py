"""Enlarging: the most likely finer image, of which each pixel is the average over its cell."""

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d

# Chosen by measurement (benchmarks/README.md).
EXPONENT = 1.5
# Corrections after values are clamped to [0, 1].
ROUNDS = 5


def enlarged(
    pixels: Float[Tensor, "h w c"], factor: int, exponent: float = EXPONENT, rounds: int = ROUNDS
) -> Float[Tensor, "h2 w2 c"]:
    """``pixels`` in [0, 1], ``factor`` times as high and wide: kernel regression from averages over cells.

    The kernel is stationary with a power-law spectrum, ``|f|^(-2 exponent)``, as that of photographs (Field 1987), and
    a pixel is the mean of the finer ones in its cell. On the mirrored image both are diagonal in Fourier space, up to
    the ``factor^2`` frequencies that the finer grid adds to each one, so the regression is exact and takes a transform
    (Wiener 1949). Values are then clamped to [0, 1], and what that changes in the averages is added back, ``rounds``
    times: at edges of black and white, this doubles the gain.

    Raises:
        ValueError: if the factor is not an integer of at least 2.
    """
    if type(factor) is not int or factor < 2:
        raise ValueError(f"enlarge: expected an integer of at least 2, or null, got {factor!r}")
    height, width, _ = pixels.shape
    filter_ = _filter(height, width, factor, exponent, pixels.device)
    fine = []
    for channel in pixels.float().movedim(-1, 0):
        residual, guess = channel, torch.zeros(height * factor, width * factor, device=pixels.device)
        for _ in range(rounds + 1):
            guess = (guess + _spread(residual, filter_, factor)).clamp(0, 1)
            residual = channel - avg_pool2d(guess[None], factor)[0]
        fine.append(guess)
    return torch.stack(fine, dim=-1)


def _filter(height: int, width: int, factor: int, exponent: float, device: torch.device) -> Tensor:
    """The regression's transfer function: columns of frequencies from 0 to the finer grid's Nyquist frequency."""
    rows, columns = 2 * height * factor, 2 * width * factor  # of the mirrored image
    down, across = _average(rows, factor, device), _average(columns, factor, device)
    # In cycles per pixel of the image. The lowest frequency takes the place of 0, where the power would be infinite.
    f = torch.fft.fftfreq(rows, 1 / factor, device=device)[:, None]
    g = torch.fft.fftfreq(columns, 1 / factor, device=device)
    power = (f.square() + g.square() + (1 / (2 * max(height, width))) ** 2) ** -exponent
    seen = power * (down.abs().square()[:, None] * across.abs().square())
    folded = seen.view(factor, 2 * height, factor, 2 * width).mean((0, 2))
    half = slice(0, columns // 2 + 1)
    observed = folded.repeat(factor, factor)[:, half]
    return power[:, half] * (down[:, None] * across[half]).conj() / observed


def _average(count: int, factor: int, device: torch.device) -> Tensor:
    """The transfer function of the mean over ``factor`` samples, from a sample on, of ``count`` samples."""
    window = torch.zeros(count, device=device)
    window[:factor] = 1 / factor
    return torch.fft.fft(window).conj()


def _spread(residual: Float[Tensor, "h w"], filter_: Tensor, factor: int) -> Float[Tensor, "h2 w2"]:
    """The finer image of which the cells' averages are ``residual``."""
    height, width = residual.shape
    mirrored = torch.cat([residual, residual.flip(0)])
    mirrored = torch.cat([mirrored, mirrored.flip(1)], dim=1)
    spectrum = torch.fft.fft2(mirrored).repeat(factor, factor)[:, : filter_.shape[1]]
    size = (2 * height * factor, 2 * width * factor)
    return torch.fft.irfft2(spectrum * filter_, size)[: height * factor, : width * factor]
