"""Laws of the settings that follow a signal's size."""

import pytest

from ffnet.datasets import automatic

SAMPLES = [1, 2, 1000, 2**16, 2**18 - 1, 512 * 768, 2**20, 3_429_216, 58_320_000, 2**40]


@pytest.mark.parametrize("rule", [automatic.batch_size, automatic.max_steps, automatic.table_size])
def test_larger_signals_have_larger_settings_within_bounds(rule):
    values = [rule(samples) for samples in SAMPLES]
    assert values == sorted(values)
    assert values[0] >= 400 or values[0] == 2**10
    assert values[-1] <= 2**19


@pytest.mark.parametrize("samples", SAMPLES)
def test_tables_are_powers_of_two_of_at_most_half_the_samples(samples):
    entries = automatic.table_size(samples)
    assert entries & (entries - 1) == 0
    assert entries <= max(samples / 2, 2**10)
    assert entries > samples / 4 or entries == 2**19


@pytest.mark.parametrize(("shape", "cells"), [((512, 768), 1152), ((1, 1), 16), ((10800, 5400), 4096)])
def test_the_finest_cells_are_smaller_than_samples_up_to_a_limit(shape, cells):
    assert automatic.max_resolution(shape) == cells


@pytest.mark.parametrize(("samples", "cells"), [(3, 16), (300_000, 300_000), (2**23, 2**20 - 1)])
def test_recordings_have_a_cell_per_sample_up_to_a_limit(samples, cells):
    assert automatic.max_resolution((samples,)) == cells


@pytest.mark.parametrize("values", SAMPLES)
def test_a_quarter_of_the_values_have_entries(values):
    assert automatic.entries(values) >= 1
    assert values / 4 - 1 < automatic.entries(values) <= max(values / 4, 1)
