"""The formulas, against independent computations."""

import json
import math

import numpy as np
import pytest
import torch

from ffnet.encoders import GaussianEncoder, IdentityEncoder, PositionalEncoder, sincos


def test_sincos_agrees_with_math():
    cycles = torch.linspace(-3, 3, 1001, dtype=torch.float64)[:, None]
    expected = [[math.sin(2 * math.pi * c), math.cos(2 * math.pi * c)] for c in cycles[:, 0].tolist()]
    np.testing.assert_allclose(torch.cat(sincos(cycles), dim=-1), expected, atol=1e-14)


def test_octaves_are_within_1e_6_of_float64_at_20_octaves():
    x = torch.rand(10_000, 2, generator=torch.Generator().manual_seed(0))
    encoder = PositionalEncoder(2, num_frequencies=21)  # 2^0 ... 2^20
    exact = np.einsum("nd,k->nkd", x.double().numpy(), 2.0 ** np.arange(21)).reshape(len(x), -1)
    exact = np.concatenate([np.sin(2 * np.pi * (exact % 1)), np.cos(2 * np.pi * (exact % 1))], axis=-1)
    assert np.abs(encoder(x).numpy() - exact).max() < 1e-6


def test_the_usual_way_is_off_by_1e_4_at_ten_octaves():
    x = torch.rand(10_000, 1, generator=torch.Generator().manual_seed(0))
    usual = torch.sin(2 * torch.pi * x * 2.0**10)
    exact = torch.sin(2 * torch.pi * (x.double() * 2.0**10))
    assert (usual - exact).abs().max() > 1e-4


def test_gaussian_features_have_the_error_of_one_float32_product():
    x = torch.rand(10_000, 2, generator=torch.Generator().manual_seed(0))
    encoder = GaussianEncoder(2, 64, sigma=10.0)
    exact = x.double().numpy() @ encoder.B.double().numpy().T
    exact = np.concatenate([np.sin(2 * np.pi * exact), np.cos(2 * np.pi * exact)], axis=-1)
    # Two products and a sum of at most 64 cycles, rounded to 2^-24 relative each, times 2 pi.
    assert np.abs(encoder(x).numpy() - exact).max() < 2 * np.pi * 64 * 3 * 2**-24


def test_positional_is_frequency_major_sines_first_input_in_front():
    x = torch.tensor([0.1, 0.3], dtype=torch.float64)
    encoder = PositionalEncoder(2, num_frequencies=2, include_input=True).double()
    phases = [2 * math.pi * f * c for f in (1, 2) for c in (0.1, 0.3)]
    expected = [0.1, 0.3, *map(math.sin, phases), *map(math.cos, phases)]
    np.testing.assert_allclose(encoder(x), expected, atol=1e-12)


def test_frequencies_of_each_spacing():
    def frequencies(**arguments):
        return PositionalEncoder(1, dtype=torch.float64, **arguments).B[:, 0].numpy()

    np.testing.assert_array_equal(frequencies(num_frequencies=12), 2.0 ** np.arange(12))
    np.testing.assert_allclose(
        frequencies(num_frequencies=7, min_frequency=0.5, max_frequency=40.0), np.geomspace(0.5, 40, 7)
    )
    np.testing.assert_allclose(frequencies(num_frequencies=5, max_frequency=9.0, spacing="linear"), [1, 3, 5, 7, 9])
    np.testing.assert_allclose(
        frequencies(num_frequencies=128, max_frequency=2**6 - 1, spacing="shifted_log"),
        2.0 ** np.linspace(0, 6, 128) - 1,
        atol=1e-13,
    )


def test_gaussian_inner_product_approaches_the_gaussian_kernel_as_one_over_root_m():
    x, y, sigma = torch.tensor([0.2, 0.7]), torch.tensor([0.25, 0.68]), 3.0
    expected = math.exp(-2 * math.pi**2 * sigma**2 * float((x - y).square().sum()))

    def error(count):
        errors = []
        for seed in range(40):
            encoder = GaussianEncoder(2, count, sigma=sigma, seed=seed)
            errors.append(float(encoder(x) @ encoder(y)) / count - expected)
        return float(np.sqrt(np.mean(np.square(errors))))

    coarse, fine = error(64), error(4096)
    assert fine < 0.02
    assert 4 < coarse / fine < 16  # sqrt(4096 / 64) = 8


def test_gaussian_frequencies_have_the_standard_deviation_sigma_on_each_axis():
    B = GaussianEncoder(3, 20_000, sigma=[1.0, 5.0, 20.0]).B
    torch.testing.assert_close(B.std(0), torch.tensor([1.0, 5.0, 20.0]), rtol=0.03, atol=0)
    torch.testing.assert_close(B.mean(0) / B.std(0), torch.zeros(3), rtol=0, atol=0.03)


def test_seeds_differ_and_types_agree():
    one, two = GaussianEncoder(2, seed=0), GaussianEncoder(2, seed=1)
    assert not torch.equal(one.B, two.B)
    assert torch.equal(GaussianEncoder(2, seed=0, dtype=torch.float64).B.float(), one.B)


def test_gaussian_matrix_is_in_the_checkpoint():
    assert set(GaussianEncoder(2).state_dict()) == {"B"}


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, "ten"])
def test_sigma_must_be_finite_and_positive(value):
    for sigma in (value, [1.0, value]):
        with pytest.raises(ValueError, match="sigma: expected a finite number above 0"):
            GaussianEncoder(2, sigma=sigma)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_frequencies": 0}, "num_frequencies: expected an integer of at least 1, got 0"),
        ({"num_frequencies": 2.5}, "num_frequencies: expected an integer"),
        ({"num_frequencies": 2000}, "num_frequencies: the highest of 2000 overflows"),
        ({"min_frequency": math.nan}, "min_frequency: expected a finite number above 0"),
        ({"max_frequency": 0.5}, "max_frequency: expected at least min_frequency"),
        ({"spacing": "cubic"}, "spacing: expected one of log, linear, shifted_log"),
        ({"in_features": 0}, "in_features: expected"),
    ],
)
@pytest.mark.usefixtures("without_shape_checks")
def test_positional_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        PositionalEncoder(**({"in_features": 2} | arguments))


def test_sigma_count_must_match_the_axes():
    with pytest.raises(ValueError, match="sigma: expected one number or 3, got 2"):
        GaussianEncoder(3, sigma=[1.0, 2.0])


@pytest.mark.parametrize("cls", [GaussianEncoder, PositionalEncoder])
def test_normalised_features_have_a_norm_of_one_and_their_direction(cls):
    x = torch.rand(50, 3, generator=torch.Generator().manual_seed(0))
    features, plain = cls(3, 7, normalize=True)(x), cls(3, 7)(x)
    torch.testing.assert_close(features, plain / plain.norm(dim=-1, keepdim=True))


def test_a_centred_identity_covers_minus_one_to_one():
    assert IdentityEncoder(3, centred=True)(torch.tensor([0.0, 0.25, 1.0])).tolist() == [-1, -0.5, 1]


def test_identity_is_the_identity():
    x = torch.rand(5, 3)
    assert torch.equal(IdentityEncoder(3)(x), x)


def test_published_encoders_with_this_layout_agree(shared):
    """Five projects lay their features out as we do, up to the factor in the phase."""
    compared = set()
    for case in json.loads((shared / "golden" / "encoders.json").read_text()):
        ours = case.get("trig") == ["sin", "cos"] and "damping" not in case
        with_input = case.get("input_in_output") == "prepended"
        x = torch.tensor(case["inputs"], dtype=torch.float64)
        turns = (case.get("phase_factor") or 0) / (2 * math.pi)
        if ours and case["loops"] == ["trig", "freq", "dim"] and case["frequencies"]:
            count = len(case["frequencies"])
            encoder = PositionalEncoder(x.shape[-1], count, include_input=with_input, dtype=torch.float64)
            frequencies = torch.tensor(case["frequencies"], dtype=torch.float64) * turns
            encoder.B = torch.kron(frequencies[:, None], torch.eye(x.shape[-1], dtype=torch.float64))
        elif case["class"] == "input_mapping":
            encoder = GaussianEncoder(x.shape[-1], len(case["B"]), dtype=torch.float64)
            encoder.B = torch.tensor(case["B"], dtype=torch.float64) * turns
        else:
            continue
        np.testing.assert_allclose(encoder(x), case["outputs"], rtol=1e-12, atol=1e-12, err_msg=case["id"])
        compared.add(case["peer"])
    assert len(compared) == 5, compared
