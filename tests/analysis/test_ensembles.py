"""Ensembles of networks: training all at once, and the spread that kernels predict."""

import copy

import pytest
import torch

from ffnet.analysis.ensembles import ensemble, known_points, line_of_grid, trained
from ffnet.datasets import ImageDataset
from ffnet.encoders import GaussianEncoder
from ffnet.kernels import InfiniteMLP, finite_mlp, grid_points, nngp_posterior

ENCODER = GaussianEncoder(1, 32, 2.0, dtype=torch.float64)


def line(count=40):
    x = grid_points([count])
    return x, torch.cat([torch.sin(7 * x), x], dim=-1), known_points(count, 6, 0)


def test_networks_trained_at_once_are_those_trained_alone():
    x, y, known = line()
    features, networks = ENCODER(x), [finite_mlp(64, 16, 2, seed) for seed in range(3)]
    before = copy.deepcopy(networks[0].state_dict())
    found = trained(networks, features[known], y[known, :1], features, [0, 2, 5], 0.01)
    assert found.shape == (3, 3, 40, 1)
    for number, network in enumerate(networks):
        optimizer = torch.optim.SGD(network.parameters(), lr=0.01)
        for step in range(5):
            if step in (0, 2):
                torch.testing.assert_close(found[[0, 2].index(step), number], network(features).detach())
            if step == 0 and number == 0:
                assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
            optimizer.zero_grad()
            (0.5 * (network(features[known]) - y[known, :1]).square().sum()).backward()
            optimizer.step()
        torch.testing.assert_close(found[2, number], network(features).detach())


def test_parameters_without_gradients_are_not_trained():
    x, y, known = line()
    features, network = ENCODER(x), finite_mlp(64, 16, 2, 0)
    for parameter in list(network.parameters())[:-1]:
        parameter.requires_grad_(False)
    found = trained([network], features[known], y[known, :1], features, [3], 0.05)[0, 0]
    last = network[:-1](features).detach() * network[-1].input_gain  # a linear model, without biases
    w = network[-1].linear.weight.detach().T
    for _ in range(3):
        w = w - 0.05 * last[known].T @ (last[known] @ w - y[known, :1])
    torch.testing.assert_close(found, last @ w)


def test_wide_networks_have_the_spread_and_the_mean_of_the_kernels():
    x, y, known = line()
    limit = InfiniteMLP(2, "relu", "ntk", 2**0.5, encoder=ENCODER)
    networks = [finite_mlp(64, 128, 2, seed, dtype=torch.float32) for seed in range(60)]
    report = ensemble(limit, networks, x, y[:, :1], known, [0, 3, 20], 0.5)
    for predicted, found in zip(report["predicted"], report["trained"], strict=True):
        wanted, deviation = (torch.tensor(part["deviation"]) for part in (predicted, found))
        large = wanted > 0.1 * max(report["prior"]["deviation"])
        # A deviation of 60 is known to 9 %, and neighbouring points are alike; the width shows by a few per cent.
        assert (deviation / wanted)[large].median().item() == pytest.approx(1, abs=0.15)
        apart = (torch.tensor(found["mean"]) - torch.tensor(predicted["mean"])) / (wanted / 60**0.5)
        assert apart[large].abs().max() < 4
    assert sum(report["predicted"][-1]["deviation"]) < 0.7 * sum(report["prior"]["deviation"])
    assert "times this" in report["statement"]


def test_the_report_has_the_posterior_around_the_mean_of_the_known_values():
    x, y, known = line()
    limit = InfiniteMLP(1, "erf", "ntk", encoder=ENCODER)
    networks = [finite_mlp(64, 8, 1, seed) for seed in range(2)]
    report = ensemble(limit, networks, x, y[:, :1], known, [0, 1], 0.5)
    centred = y[known, :1] - y[known, :1].mean()
    mean, covariance = nngp_posterior(limit.nngp(x[known]), limit.nngp(x, x[known]), limit.nngp(x), centred)
    torch.testing.assert_close(torch.tensor(report["posterior"]["mean"]).double(), mean[:, 0], rtol=0, atol=1e-6)
    deviation = torch.tensor(report["posterior"]["deviation"]).double()
    torch.testing.assert_close(deviation.square(), covariance.diagonal().clamp(min=0), rtol=0, atol=1e-6)
    assert [len(report["predicted"]), len(report["samples"]), len(report["samples"][0])] == [2, 2, 2]


def test_a_line_is_the_middle_of_the_middle_row():
    pixels = torch.arange(5 * 8, dtype=torch.uint8).reshape(5, 8, 1)
    x, y = line_of_grid(ImageDataset(pixels), 4)
    assert (y * 255).round()[:, 0].tolist() == [18, 19, 20, 21]
    assert x[:, 1].tolist() == pytest.approx([0.5] * 4)
    assert x[:, 0].tolist() == pytest.approx([2.5 / 8, 3.5 / 8, 4.5 / 8, 5.5 / 8])
    assert len(line_of_grid(ImageDataset(pixels), 100)[0]) == 8


def test_known_points_are_one_of_each_stretch():
    found = known_points(40, 8, 3)
    assert (found // 5).tolist() == list(range(8))
    assert known_points(3, 8, 0).tolist() == [0, 1, 2]
