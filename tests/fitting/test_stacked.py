import pytest
import torch
from torch import nn

from ffnet.encoders import GaussianEncoder, IdentityEncoder
from ffnet.fitting.stacked import Stacked
from ffnet.models import CoordinateMLP, Siren


def fields(skips=(), trainable=False):
    encoders = [GaussianEncoder(2, 6, sigma, seed=3, trainable=trainable) for sigma in (1.0, 4.0)]
    return [
        CoordinateMLP(encoder, 3, 8, 2, nn.Tanh(), nn.Sigmoid(), skips=skips, seed=seed)
        for seed, encoder in enumerate(encoders)
    ]


def points(count):
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0))


def test_a_stack_has_the_values_of_its_fields():
    x, made = points(20), fields()
    torch.testing.assert_close(Stacked(made)(x), torch.stack([field(x) for field in made]))


def test_a_stack_trains_as_its_fields_do_one_by_one():
    x, made = points(20), fields()
    y = x[:, :1] * torch.tensor([0.2, 0.5, 0.9])
    stacked = Stacked(made)
    optimizer = torch.optim.Adam(stacked.parameters, lr=1e-2)
    alone = [torch.optim.Adam(field.parameters(), lr=1e-2) for field in made]
    for _ in range(5):
        optimizer.zero_grad()
        (stacked(x) - y).square().mean((1, 2)).sum().backward()
        optimizer.step()
        for field, own in zip(made, alone, strict=True):
            own.zero_grad()
            (field(x) - y).square().mean().backward()
            own.step()
    torch.testing.assert_close(stacked(x), torch.stack([field(x) for field in made]), atol=1e-5, rtol=1e-4)


def test_the_fields_are_left_as_they_are():
    x, made = points(20), fields()
    before = made[0](x)
    stacked = Stacked(made)
    with torch.no_grad():
        for parameter in stacked.parameters:
            parameter.zero_()
    assert torch.equal(made[0](x), before)


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (fields(skips=[1]), "model: expected mlp without skips"),
        ([Siren(IdentityEncoder(2), 3, 8, 1)], "model: expected mlp without skips"),
        (fields(trainable=True), "encoder: expected features that are not trained"),
    ],
)
def test_other_networks_are_refused(made, message):
    with pytest.raises(ValueError, match=message):
        Stacked(made)
