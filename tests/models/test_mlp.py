"""CoordinateMLP against the same network written out, and its start against the distributions it names."""

import pytest
import torch
from torch import nn

from ffnet.encoders import GaussianEncoder, IdentityEncoder
from ffnet.models import CoordinateMLP, Sine


def test_is_the_network_written_out():
    model = CoordinateMLP(GaussianEncoder(2, 8), 3, 16, 2, nn.ReLU(), nn.Sigmoid(), seed=0)
    x = torch.rand(7, 2)
    weights = [p for n, p in model.named_parameters()]
    h = model.encoder(x)
    h = torch.relu(h @ weights[0].T + weights[1])
    h = torch.relu(h @ weights[2].T + weights[3])
    expected = torch.sigmoid(h @ weights[4].T + weights[5])
    torch.testing.assert_close(model(x), expected)


def test_the_default_start_is_that_of_torch():
    torch.manual_seed(11)
    expected = [nn.Linear(2, 16), nn.Linear(16, 16), nn.Linear(16, 1)]
    model = CoordinateMLP(IdentityEncoder(2), 1, 16, 2, seed=11)
    layers = [layer for layer in model.network if isinstance(layer, nn.Linear)]
    for layer, other in zip(layers, expected, strict=True):
        assert torch.equal(layer.weight, other.weight)
        assert torch.equal(layer.bias, other.bias)


def test_the_glorot_start_has_its_variances():
    model = CoordinateMLP(IdentityEncoder(400), 300, 600, 1, initialization="glorot", seed=0)
    first, last = model.network[0], model.network[2]
    assert first.weight.std().item() == pytest.approx((2 / (400 + 600)) ** 0.5, rel=0.01)
    assert last.weight.std().item() == pytest.approx((2 / (600 + 300)) ** 0.5, rel=0.01)
    assert first.bias.std().item() == pytest.approx(0.01, rel=0.1)


def test_the_he_start_keeps_the_variance_from_layer_to_layer():
    model = CoordinateMLP(IdentityEncoder(400), 300, 600, 3, initialization="he", seed=0)
    assert model.network[2].weight.std().item() == pytest.approx((2 / 600) ** 0.5, rel=0.01)
    assert not any(layer.bias.any() for layer in model.network if isinstance(layer, nn.Linear))
    h = torch.randn(64, 400, generator=torch.Generator().manual_seed(0))
    assert model.network(h).square().mean().item() == pytest.approx(2 * h.square().mean().item(), rel=0.15)


def test_the_papers_network_has_263_thousand_parameters():
    model = CoordinateMLP(GaussianEncoder(2), 3)
    assert sum(p.numel() for p in model.parameters()) == 512 * 256 + 2 * 256 * 256 + 256 * 3 + 3 * 256 + 3


def test_layers_do_not_share_an_activation():
    model = CoordinateMLP(IdentityEncoder(2), 1, 4, 2, activation=nn.PReLU(), output_activation=nn.Sigmoid())
    assert len({id(layer) for layer in model.network}) == len(model.network)
    assert sum(isinstance(layer, nn.PReLU) for layer in model.network) == 2


@pytest.mark.parametrize("activation", [None, nn.Sigmoid()])
def test_starts_where_it_is_told_to(activation):
    model = CoordinateMLP(IdentityEncoder(2), 2, 8, 1, output_activation=activation, output_init=[0.8, 0.3])
    nn.init.zeros_(model.network[2].weight)
    torch.testing.assert_close(model(torch.rand(5, 2)), torch.tensor([0.8, 0.3]).expand(5, 2))


def test_no_sigmoid_starts_at_its_end():
    model = CoordinateMLP(IdentityEncoder(2), 2, 8, 1, output_activation=nn.Sigmoid(), output_init=[0, 1])
    nn.init.zeros_(model.network[2].weight)
    torch.testing.assert_close(model(torch.rand(2)), torch.tensor([0.01, 0.99]))


@pytest.mark.usefixtures("without_shape_checks")
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hidden_layers": 0}, "hidden_layers: expected an integer of at least 1, got 0"),
        ({"hidden_features": -3}, "hidden_features: expected"),
        ({"out_features": 0}, "out_features: expected"),
        ({"initialization": "random"}, "initialization: expected one of torch, glorot, he"),
        ({"output_init": [0.5, 0.5]}, r"output_init: expected a number for each of 1 values, got \[0.5, 0.5\]"),
        ({"output_init": 0.5}, "output_init: expected a number for each of 1 values, got 0.5"),
        ({"output_init": "x"}, "output_init: expected a number for each of 1 values, got 'x'"),
        ({"output_init": [0.5], "output_activation": nn.Tanh()}, "output_init: expected a Sigmoid or no .* got Tanh"),
    ],
)
def test_arguments_are_checked(arguments, message):
    with pytest.raises(ValueError, match=message):
        CoordinateMLP(**({"encoder": IdentityEncoder(2), "out_features": 1} | arguments))


@pytest.mark.parametrize("skips", [[], [1]])
def test_autocast_does_not_round_coordinates(skips):
    """Of 1024 places between 1/2 and 1, bfloat16 tells 128 apart."""
    model = CoordinateMLP(IdentityEncoder(1), 1, 64, 2, Sine(100.0), skips=skips, seed=0)
    with torch.no_grad():
        model.network[2].weight.mul_(0.01)
        x = torch.linspace(0.5, 1, 1024).unsqueeze(-1)
        exact = model(x)
        with torch.autocast("cpu", torch.bfloat16):
            error = model(x).float() - exact
    assert error.std() < 0.1 * exact.std()


def test_under_autocast_a_sigmoid_passes_gradients_where_bfloat16_has_1():
    model = CoordinateMLP(IdentityEncoder(2), 1, 8, 1, output_activation=torch.nn.Sigmoid(), seed=0)
    with torch.no_grad():
        model.network[-2].bias.fill_(9.0)
    with torch.autocast("cpu", torch.bfloat16):
        values = model(torch.rand(5, 2))
    values.sum().backward()
    sigmoid = values.detach().double()
    torch.testing.assert_close(
        model.network[-2].bias.grad.double(), (sigmoid * (1 - sigmoid)).sum(0), rtol=1e-2, atol=0
    )
    assert (values < 1).all()
