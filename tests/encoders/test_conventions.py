"""Other projects' encoders by name, against the numbers that their own code gave."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

from ffnet.encoders import FourierEncoder, IdentityEncoder, conventions
from tests.encoders import golden

TABLE = Path(__file__).parents[2] / "docs" / "conventions.md"
every_case = pytest.mark.parametrize("name", golden.CASES)


@every_case
def test_the_published_numbers_come_out_in_float64(name):
    case = golden.CASES[name]
    encoder, x = golden.build(case), golden.inputs(case)
    features = encoder(x)
    assert features.shape == np.shape(case["outputs"])
    np.testing.assert_allclose(features, case["outputs"], rtol=1e-12, atol=1e-12)


@every_case
def test_float32_is_within_1e_6_of_float64_where_it_can_hold_the_frequencies(name):
    case = golden.CASES[name]
    x = golden.inputs(case).float()  # the same points for both, so what is compared is the encoder alone
    exact = golden.build(case)(x.double())
    bound = max(1e-6, 2**-23 * golden.largest_phase(case))
    np.testing.assert_allclose(golden.build(case, torch.float32)(x).double(), exact, rtol=0, atol=bound)


@every_case
def test_float64_buffers_make_float32_coordinates_exact(name):
    case = golden.CASES[name]
    x = golden.inputs(case).float()
    np.testing.assert_allclose(golden.build(case)(x).double(), golden.build(case)(x.double()), rtol=0, atol=1e-6)


@every_case
def test_the_published_frequencies_are_the_ones_used(name):
    case = golden.CASES[name]
    encoder = golden.build(case)
    if case.get("frequencies") and "phase_factor" in case and isinstance(encoder, FourierEncoder):
        factors = encoder.multipliers()[:, 0] * encoder.turn
        np.testing.assert_allclose(factors, np.multiply(case["frequencies"], case["phase_factor"]), rtol=1e-15)


@every_case
def test_the_native_order_has_the_same_features(name):
    case = golden.CASES[name]
    encoder = golden.build(case)
    if not isinstance(encoder, FourierEncoder):
        pytest.skip("no sines and cosines in another order")
    x = golden.inputs(case)
    assert torch.equal(encoder(x), encoder.native()(x)[..., encoder.order()])
    assert torch.equal(encoder.order().sort().values, torch.arange(encoder.out_features))


def test_every_case_of_the_file_is_covered(shared):
    assert len(golden.CASES) == 80
    assert {name.rpartition(".")[0] for name in golden.CASES} == set(golden.BUILDERS)


def test_a_case_that_nobody_covers_would_be_seen():
    with pytest.raises(KeyError, match=r"someone-elses\.Encoder"):
        golden.build({"id": "someone-elses.Encoder.1", "arguments": {}})


@pytest.mark.parametrize("change", ["layout", "trig", "unit"])
@pytest.mark.parametrize(
    "name", ["nerf-pytorch.get_embedder.2", "nerfstudio.NeRFEncoding.2", "kaolin-wisp.PositionalEmbedder.2"]
)
def test_another_layout_order_or_unit_would_be_seen(shared, name, change):
    case = golden.CASES[name]
    encoder = golden.build(case)
    other = {"layout": "row freq trig", "trig": "cos sin", "unit": "cycles" if encoder.unit == "radians" else "radians"}
    setattr(encoder, change, other[change])
    assert np.abs(encoder(golden.inputs(case)).numpy() - case["outputs"]).max() > 0.01


@every_case
def test_a_checkpoint_holds_contiguous_tensors(name):
    # safetensors refuses others
    encoder = golden.build(golden.CASES[name])
    assert all(tensor.is_contiguous() for tensor in encoder.state_dict().values())


@pytest.mark.parametrize(
    "encoder",
    [
        conventions.nerf_pytorch(2, num_freqs=0),
        conventions.finer(2, num_freqs=0),
        conventions.bacon_positional(2, num_encoding_functions=0, normalize=True),
        conventions.siren(2, sidelength=2),
        conventions.wire(2, sidelength=4),
    ],
    ids=["nerf-pytorch", "FINER", "BACON", "SIREN", "WIRE"],
)
def test_without_frequencies_the_coordinates_are_left_as_in_the_originals(encoder):
    x = torch.rand(5, 2, generator=torch.Generator().manual_seed(0))
    assert torch.equal(encoder(x), x)
    assert encoder.out_features == 2
    assert encoder.levels().tolist() == [0, 0]


def test_the_table_has_every_name():
    named = set(re.findall(r"`(\w+)\(", TABLE.read_text()))
    assert set(conventions.__all__) <= named


def test_every_preset_has_a_docstring():
    assert all(getattr(conventions, name).__doc__ for name in conventions.__all__)


def test_nerfacc_without_a_degree_is_the_identity():
    assert isinstance(conventions.nerfacc(2, 3, 3, use_identity=False), IdentityEncoder)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"frequencies": []}, "frequencies: expected at least one if the coordinates are not included"),
        ({"frequencies": [[1.0]]}, "frequencies: expected a 1D sequence of finite numbers"),
        ({"frequencies": [1.0, float("nan")]}, r"frequencies: expected a 1D .* finite numbers, got \[1.0, nan\]"),
        ({"B": [[1.0, 2.0, 3.0]]}, r"B: expected shape \(rows, 2\), got \(1, 3\)"),
        ({"B": [[1.0, float("nan")]]}, "B: expected numbers whose phases are finite in torch.float32, got nan"),
        ({"B": [[3e38, 3e38]]}, "B: expected numbers whose phases are finite in torch.float32, got inf"),
        ({"frequencies": [1.0, 1e30], "B": [[1e30, 0.0]]}, "B: expected numbers whose phases are finite"),
        ({"amplitudes": [float("inf")]}, "amplitudes: expected finite numbers"),
        ({"unit": "degrees"}, "unit: expected one of cycles, half_cycles, radians, got 'degrees'"),
        ({"layout": "trig freq"}, "layout: expected trig, freq, row in some order, got 'trig freq'"),
        ({"trig": "tan"}, "trig: expected one of sin cos, cos sin"),
        ({"include": "middle"}, "include: expected one of none, first, last"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        FourierEncoder(**({"in_features": 2, "frequencies": [1.0]} | arguments))
