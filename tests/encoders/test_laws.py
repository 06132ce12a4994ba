"""What every encoder keeps to."""

import copy
import io
import pickle

import pytest
import torch

from tests.encoders.cases import ENCODERS

pytestmark = pytest.mark.parametrize("case", ENCODERS)
DEVICES = [
    "cpu",
    pytest.param("cuda", marks=pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")),
]


def build(case: str) -> torch.nn.Module:
    constructor, arguments = ENCODERS[case]
    return constructor(**arguments)


def points(encoder: torch.nn.Module, *shape: int, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.rand(*shape, encoder.in_features, generator=generator, dtype=torch.float64).to(dtype)


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,), (2, 0, 3), (1, 2, 3, 4)], ids=str)
def test_any_leading_dimensions_are_kept(case, shape):
    encoder = build(case)
    assert encoder(points(encoder, *shape)).shape == (*shape, encoder.out_features)


def test_each_point_is_encoded_alone(case):
    encoder = build(case)
    x = points(encoder, 4, 3)
    one_by_one = torch.stack([encoder(p) for p in x.flatten(0, 1)]).view(4, 3, -1)
    torch.testing.assert_close(encoder(x), one_by_one, atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_features_have_the_type_of_the_coordinates_and_the_precision_of_float32(case, dtype):
    encoder = build(case)
    x = points(encoder, 100, dtype=dtype)
    features = encoder(x)
    assert features.dtype == dtype
    exact = encoder(x.double())  # the same points, which float64 holds exactly
    error = (features.double() - exact).abs().max()
    # Phases reach 1e3 cycles, so products in float32 carry 1e-4 radian; a rounded feature carries eps / 2.
    assert error <= {torch.float64: 0}.get(dtype, 4e-4) + torch.finfo(dtype).eps


@pytest.mark.parametrize("cast", [torch.nn.Module.half, torch.nn.Module.bfloat16], ids=["half", "bfloat16"])
def test_casting_the_module_down_changes_no_feature(case, cast):
    encoder = build(case)
    x = points(encoder, 10)
    torch.testing.assert_close(cast(build(case))(x), encoder(x), atol=0, rtol=0)


def test_float64_modules_stay_in_float64(case):
    encoder = build(case).double()
    held = [*encoder.buffers(), *encoder.parameters()]
    assert all(t.dtype == torch.float64 for t in held if t.is_floating_point())
    assert encoder(points(encoder, 3, dtype=torch.float64)).dtype == torch.float64


def test_autocast_and_reduced_matmul_precision_change_no_feature(case):
    encoder = build(case)
    x = points(encoder, 10)
    expected = encoder(x)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("medium")
        with torch.autocast("cpu", torch.bfloat16):
            features = encoder(x)
    finally:
        torch.set_float32_matmul_precision(before)
    assert features.dtype == torch.float32
    assert torch.equal(features, expected)


@pytest.mark.parametrize("device", DEVICES)
def test_state_dict_brings_the_same_features_back(case, device):
    encoder = build(case).to(device)
    constructor, arguments = ENCODERS[case]
    other = constructor(**arguments | ({"seed": 99} if "gaussian" in case else {})).to(device)
    file = io.BytesIO()
    torch.save(encoder.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = points(encoder, 10).to(device)
    assert torch.equal(other(x), encoder(x))
    assert encoder(x).device.type == device


def test_the_same_arguments_give_the_same_features_whatever_the_global_seed(case):
    torch.manual_seed(1)
    one = build(case)
    torch.manual_seed(2)
    state = torch.random.get_rng_state()
    two = build(case)
    assert torch.equal(torch.random.get_rng_state(), state), "the global generator was used"
    assert torch.equal(one(points(one, 5)), two(points(two, 5)))


def test_copies_and_pickles_encode_alike(case):
    encoder = build(case)
    x = points(encoder, 5)
    assert torch.equal(copy.deepcopy(encoder)(x), encoder(x))
    assert torch.equal(pickle.loads(pickle.dumps(encoder))(x), encoder(x))


@pytest.mark.usefixtures("without_shape_checks")  # hundreds of evaluations; the other laws have the checks
def test_gradients_agree_with_finite_differences(case):
    encoder = build(case).double()
    x = points(encoder, 4, dtype=torch.float64).requires_grad_()
    # Frequencies reach 1e3: a step of 1e-8 keeps the phase small, and float64 leaves 1e-8 relative of it.
    assert torch.autograd.gradcheck(encoder, (x,), eps=1e-8, atol=1e-3, rtol=1e-3)


def test_gradients_are_finite_on_the_whole_domain_and_its_borders(case):
    encoder = build(case)
    d = encoder.in_features
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * min(d, 4)).view(-1, min(d, 4))
    edges = torch.cat([corners, corners.new_zeros(len(corners), d - min(d, 4))], dim=1)
    x = torch.cat([edges, points(encoder, 500), -edges]).requires_grad_()
    weight = torch.linspace(0.5, 1, encoder.out_features)
    gradients = torch.autograd.grad((encoder(x) * weight).sum(), [x, *encoder.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_function_transforms_agree_with_a_loop(case):
    encoder = build(case)
    x = points(encoder, 6)
    state = dict(encoder.named_buffers()) | {name: p.detach() for name, p in encoder.named_parameters()}

    def function(p: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(encoder, state, (p,))

    torch.testing.assert_close(torch.func.vmap(function)(x), encoder(x).detach(), atol=1e-6, rtol=0)
    jacobian = torch.func.vmap(torch.func.jacrev(function))(x)
    loop = torch.stack([torch.autograd.functional.jacobian(encoder, p) for p in x])
    torch.testing.assert_close(jacobian, loop, atol=1e-2, rtol=1e-4)


@pytest.mark.untraced
@pytest.mark.few("gaussian", "grid")
@pytest.mark.usefixtures("without_shape_checks")
def test_compiles_as_one_graph_with_any_number_of_points(case):
    encoder = build(case)
    torch._dynamo.reset()
    compiled = torch.compile(encoder, fullgraph=True, dynamic=True, backend="aot_eager")
    for count in (3, 8):
        x = points(encoder, count)
        torch.testing.assert_close(compiled(x), encoder(x), atol=1e-6, rtol=0)


@pytest.mark.untraced
@pytest.mark.few("positional", "gaussian", "grid", "integrated", "composite", "annealed grid", "spherical harmonics")
@pytest.mark.usefixtures("without_shape_checks")
def test_exports_with_any_number_of_points(case):
    encoder = build(case)
    dynamic = ({0: torch.export.Dim("points")},)
    program = torch.export.export(encoder, (points(encoder, 4),), dynamic_shapes=dynamic)
    for count in (2, 9):
        x = points(encoder, count)
        torch.testing.assert_close(program.module()(x), encoder(x), atol=1e-6, rtol=0)


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize("shape", [(), (3, 5), (4, 0)], ids=str)
def test_wrong_shapes_are_refused(case, shape):
    encoder = build(case)
    with pytest.raises(ValueError, match=r"coordinates: expected shape \(\.\.\., \d\), got"):
        encoder(torch.zeros(shape))


def test_levels_say_of_every_feature_where_it_stands(case):
    encoder = build(case)
    levels = encoder.levels()
    assert levels.shape == (encoder.out_features,)
    assert set(range(1, int(levels.max()) + 1)) <= set(levels.tolist())


def test_whole_numbers_are_coordinates_too(case):
    encoder = build(case)
    x = torch.ones(3, encoder.in_features, dtype=torch.int64)
    torch.testing.assert_close(encoder(x), encoder(x.float()))
