"""Weights with fewer bits: how far they are off, which they are, and that phases keep theirs."""

import pytest
import torch

from ffnet.encoders import GaussianEncoder, GridEncoder, IdentityEncoder
from ffnet.models import CoordinateMLP, Siren, Wire
from ffnet.models.layers import PhaseLinear
from ffnet.quantization import SCALE, compact, decoded, dequantize, encoded, quantize, rounded


@pytest.mark.parametrize(("bits", "largest"), [(8, 127), (4, 7)])
@pytest.mark.parametrize("shape", [(1, 1), (3, 64), (5, 37), (2, 1000)])
def test_a_code_is_off_by_half_a_step_of_its_block_at_most(shape, bits, largest):
    weight = torch.randn(shape, generator=torch.Generator().manual_seed(0))
    codes, scale = quantize(weight, bits)
    assert codes.abs().max() == largest
    assert (codes.dtype, codes.shape, scale.shape) == (torch.int8, weight.shape, (-(-weight.numel() // 64),))
    error, flat = (dequantize(codes, scale) - weight).flatten(), weight.flatten()
    for part, block in zip(error.split(64), flat.split(64), strict=True):
        assert part.abs().max() <= block.abs().max() / largest / 2 * (1 + 1e-5)


def test_a_block_of_zeros_stays_zero():
    assert torch.equal(dequantize(*quantize(torch.zeros(2, 70))), torch.zeros(2, 70))


FIELDS = {
    "gaussian": lambda: CoordinateMLP(GaussianEncoder(2, 8, sigma=10.0, seed=0), 3, hidden_features=16),
    "trainable": lambda: CoordinateMLP(GaussianEncoder(2, 8, trainable=True), 3, hidden_features=16),
    "centred": lambda: CoordinateMLP(IdentityEncoder(2, centred=True), 3, hidden_features=16),
    "siren": lambda: Siren(IdentityEncoder(2, centred=True), 3, hidden_features=16),
    "wire": lambda: Wire(IdentityEncoder(2, centred=True), 3, hidden_features=16),
}


@pytest.mark.parametrize("name", FIELDS)
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_phases_keep_their_bits(name, precision):
    field = FIELDS[name]()
    made, stored = rounded(field, precision), encoded(field, precision)
    phases = [path for path, module in field.named_modules() if isinstance(module, PhaseLinear)] + ["encoder"]
    kept = [key for key in field.state_dict() if key.rpartition(".")[0] in phases]
    assert kept or name != "gaussian"
    for key in kept:
        assert torch.equal(made.state_dict()[key], field.state_dict()[key])
    x = torch.rand(50, 2)
    assert torch.equal(made.encoder(x), field.encoder(x))
    assert any(key not in kept and stored[key].dtype != torch.float32 for key in field.state_dict())
    torch.testing.assert_close(compact(field, precision)(x), made(x), rtol=0, atol=1e-6)
    assert all(weight.dtype == torch.float32 for weight in made.state_dict().values())


def test_tables_of_grids_shrink():
    field = CoordinateMLP(GridEncoder(2), 3, hidden_features=16)
    size = {p: sum(t.nbytes for t in encoded(field, p).values()) for p in ("float32", "float16", "int8")}
    assert size["float16"] < 0.51 * size["float32"]
    assert size["int8"] < 0.28 * size["float32"]


def test_weights_beyond_float16_are_refused():
    field = CoordinateMLP(IdentityEncoder(2), 3, hidden_features=4)
    with torch.no_grad():
        field.network[2].weight[0, 0] = 1e5
    with pytest.raises(ValueError, match="precision: expected weights of at most 65504 for float16"):
        encoded(field, "float16")


@pytest.mark.parametrize(
    "change",
    [
        lambda stored: stored.pop("w" + SCALE),
        lambda stored: stored.pop("w"),
        lambda stored: stored.update({"w" + SCALE: torch.zeros(3)}),
        lambda stored: stored.update({"w" + SCALE: torch.zeros(2, dtype=torch.int64)}),
    ],
)
def test_scales_without_their_integers_are_refused(change):
    stored = dict(zip(("w", "w" + SCALE), quantize(torch.rand(2, 50)), strict=True))
    assert decoded(stored)["w"].shape == (2, 50)
    change(stored)
    with pytest.raises(ValueError, match="expected"):
        decoded(stored)
