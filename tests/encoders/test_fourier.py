"""What every Fourier encoder keeps to: ffnet's own and those of other projects."""

import copy
import math

import numpy as np
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd import forward_ad

from ffnet.encoders import (
    AnnealedEncoder,
    FourierEncoder,
    GaussianEncoder,
    IntegratedEncoder,
    PositionalEncoder,
    fourier,
)
from ffnet.encoders import conventions as by
from ffnet.fitting.mirrored import Mirrored
from ffnet.models import CoordinateMLP
from tests.encoders import golden
from tests.encoders.cases import ENCODERS

ROWS = [[1.0, 2.0], [0.5, -1.0], [3.0, 0.25]]


def family() -> dict[str, FourierEncoder]:
    """Every Fourier encoder of the tables, in float64."""
    own = {name: make(**arguments).double() for name, (make, arguments) in ENCODERS.items()}
    projects = {name: golden.build(case) for name, case in golden.CASES.items()}
    return {name: encoder for name, encoder in (own | projects).items() if isinstance(encoder, FourierEncoder)}


FAMILY = family()
each = pytest.mark.parametrize("encoder", FAMILY.values(), ids=FAMILY)


def points(encoder: FourierEncoder, count: int = 20) -> torch.Tensor:
    shape = count, encoder.in_features
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def rows(encoder: FourierEncoder) -> np.ndarray:
    """All frequencies (m, d) in radians per unit, from the checkpoint alone, frequency outermost."""
    state = {name: tensor.numpy() for name, tensor in encoder.state_dict().items()}
    B = state["B"] if "multiples" not in state else np.kron(state["multiples"][:, None], state["B"])
    return B * (1.0 if encoder.unit == "radians" else 2 * math.pi)


def waves(encoder: FourierEncoder, x: torch.Tensor, damping: float | np.ndarray = 1.0) -> np.ndarray:
    """The native features by numpy, coordinates left out."""
    phases = x.numpy() @ rows(encoder).T
    height = encoder.scale * damping
    if encoder.amplitudes is not None:
        height = height * encoder.amplitudes.flatten().numpy()
    return np.concatenate([height * np.sin(phases), height * np.cos(phases)], axis=-1)


@each
def test_features_are_sines_and_cosines_of_the_rows_in_the_checkpoint(encoder):
    x = points(encoder)
    found = encoder.native()(x).detach()[:, encoder.in_features * (encoder.include != "none") :]
    np.testing.assert_allclose(found, waves(encoder, x), atol=1e-11 * max(1, np.abs(rows(encoder)).max()))


@each
def test_the_native_order_is_a_permutation(encoder):
    x = points(encoder)
    assert torch.equal(encoder(x), encoder.native()(x)[:, encoder.order()])
    assert torch.equal(encoder.native().order(), torch.arange(encoder.out_features))
    assert torch.equal(encoder.levels(), encoder.native().levels()[encoder.order()])


@each
def test_any_of_them_can_be_integrated(encoder):
    x, variance = points(encoder), 1e-3
    native = encoder.native()
    expected = waves(encoder, x, np.exp(-0.5 * variance * np.square(rows(encoder)).sum(-1)))
    found = IntegratedEncoder(native, variance)(x).detach()[:, encoder.in_features * (encoder.include != "none") :]
    np.testing.assert_allclose(found, expected, atol=1e-11 * max(1, np.abs(rows(encoder)).max()))


@each
def test_any_of_them_can_be_annealed(encoder):
    x, annealed = points(encoder), AnnealedEncoder(encoder)
    assert torch.equal(annealed(x), encoder(x))
    annealed.anneal(0.0)
    assert torch.equal(annealed(x) != 0, (encoder(x) != 0) & (encoder.levels() == 0))


@each
def test_mirror_images_share_a_first_layer_where_sines_and_cosines_are_blocked(encoder):
    field = CoordinateMLP(encoder, 2, 8, 1, seed=0).double()
    half = encoder.out_features // 2
    blocked = encoder.include == "none" and torch.equal(encoder.order()[:half] + half, encoder.order()[half:])
    assert Mirrored.suits(field) == blocked
    if blocked:
        centre, away = torch.full((encoder.in_features,), 0.4, dtype=torch.float64), points(encoder) - 0.5
        found = Mirrored(field, centre).decode(encoder(away))
        torch.testing.assert_close(found, field(torch.cat([centre + away, centre - away])))


# older checkpoints: frequencies and directions apart, in the project's unit, and B alone of a GaussianEncoder

OLDER = {
    "positional": (PositionalEncoder(2, 3, include_input=True), {"frequencies": [1.0, 2.0, 4.0]}),
    "axes in half cycles": (by.tiny_cuda_nn_frequency(3, 2), {"frequencies": [1.0, 2.0]}),
    "axes in radians": (by.bacon_positional(2, 2, normalize=True), {"frequencies": [1, 2], "amplitudes": [[1], [0.5]]}),
    "rows": (by.random_fourier_gaussian(torch.tensor(ROWS)), {"frequencies": [1.0], "B": ROWS}),
    "rows in half cycles": (
        by.fourier_feature_nets(torch.tensor(ROWS).T, torch.tensor([1.0, 2.0, 3.0])),
        {"frequencies": [1.0], "B": ROWS, "amplitudes": [[1.0, 2.0, 3.0]]},
    ),
    "multiples of rows": (
        by.nerfstudio_fourier(torch.tensor(ROWS).T, 2, 0.0, 1.0),
        {"frequencies": [1.0, 2.0], "B": ROWS},
    ),
}


@pytest.mark.parametrize(("encoder", "state"), OLDER.values(), ids=OLDER)
def test_older_checkpoints_load(encoder, state):
    x, expected = torch.rand(9, encoder.in_features), {name: t.clone() for name, t in encoder.state_dict().items()}
    wanted = encoder(x)
    torch.nn.init.zeros_(encoder.B)
    older = {name: torch.tensor(values, dtype=torch.float32) for name, values in state.items()}
    if "amplitudes" in older:
        older["amplitudes"] = older["amplitudes"].expand_as(encoder.amplitudes)
    holder = torch.nn.ModuleDict({"encoder": encoder})
    holder.load_state_dict({f"encoder.{name}": tensor for name, tensor in older.items()}, strict=True)
    assert torch.equal(encoder(x), wanted)
    assert all(torch.equal(tensor, expected[name]) for name, tensor in encoder.state_dict().items())


def test_an_older_checkpoint_of_another_size_is_refused():
    with pytest.raises(RuntimeError, match="size mismatch for B"):
        PositionalEncoder(2, 4).load_state_dict({"frequencies": torch.ones(3)})


def test_rows_that_were_trained_away_from_the_axes_are_kept():
    trained, fixed = FourierEncoder(2, [1.0, 2.0], trainable=True), FourierEncoder(2, [1.0, 2.0])
    with torch.no_grad():
        trained.B += 0.1
    fixed.load_state_dict(trained.state_dict())
    x = torch.rand(5, 2)
    assert torch.equal(fixed(x), trained(x))


def test_products_along_the_axes_are_those_of_the_whole_matrix():
    axes, whole = PositionalEncoder(3, 7, min_frequency=0.3), GaussianEncoder(3, 21)
    whole.B = axes.B
    x = torch.rand(50, 3)
    assert torch.equal(axes(x), whole(x))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@each
def test_features_written_in_place_have_the_same_bits(encoder, dtype, monkeypatch):
    monkeypatch.setattr(fourier, "BLOCK", 8 * encoder.out_features)  # 16 points
    monkeypatch.setattr(fourier, "WIDE", 0)
    encoder = copy.deepcopy(encoder)
    encoder.requires_grad_(False)
    for B in (encoder.B.float(), encoder.B.double()):
        encoder.B = torch.nn.Parameter(B, False) if "B" in encoder._parameters else B
        for shape in [(), (0,), (1,), (16,), (45,), (3, 5, 7), (2, 0, 3)]:
            generator = torch.Generator().manual_seed(2)
            x = 3 * torch.randn(*shape, encoder.in_features, generator=generator, dtype=dtype)
            before = x.clone()
            assert torch.equal(encoder(x), encoder.features(x, *encoder.waves(x)))
            assert torch.equal(x, before)
            columns = x.mT.contiguous().mT if x.ndim > 1 else x
            assert torch.equal(encoder(columns), encoder(x))


@pytest.mark.filterwarnings("ignore:`torch.jit")
def test_features_are_written_in_place_where_nothing_follows_the_computation():
    x, found = torch.rand(3, 2), []
    seen = lambda t: found.append(fourier.writable(t)) or t  # noqa: E731
    leaf = x.clone().requires_grad_()
    seen(x)
    with torch.no_grad():
        seen(leaf)
    with torch.inference_mode():
        seen(x)
    assert found == [True] * 3
    found.clear()
    seen(leaf)
    torch.vmap(seen)(x)
    torch.func.jvp(seen, (x,), (x,))
    torch.func.jacrev(seen)(x)
    with forward_ad.dual_level():
        seen(forward_ad.make_dual(x, x))
    with torch.no_grad():
        torch.jit.trace(seen, x, check_trace=False)
    with FakeTensorMode() as mode:
        seen(mode.from_tensor(x))
    torch.export.export(Seen(seen), (x,), strict=False)
    assert len(found) == 8
    assert not any(found)


class Seen(torch.nn.Module):
    def __init__(self, seen) -> None:
        super().__init__()
        self.seen = seen

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.seen(x) + 1
