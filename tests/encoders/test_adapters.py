"""Drop-in names of nerfstudio and tiny-cuda-nn, against the numbers that their own code gave."""

import numpy as np
import pytest
import torch

from ffnet.encoders import GridEncoder, nerfstudio, tinycudann
from tests.encoders import golden

NERFSTUDIO = [name for name in golden.CASES if name.startswith("nerfstudio.")]
TINYCUDANN = [name for name in golden.CASES if name.startswith("tiny-cuda-nn.")]


@pytest.mark.parametrize("name", NERFSTUDIO)
def test_nerfstudios_constructors_and_calls_give_nerfstudios_numbers(name):
    case = golden.CASES[name]
    arguments = dict(case["arguments"])
    if "basis" in arguments:
        arguments["basis"] = golden.matrix(case)
    encoding = getattr(nerfstudio, case["class"])(**arguments).double()
    if "RFF" in name:
        encoding.load_state_dict({"b_matrix": golden.matrix(case)})
    x = golden.tensor(case, "inputs")
    features = encoding(x, covs=golden.tensor(case, "covs")) if "covs" in case else encoding(x)
    np.testing.assert_allclose(features, case["outputs"], rtol=1e-12, atol=1e-12 if "B" not in case else 1e-6)
    assert encoding.get_out_dim() == case["out_dim"]["get_out_dim()"]
    assert encoding.in_dim == len(case["inputs"][0])
    assert {key: list(tensor.shape) for key, tensor in encoding.state_dict().items()} == case["state_dict"]


@pytest.mark.parametrize("name", TINYCUDANN)
def test_tinycudanns_configurations_give_tinycudanns_numbers(name):
    case = golden.CASES[name]
    x = golden.tensor(case, "inputs")
    encoding = tinycudann.Encoding(x.shape[-1], case["arguments"]).double()
    np.testing.assert_allclose(encoding(x), case["outputs"], rtol=1e-12, atol=1e-12)
    assert (encoding.n_input_dims, encoding.n_output_dims) == (x.shape[-1], len(case["outputs"][0]))


def test_checkpoints_of_nerfstudio_go_in_and_come_out():
    one, other = nerfstudio.RFFEncoding(3, 8, 10.0), nerfstudio.RFFEncoding(3, 8, 10.0)
    holder = torch.nn.ModuleDict({"encoding": other})
    holder.load_state_dict({f"encoding.{name}": tensor for name, tensor in one.state_dict().items()})
    x = torch.rand(5, 3)
    assert torch.equal(one(x), other(x))
    with pytest.raises(RuntimeError, match="Missing key"):
        other.load_state_dict({})


def test_an_encoding_without_a_matrix_loads_nerfstudios_empty_state():
    encoding, x = nerfstudio.NeRFEncoding(3, 4, 0.0, 5.0), torch.rand(5, 3)
    before = encoding(x)
    assert encoding.state_dict() == {}
    encoding.load_state_dict({})
    assert torch.equal(encoding(x), before)


def test_any_encoder_takes_nerfstudios_shape():
    grid = GridEncoder(2, 2, table_size=256)
    encoding = nerfstudio.Encoding(grid)
    assert (encoding.in_dim, encoding.get_out_dim()) == (2, 4)
    assert list(encoding.state_dict()) == ["encoder.table"]
    with pytest.raises(ValueError, match="covs: expected none, since GridEncoder has no sines"):
        encoding(torch.rand(3, 2), covs=torch.rand(3, 2, 2))


def test_a_composite_splits_its_dimensions():
    config = {
        "otype": "Composite",
        "nested": [
            {"otype": "SphericalHarmonics", "n_dims_to_encode": 3, "degree": 2},
            {"otype": "Frequency", "n_frequencies": 2, "n_dims_to_encode": 1},
            {"otype": "Identity"},
        ],
    }
    encoding = tinycudann.Encoding(6, config, dtype=torch.float16)
    assert encoding.n_output_dims == 4 + 4 + 2
    assert encoding(torch.rand(5, 6)).dtype == torch.float16


@pytest.mark.parametrize(
    ("dimensions", "config", "message"),
    [
        (3, {"otype": "Magic"}, r"otype: expected one of Composite, Frequency, .*, got 'Magic'"),
        (2, {"otype": "SphericalHarmonics"}, "SphericalHarmonics: expected 3 dimensions, got 2"),
        (
            2,
            {"otype": "Composite", "nested": [{"otype": "Identity", "n_dims_to_encode": 1}]},
            "nested: expected parts that take 2 dimensions",
        ),
    ],
)
def test_other_configurations_are_refused(dimensions, config, message):
    with pytest.raises(ValueError, match=message):
        tinycudann.Encoding(dimensions, config)


def test_what_nerfstudio_hands_on_is_named():
    with pytest.raises(ValueError, match="implementation: expected torch, got 'tcnn'"):
        nerfstudio.SHEncoding(4, implementation="tcnn")
