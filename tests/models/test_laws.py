"""What every model keeps to."""

import copy
import io
import pickle

import pytest
import torch

from tests.models.cases import MODELS

pytestmark = pytest.mark.parametrize("case", MODELS)


def build(case: str, seed: int | None = 0) -> torch.nn.Module:
    constructor, arguments = MODELS[case]
    return constructor(**arguments(), seed=seed)


def points(model: torch.nn.Module, *shape: int) -> torch.Tensor:
    return torch.rand(*shape, model.in_features, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3), (0,)], ids=str)
def test_any_leading_dimensions_are_kept(case, shape):
    model = build(case)
    assert model(points(model, *shape)).shape == (*shape, model.out_features)


def test_the_same_seed_gives_the_same_weights_and_leaves_the_global_generator_alone(case):
    torch.manual_seed(1)
    before = torch.random.get_rng_state()
    one, two, other = build(case, 3), build(case, 3), build(case, 4)
    assert torch.equal(torch.random.get_rng_state(), before)
    x = points(one, 5)
    assert torch.equal(one(x), two(x))
    assert not torch.equal(one(x), other(x))


def test_without_a_seed_the_global_generator_decides(case):
    torch.manual_seed(5)
    one, two = build(case, None), build(case, None)
    torch.manual_seed(5)
    again = build(case, None)
    x = points(one, 5)
    assert torch.equal(one(x), again(x))
    assert not torch.equal(one(x), two(x))


def test_state_dict_brings_the_same_values_back(case):
    model, other = build(case, 0), build(case, 1)
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    file.seek(0)
    other.load_state_dict(torch.load(file, weights_only=True))
    x = points(model, 5)
    assert torch.equal(other(x), model(x))


def test_copies_and_pickles_agree(case):
    model = build(case)
    x = points(model, 5)
    assert torch.equal(copy.deepcopy(model)(x), model(x))
    assert torch.equal(pickle.loads(pickle.dumps(model))(x), model(x))


def test_bfloat16_weights_take_float32_coordinates(case):
    model = build(case)
    x = points(model, 50)
    low = copy.deepcopy(model).bfloat16()(x)
    assert low.dtype == torch.bfloat16
    torch.testing.assert_close(low.float(), model(x), atol=0.05, rtol=0.05)


@pytest.mark.usefixtures("without_shape_checks")  # hundreds of evaluations; the other laws have the checks
@pytest.mark.sampled(2)
def test_gradients_agree_with_finite_differences(case):
    model = build(case).double()
    x = points(model, 4).double()
    parameters = list(model.parameters())
    names = [name for name, _ in model.named_parameters()]

    def function(*values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, dict(zip(names, values, strict=True)), (x,))

    assert torch.autograd.gradcheck(function, parameters, eps=1e-6, atol=1e-5)


def test_function_transforms_agree_with_a_loop(case):
    model = build(case)
    state = dict(model.named_parameters()) | dict(model.named_buffers())
    x = points(model, 4)

    def function(p: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(model, state, (p,))

    torch.testing.assert_close(torch.func.vmap(function)(x), model(x))
    jacobian = torch.func.vmap(torch.func.jacrev(function))(x)
    loop = torch.stack([torch.autograd.functional.jacobian(model, p) for p in x])
    torch.testing.assert_close(jacobian, loop, atol=1e-4, rtol=1e-4)


def test_gradients_are_finite_on_the_whole_domain_and_its_borders(case):
    model = build(case)
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 0.5, 1.0])] * model.in_features)
    x = torch.cat([corners, points(model, 200)]).requires_grad_()
    gradients = torch.autograd.grad(model(x).square().sum(), [x, *model.parameters()])
    assert all(gradient.isfinite().all() for gradient in gradients)


def test_features_can_be_computed_apart(case):
    model = build(case)
    x = points(model, 5)
    assert torch.equal(model.decode(model.encoder(x)), model(x))


def test_autocast_is_close(case):
    model = build(case)
    x = points(model, 50)
    with torch.autocast("cpu", torch.bfloat16):
        low = model(x)
    torch.testing.assert_close(low, model(x), atol=0.05, rtol=0.05)  # and of the same type


@pytest.mark.untraced
@pytest.mark.few("mlp after gaussian", "siren")
@pytest.mark.usefixtures("without_shape_checks")
def test_compiles_as_one_graph(case):
    model = build(case)
    torch._dynamo.reset()
    compiled = torch.compile(model, fullgraph=True, dynamic=True, backend="aot_eager")
    for count in (3, 8):
        x = points(model, count)
        torch.testing.assert_close(compiled(x), model(x))


@pytest.mark.untraced
@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.sampled(2)
def test_exports_with_any_number_of_points(case):
    model = build(case)
    dynamic = ({0: torch.export.Dim("points")},)
    program = torch.export.export(model, (points(model, 4),), dynamic_shapes=dynamic)
    for count in (2, 9):
        x = points(model, count)
        torch.testing.assert_close(program.module()(x), model(x))
