"""Muon with Adam: who gets what, and that the pair is saved and scheduled as one."""

import copy

import pytest
import torch

from ffnet.encoders import GridEncoder, IdentityEncoder
from ffnet.fitting import MuonAdam
from ffnet.models import CoordinateMLP, FilterNetwork, Finer, Siren, Wire


def network():
    return CoordinateMLP(GridEncoder(2, 2, 2, 64, max_resolution=20), 3, 16, 2, seed=0)


def train(model, optimizer, steps, schedule=None):
    generator = torch.Generator().manual_seed(0)
    for _ in range(steps):
        x = torch.rand(32, 2, generator=generator)
        optimizer.zero_grad()
        (model(x) - x.sum(-1, keepdim=True)).square().mean().backward()
        optimizer.step()
        if schedule:
            schedule.step()


def test_muon_has_the_hidden_matrices_and_adam_all_else():
    model = network()
    names = {id(p): name for name, p in model.named_parameters()}
    muon, adam = MuonAdam(model.named_parameters()).parts
    held = [sorted(names[id(p)] for g in part.param_groups for p in g["params"]) for part in (muon, adam)]
    assert held[0] == ["network.0.weight", "network.2.weight"]
    assert sorted(held[0] + held[1]) == sorted(names.values())


@pytest.mark.parametrize(
    ("model", "hidden"),
    [
        (Siren, ["network.2.weight", "network.4.weight"]),
        (Finer, ["network.2.weight", "network.4.weight"]),
        (Wire, ["network.2.weight", "network.4.weight"]),
        (FilterNetwork, ["network.0.linears.0.weight", "network.0.linears.1.weight"]),
    ],
)
def test_frequencies_and_complex_biases_are_not_hidden_matrices(model, hidden):
    field = model(IdentityEncoder(2), 3, 8, 3)
    names = {id(p): name for name, p in field.named_parameters()}
    muon, _ = MuonAdam(field.named_parameters()).parts
    assert [names[id(p)] for p in muon.param_groups[0]["params"]] == hidden


def test_both_parts_of_a_complex_map_are_one_matrix_of_the_same_memory():
    stack = torch.nn.Parameter(torch.randn(2, 6, 5, generator=torch.Generator().manual_seed(0)))
    last = torch.nn.Parameter(torch.ones(3, 6))
    alone = torch.nn.Parameter(stack.detach().reshape(12, 5).clone())
    address = stack.data_ptr()
    both = MuonAdam([("hidden", stack), ("last", last)], muon_lr=2e-3)
    reference = torch.optim.Muon([alone], lr=2e-3, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw")
    for seed in range(3):
        gradient = torch.randn(12, 5, generator=torch.Generator().manual_seed(seed))
        stack.grad, alone.grad, last.grad = gradient.view(2, 6, 5).clone(), gradient.clone(), torch.ones(3, 6)
        both.step()
        reference.step()
    assert stack.shape == stack.grad.shape == (2, 6, 5)
    assert stack.data_ptr() == address
    torch.testing.assert_close(stack.reshape(12, 5), alone)


def test_each_part_does_what_it_would_do_alone():
    one, two = network(), network()
    both = MuonAdam(one.named_parameters(), lr=1e-3, muon_lr=2e-3)
    matrices = [two.network[0].weight, two.network[2].weight]
    rest = [p for p in two.parameters() if all(p is not m for m in matrices)]
    alone = [
        torch.optim.Muon(matrices, lr=2e-3, weight_decay=0.0, momentum=0.95, adjust_lr_fn="match_rms_adamw"),
        torch.optim.Adam(rest, lr=1e-3),
    ]
    x = torch.rand(32, 2)
    for _ in range(5):
        for model, optimizers in ((one, [both]), (two, alone)):
            for optimizer in optimizers:
                optimizer.zero_grad()
            (model(x) - x.sum(-1, keepdim=True)).square().mean().backward()
            for optimizer in optimizers:
                optimizer.step()
    for p, q in zip(one.parameters(), two.parameters(), strict=True):
        torch.testing.assert_close(p, q)


def test_a_schedule_reaches_both_parts_also_after_loading():
    model = network()
    optimizer = MuonAdam(model.named_parameters(), lr=1.0, muon_lr=2.0)
    optimizer.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    train(model, optimizer, 1, schedule)
    assert [part.param_groups[0]["lr"] for part in optimizer.parts] == [1.0, 0.5]


def test_a_saved_state_goes_on_to_the_same_bits():
    first = network()
    optimizer = MuonAdam(first.named_parameters())
    train(first, optimizer, 6)
    again = MuonAdam(first.named_parameters())
    again.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    train(first, again, 3)
    straight = network()
    straight_optimizer = MuonAdam(straight.named_parameters())
    train(straight, straight_optimizer, 6)
    train(straight, straight_optimizer, 3)
    assert all(torch.equal(p, q) for p, q in zip(first.parameters(), straight.parameters(), strict=True))


def test_a_closure_is_evaluated_once():
    model, calls = network(), []
    optimizer = MuonAdam(model.named_parameters())

    def closure():
        calls.append(1)
        optimizer.zero_grad()
        loss = model(torch.rand(4, 2)).square().mean()
        loss.backward()
        return loss

    assert optimizer.step(closure).item() > 0
    assert len(calls) == 1


def test_a_network_without_hidden_matrices_is_refused():
    with pytest.raises(ValueError, match="expected at least one hidden weight matrix"):
        MuonAdam([("bias", torch.nn.Parameter(torch.zeros(3)))])
