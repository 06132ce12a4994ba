"""The wavelet encoder against the lifting scheme of the same wavelet, and what it must keep of a signal."""

import copy

import numpy as np
import pytest
import torch

from ffnet.encoders import WaveletEncoder

# The steps of lifting and the scale (Daubechies & Sweldens 1998, section 7.7).
STEPS = (-1.586134342059924, -0.052980118572961, 0.882911075530934, 0.443506852043971)
SCALE = 1.230174104914001


def lifted(low: np.ndarray, high: np.ndarray, axis: int) -> np.ndarray:
    """Samples of averages, which have the sum 1 in constants, and of details, on a circle."""
    even, odd = low * SCALE, high * 2 / SCALE
    even = even - STEPS[3] * (odd + np.roll(odd, 1, axis))
    odd = odd - STEPS[2] * (even + np.roll(even, -1, axis))
    even = even - STEPS[1] * (odd + np.roll(odd, 1, axis))
    odd = odd - STEPS[0] * (even + np.roll(even, -1, axis))
    shape = list(low.shape)
    shape[axis] *= 2
    return np.stack([even, odd], axis + 1).reshape(shape)


def middle(size: tuple[int, ...], margin: int) -> torch.Tensor:
    """Whether a place is ``margin`` or more from all borders."""
    inside = torch.zeros(size, dtype=torch.bool)
    inside[tuple(slice(margin, count - margin) for count in size)] = True
    return inside


def complete(size: list[int], features: int = 1, levels: int = 1) -> WaveletEncoder:
    """An encoder with all coefficients, which are random numbers."""
    everything = features * int(np.prod(size))
    encoder = WaveletEncoder(len(size), size, features, everything, levels, dtype=torch.float64)
    generator = torch.Generator().manual_seed(0)
    encoder.table.data = torch.randn(everything, generator=generator, dtype=torch.float64)
    return encoder


@pytest.mark.parametrize("size", [[16], [16, 20], [12, 14, 16]], ids=str)
def test_the_transform_is_that_of_lifting_away_from_the_borders(size):
    encoder = complete(size)
    half = [count // 2 for count in size]
    zeros = middle(tuple(half), 2)  # lifting is on a circle, so the values at the borders must not differ
    bands = encoder.table.detach().view(-1, *half) * zeros
    encoder.table.data = bands.flatten()
    bands = bands.numpy().reshape(*[2] * len(size), *half)
    for _ in size:  # the first of the remaining axes
        bands = lifted(bands[0], bands[1], len(size) - 1)
    np.testing.assert_allclose(encoder.grids()[-1][0].detach(), bands, atol=1e-10)


@pytest.mark.parametrize("size", [[33], [17, 22], [9, 10, 11]], ids=str)
def test_constants_are_constant_everywhere(size):
    encoder = complete(size, levels=2)
    encoder.table.data = (torch.arange(len(encoder.table)) < encoder.blocks[0]).double()
    points = 1.2 * torch.rand(50, len(size), dtype=torch.float64) - 0.1
    torch.testing.assert_close(encoder(points), torch.ones(50, 3, dtype=torch.float64))


def test_the_last_features_at_a_sample_are_the_finest_grid_and_between_samples_linear():
    encoder = complete([9, 12], features=2, levels=2)
    row, column = torch.meshgrid(torch.arange(9), torch.arange(12), indexing="ij")
    samples = torch.stack([(column.double() + 0.5) / 12, (row.double() + 0.5) / 9], -1)
    at = encoder(samples)[..., -2:]
    torch.testing.assert_close(at, encoder.grids()[-1].movedim(0, -1))
    torch.testing.assert_close(encoder((samples[:, 1:] + samples[:, :-1]) / 2)[..., -2:], (at[:, 1:] + at[:, :-1]) / 2)


def test_coarse_features_at_a_vertex_are_their_grid():
    encoder = complete([16, 24], levels=2)
    place = (4 * torch.tensor([3.0, 2.0], dtype=torch.float64) + 0.5) / torch.tensor([24, 16])
    torch.testing.assert_close(encoder(place)[0], encoder.grids()[0][0, 2, 3])


def test_the_entries_kept_are_those_that_a_signal_consists_of():
    whole = complete([64, 64], levels=2)
    inside = [middle((16, 16), 5)[None]] + [middle((n, n), n // 3).expand(3, n, n) for n in (16, 32)]
    places = torch.cat([part.flatten() for part in inside]).nonzero()[:, 0]
    chosen = places[torch.randperm(len(places), generator=torch.Generator().manual_seed(0))[:40]]
    whole.table.data = torch.zeros(len(whole.table), dtype=torch.float64).index_fill(0, chosen, 1.0)
    image = whole.grids()[-1].movedim(0, -1).detach()
    encoder = WaveletEncoder(2, [64, 64], 1, 40, 2, dtype=torch.float64)
    before = encoder.grids()[-1].detach()
    encoder.allocate(torch.cat([image, -2 * image, 3 + image], -1))  # all of them along one axis of colour
    assert encoder.place.tolist() == chosen.sort().values.tolist()
    encoder.table.data.fill_(1.0)
    torch.testing.assert_close(encoder.grids()[-1].movedim(0, -1), image)
    assert not torch.equal(before, encoder.grids()[-1])


def test_an_allocation_is_part_of_the_state_and_one_that_does_not_fit_is_refused():
    def fresh():
        return WaveletEncoder(2, [16, 16], 3, 100)

    encoder = fresh()
    encoder.allocate(torch.rand(16, 16, 3, generator=torch.Generator().manual_seed(0)))
    x = torch.rand(20, 2)
    other = fresh()
    assert not torch.equal(other(x), encoder(x))
    other.load_state_dict(encoder.state_dict())
    assert torch.equal(other(x), encoder(x))
    state = copy.deepcopy(encoder.state_dict())
    assert set(state) == {"table", "kept"}
    assert state["kept"].numel() * 8 == 16 * 16 * 3
    state["kept"].fill_(255)
    with pytest.raises(ValueError, match="kept: expected 100 entries, got 768"):
        fresh().load_state_dict(state)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_features": 4, "shape": [8] * 4}, "in_features: expected at most 3, got 4"),
        ({"in_features": 2, "shape": [8]}, r"shape: expected 2 numbers, got \[8\]"),
        ({"in_features": 1, "shape": [0]}, "shape: expected an integer of at least 1, got 0"),
        ({"in_features": 2, "shape": [8, 8], "levels": 3}, r"levels: expected 2 vertices .*, got \[1, 1\]"),
        ({"in_features": 2, "shape": [8, 8], "entries": 193}, "entries: expected at most 192, got 193"),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        WaveletEncoder(**arguments)


def test_a_signal_of_another_shape_is_refused():
    with pytest.raises(ValueError, match=r"values: expected \[8, 9\] samples, got \[9, 8\]"):
        WaveletEncoder(2, [8, 9], entries=10).allocate(torch.rand(9, 8, 3))
