"""Octaves of waves whose frequency and power are known, and of errors against dense computations."""

import math

import pytest
import torch

from ffnet.analysis import (
    OctaveErrors,
    decayed_to,
    grid_octaves,
    octave_power,
    relative_error,
    spectral_error,
    split_octaves,
)
from ffnet.datasets import ImageDataset
from ffnet.encoders import PositionalEncoder
from ffnet.kernels import as_matrix, empirical_ntk
from ffnet.models import CoordinateMLP
from tests.analysis.sources import GridSignal, noise, wave


@pytest.mark.parametrize(
    ("size", "density"), [([49], [49]), ([12, 30], [12, 30]), ([6, 8, 9], [18, 8, 10]), ([48], [96])]
)
def test_octaves_are_those_of_each_frequency_s_magnitude(size, density):
    found = grid_octaves(size, density)
    for place in torch.cartesian_prod(*map(torch.arange, size)).reshape(-1, len(size)).tolist():
        cycles = [min(k, n - k) * rate / n for k, n, rate in zip(place, size, density, strict=True)]
        low = found.lows[found.index[tuple(place)]]
        assert low <= math.hypot(*cycles) * (1 + 1e-12)
        assert math.hypot(*cycles) < max(1, 2 * low)


def test_the_lower_end_belongs_to_the_octave():
    """Also where the spacing is no binary fraction."""
    for size, window in ((49, 49), (98, 49), (1000, 125), (30, 10)):
        found = grid_octaves([window], [size])
        for k in range(window // 2 + 1):
            frequency = k * size / window
            if frequency.is_integer() and math.log2(frequency or 3).is_integer():
                assert found.lows[found.index[k]] == frequency


def power_of(values, density):
    """(lower ends, power) under a Hann window."""
    octaves = grid_octaves(values.shape[:-1], density)
    return torch.tensor(octaves.lows), octave_power(values.double(), octaves, hann=True)


@pytest.mark.parametrize(("fy", "fx", "octave"), [(0, 6, 4), (12, 0, 8), (15, 16, 16), (-10, 3, 8)])
def test_a_wave_is_in_its_octave(fy, fx, octave):
    lows, power = power_of(wave((64, 96), (fy, fx)), (64, 96))
    assert lows.tolist() == [0, 1, 2, 4, 8, 16, 32]
    assert power[lows == octave] > 0.97 * power.sum()


@pytest.mark.parametrize(
    ("frequency", "octave"), [((5,), 4), ((-16,), 16), ((3, 4, 0), 4), ((0, 0, 9), 8), ((6, -6, 6), 8)]
)
def test_a_wave_is_in_its_octave_in_one_and_three_dimensions(frequency, octave):
    size = (64,) if len(frequency) == 1 else (32, 30, 28)
    lows, power = power_of(wave(size, frequency), size)
    assert power[lows == octave] > 0.8 * power.sum()
    octaves = grid_octaves(size, size)
    without_window = octave_power(wave(size, frequency), octaves)
    assert without_window[octaves.lows.index(octave)] == pytest.approx(without_window.sum().item(), rel=1e-12)


def test_a_part_has_the_frequencies_of_the_whole():
    """A quarter of an image's width holds a quarter of its cycles, and they count the same."""
    part = wave((64, 256), (0, 24))[:, 64:128]
    lows, power = power_of(part, (64, 256))
    assert power[lows == 16] > 0.9 * power.sum()
    assert list(relative_error(part, noise(64, 64) + part, (64, 256))) == ["0004", "0008", "0016", "0032"]


def test_power_is_that_of_the_windowed_values():
    """Parseval: the power of all frequencies is that of the values."""
    values = wave((32, 32), (3, 5)) + 0.7 * wave((32, 32), (9, 1)) + 4
    window = torch.hann_window(32, periodic=False, dtype=torch.float64)
    centred = (values - values.mean()) * window[:, None, None] * window[:, None]
    lows, power = power_of(values, (32, 32))
    assert power.sum().item() == pytest.approx(32 * 32 * centred.square().sum().item(), rel=1e-12)
    # All but frequency 0, where the window has brought a little of the waves.
    assert power[lows > 0].sum().item() == pytest.approx(power.sum().item(), rel=0.01)


@pytest.mark.parametrize("size", [(17,), (12, 10), (6, 5, 8)])
def test_components_sum_to_the_values_and_have_the_power_of_their_octaves(size):
    values = noise(*size, channels=2).double()
    octaves = grid_octaves(size, size)
    parts = split_octaves(values, octaves)
    torch.testing.assert_close(parts.sum(0), values)
    squares = parts.square().flatten(1).sum(1) * math.prod(size)
    torch.testing.assert_close(squares, octave_power(values, octaves))
    # Nothing of one octave is in another.
    for k, part in enumerate(parts):
        torch.testing.assert_close(split_octaves(part, octaves)[k], part)


@pytest.mark.parametrize(
    ("size", "side", "keys"),
    [
        ((96, 80), 64, ["0001", "0002", "0004", "0008", "0016", "0032"]),
        ((96, 80), 1000, ["0001", "0002", "0004", "0008", "0016", "0032"]),
        ((4096,), 16, ["0016", "0032", "0064", "0128", "0256", "0512", "1024", "2048"]),
        ((20, 16, 24), 1000, ["0001", "0002", "0004", "0008"]),
    ],
)
def test_spectral_error_is_one_for_nothing_learned_and_zero_for_everything(size, side, keys):
    values = noise(*size, channels=3)
    source = GridSignal(values)
    mean = values.flatten(0, -2).mean(0)
    nothing = spectral_error(lambda x: mean.expand(len(x), 3), source, side)
    assert list(nothing) == keys
    assert list(nothing.values()) == pytest.approx([1] * len(keys), rel=1e-4)

    def exactly(x):
        places = (x.flip(-1) * torch.tensor(size) - 0.5).round().long()
        return values[tuple(places.unbind(-1))]

    assert max(spectral_error(exactly, source, side).values()) < 1e-10
    half = spectral_error(lambda x: 0.5 * exactly(x), source, side)
    assert list(half.values()) == pytest.approx([0.25] * len(half), rel=1e-4)


def test_the_source_of_an_image_has_octaves():
    dataset = ImageDataset(size=[96, 80])
    mean = (dataset.pixels.float() / 255).mean((0, 1))
    nothing = spectral_error(lambda x: mean.expand(len(x), 3), dataset.source, 64)
    assert list(nothing) == ["0001", "0002", "0004", "0008", "0016", "0032"]
    assert list(nothing.values()) == pytest.approx([1] * 6, rel=1e-4)


def test_a_missing_wave_is_missing_in_its_octave_only():
    source = GridSignal((wave((64, 64), (0, 3)) + wave((64, 64), (20, 0))).float())
    found = spectral_error(lambda x: torch.sin(2 * torch.pi * 3 * x[:, :1]), source, 64)
    assert found["0016"] == pytest.approx(1, abs=0.01)
    assert found["0002"] < 0.01


def test_what_has_no_grid_has_no_octaves():
    source = GridSignal(noise(8, 8))
    source.grid = None
    assert spectral_error(lambda x: x[:, :1], source, 8) == {}
    with pytest.raises(ValueError, match="source: expected one whose queries form a grid"):
        OctaveErrors(source, 64)


@pytest.mark.parametrize(
    ("size", "most"), [((12, 16), 10_000), ((24, 20), 144), ((40,), 30), ((6, 7, 8), 125)], ids=str
)
def test_octaves_hold_the_whole_error_and_its_rayleigh_quotients(size, most):
    field = CoordinateMLP(PositionalEncoder(len(size), 3), 3, 16, 1, seed=0)
    found = OctaveErrors(GridSignal(noise(*size, channels=3)), most)
    assert len(found.x) <= most
    error = found.error(field)
    torch.testing.assert_close(error, field(found.x).detach() - found.y)
    assert found.mean_squares(error).sum() == pytest.approx(error.square().mean().item(), rel=1e-5)
    parts = found.parts(error)
    torch.testing.assert_close(parts.sum(0), error, atol=1e-5, rtol=0)
    torch.testing.assert_close(parts.square().mean((1, 2)), found.mean_squares(error), atol=1e-7, rtol=1e-4)
    kernel = as_matrix(empirical_ntk(field, found.x))
    flat = parts.flatten(1)
    wanted = torch.einsum("bi,ij,bj->b", flat, kernel, flat) / flat.square().sum(1)
    torch.testing.assert_close(found.rates(field), wanted, rtol=1e-3, atol=0)


def test_chunks_change_nothing(monkeypatch):
    field = CoordinateMLP(PositionalEncoder(2, 3), 1, 16, 1, seed=0)
    found = OctaveErrors(GridSignal(noise(12, 10)), 1000)
    error, rates = found.error(field), found.rates(field)
    monkeypatch.setattr("ffnet.analysis.octaves.CHUNK_POINTS", 50)
    torch.testing.assert_close(found.error(field), error)
    torch.testing.assert_close(found.rates(field), rates)


def test_a_wave_lies_in_the_octave_of_its_frequency():
    found = OctaveErrors(GridSignal(noise(64, 64)), 64 * 64)
    assert found.names == ["0-1", "1-2", "2-4", "4-8", "8-16", "16-32", "32-64"]
    for frequency, name in (((0, 0), "0-1"), ((3, 0), "2-4"), ((3, 4), "4-8"), ((0, 8), "8-16"), ((30, 30), "32-64")):
        phase = 2 * torch.pi * found.x @ torch.tensor(frequency, dtype=torch.float32)
        squares = found.mean_squares(phase.cos()[:, None])
        assert found.names[squares.argmax()] == name
        assert squares.max() == pytest.approx(squares.sum().item(), rel=1e-5)


def test_a_window_knows_its_frequencies_in_cycles_per_unit():
    found = OctaveErrors(GridSignal(noise(64, 64)), 16 * 16)
    assert found.size == (16, 16)
    assert found.names == ["0-1", "4-8", "8-16", "16-32", "32-64"]
    assert found.x.mean().item() == pytest.approx(0.5)
    assert (found.x.amax() - found.x.amin()).item() == pytest.approx(15 / 64)


def test_the_run_s_own_error_is_the_clock():
    start, rates = torch.tensor([4.0, 1.0, 0.5]), torch.tensor([3.0, 1.0, 0.0])
    for time in (0.01, 0.7, 5.0):
        wanted = start * torch.exp(-2 * rates * time)
        torch.testing.assert_close(decayed_to(wanted.sum().item(), start, rates), wanted, rtol=1e-3, atol=1e-6)
    assert torch.equal(decayed_to(6.0, start, rates), start)
    # Less than the octaves that are never learnt leave.
    torch.testing.assert_close(decayed_to(0.1, start, rates), torch.tensor([0.0, 0.0, 0.5]))


@pytest.mark.parametrize("size", [(4, 256), (256, 4), (3, 5)])
def test_sizes_at_which_a_strided_transform_fails_are_split(size):
    """Parseval: the octaves' powers sum to that of the values."""
    values = torch.rand(*size, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    octaves = grid_octaves(size, size)
    for _ in range(5):
        power = octave_power(values, octaves)
        assert power.sum().item() == pytest.approx(values.square().sum().item() * values[..., 0].numel())
        torch.testing.assert_close(split_octaves(values, octaves).sum(0), values)
